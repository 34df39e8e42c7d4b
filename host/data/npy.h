/* NumPy's .npy files, versions 1 to 3: bytes ('|u1') or little-endian floats ('<f4', '<f8'), in C or Fortran order. */
#ifndef RHEO_DATA_NPY_H
#define RHEO_DATA_NPY_H

#include "base/error.h"

enum { RHEO_NPY_RANK = 4 };

typedef enum rheo_npy_type { RHEO_NPY_BYTES, RHEO_NPY_FLOATS, RHEO_NPY_DOUBLES, RHEO_NPY_TYPES } rheo_npy_type;

typedef struct rheo_npy {
    int rank;
    uint64_t dim[RHEO_NPY_RANK]; /* 1 beyond the rank */
    uint64_t count;              /* of elements */
    rheo_npy_type type;
    void *data;                  /* in C order; the caller frees */
} rheo_npy;

/* Errors: RHEO_EFORMAT names the file, the byte, what was found and what was expected. */
rheo_status rheo_npy_load(const char *path, rheo_npy *out, rheo_error *err);
/* The same of a file's n bytes; path begins messages. */
rheo_status rheo_npy_parse(const char *path, const uint8_t *bytes, size_t n, rheo_npy *out, rheo_error *err);
/* Only the header: dimensions and type, data NULL. */
rheo_status rheo_npy_look(const char *path, rheo_npy *out, rheo_error *err);

static inline double rheo_npy_at(const rheo_npy *npy, uint64_t i)
{
    return npy->type == RHEO_NPY_BYTES ? ((const uint8_t *)npy->data)[i]
           : npy->type == RHEO_NPY_FLOATS ? (double)((const float *)npy->data)[i] : ((const double *)npy->data)[i];
}

/* Writes floats, whole or not at all. */
rheo_status rheo_npy_save(const char *path, int rank, const uint64_t *dim, const float *data, rheo_error *err);

#endif
