/* NumPy's .npy files, and the tables of floats that become of them. */
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/table.h"
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
    seed(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 1), }           \n");
}

void fuzz_parse(const char *path)
{
    rheo_npy npy = { .data = NULL };
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_status st = rheo_npy_load(path, &npy, &err);
    fuzz_check(st, &err);
    if (!st) free(npy.data);

    void *bytes = NULL;
    size_t n = 0;
    rheo_table t = { .format = NULL };
    if (rheo_file_read(path, (size_t)1 << 20, &bytes, &n, &err)) return;
    rheo_error why = RHEO_ERROR_INIT;
    fuzz_check(rheo_array_parse("t.npy", bytes, n, &(rheo_reading){ .columns = NULL }, &t, &why), &why);
    rheo_table_free(&t);
    free(bytes);
}
