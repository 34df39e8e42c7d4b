/* NumPy's .npy files, versions 1 and 2: C order, bytes ('|u1') or little-endian floats ('<f4'). */
#ifndef RHEO_DATA_NPY_H
#define RHEO_DATA_NPY_H

#include "base/error.h"

enum { RHEO_NPY_RANK = 4 };

typedef struct rheo_npy {
    int rank;
    uint64_t dim[RHEO_NPY_RANK]; /* 1 beyond the rank */
    int bytes;                   /* elements are bytes, else floats */
    void *data;                  /* the caller frees */
} rheo_npy;

/* Errors: RHEO_EFORMAT names the file, the byte, what was found and what was expected. */
rheo_status rheo_npy_load(const char *path, rheo_npy *out, rheo_error *err);
/* Writes floats, whole or not at all. */
rheo_status rheo_npy_save(const char *path, int rank, const uint64_t *dim, const float *data, rheo_error *err);

#endif
