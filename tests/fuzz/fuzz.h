/* Fuzzing of what reads files (libFuzzer): a parser is one file here, with these two functions, and one line of RHEO_FUZZ_LIST. */
#ifndef RHEO_TESTS_FUZZ_H
#define RHEO_TESTS_FUZZ_H

#include <stddef.h>

#include "rheo/rheo.h"

/* Reads the file as the library would, whatever is in it. */
void fuzz_parse(const char *path);
/* Hands good files to fuzz_seed, which the fuzzer begins with. */
void fuzz_seeds(void);

void fuzz_seed(const void *data, size_t bytes);
void fuzz_seed_gz(const void *data, size_t bytes);      /* the same, gzipped */
void fuzz_seed_file(const char *path);

/* What every refusal is: a status, and one line without control characters, which terminals would obey. */
void fuzz_check(rheo_status status, const rheo_error *err);

/* A folder in the present one, for this process only; removed at its end with the files in it. */
const char *fuzz_folder(void);

#endif
