/* NumPy's .npy files. */
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* A header of the given version around a dictionary, padded, and 24 bytes of elements. */
static void seed(char version, const char *dictionary)
{
    char file[256] = "\x93NUMPY";
    const size_t start = version == 1 ? 10 : 12, length = strlen(dictionary);
    file[6] = version;
    file[8] = (char)length;
    memcpy(file + start, dictionary, length);
    memset(file + start + length, 64, 24);
    fuzz_seed(file, start + length + 24);
}

void fuzz_seeds(void)
{
    seed(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n");
    seed(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 4, 3), }    \n");
    seed(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }            \n");
}

void fuzz_parse(const char *path)
{
    rheo_npy npy = { .data = NULL };
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_status st = rheo_npy_load(path, &npy, &err);
    fuzz_check(st, &err);
    if (!st) free(npy.data);
}
