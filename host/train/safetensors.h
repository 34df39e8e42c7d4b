/* safetensors files: 8 bytes of little-endian header length, a JSON header, raw tensors. What PyTorch users read.
 * The reader trusts nothing: header at most 16 MiB of UTF-8 and nested at most 8 deep, byte ranges that equal shape
 * times size, follow one another without overlap or hole and end with the file, no name twice. */
#ifndef RHEO_TRAIN_SAFETENSORS_H
#define RHEO_TRAIN_SAFETENSORS_H

#include "base/error.h"

#define RHEO_TENSOR_RANK 8

typedef enum rheo_dtype { RHEO_DTYPE_F32, RHEO_DTYPE_U32, RHEO_DTYPE_I64, RHEO_DTYPE_U8, RHEO_DTYPES } rheo_dtype;

typedef struct rheo_tensor {
    const char *name;
    rheo_dtype dtype;
    int rank;                /* 0: one element */
    uint64_t shape[RHEO_TENSOR_RANK];
    uint64_t offset, bytes;  /* in the data part; the writer ignores them */
} rheo_tensor;

/* A string of the header's __metadata__. */
typedef struct rheo_note {
    const char *key, *value;
} rheo_note;

const char *rheo_dtype_name(rheo_dtype dtype);      /* "F32", "U32", "I64", "U8" */
size_t rheo_dtype_bytes(rheo_dtype dtype);

/* ---- reading ---- */

typedef struct rheo_safetensors rheo_safetensors;

/* Reads and checks the header; tensors are read when asked for. rheo_safetensors_close accepts NULL. */
rheo_status rheo_safetensors_open(const char *path, rheo_safetensors **out, rheo_error *err);
void rheo_safetensors_close(rheo_safetensors *file);

/* Lent until the file is closed. Tensors in the order of their data, notes in that of their keys. */
size_t rheo_safetensors_tensors(const rheo_safetensors *file, const rheo_tensor **out);
size_t rheo_safetensors_notes(const rheo_safetensors *file, const rheo_note **out);
const rheo_tensor *rheo_safetensors_find(const rheo_safetensors *file, const char *name);      /* NULL where there is none */
const char *rheo_safetensors_note(const rheo_safetensors *file, const char *key);              /* likewise */

/* Reads the tensor of this name into `to`, if it has this type and shape; an error states both. */
rheo_status rheo_safetensors_read(rheo_safetensors *file, const char *name, rheo_dtype dtype, int rank, const uint64_t *shape,
                                  void *to, rheo_error *err);

/* ---- writing ---- */

/* Puts the elements of tensor k into `to`. Called once for each k, in order. */
typedef rheo_status (*rheo_tensor_source)(void *user, size_t k, void *to, rheo_error *err);

/* Writes a file whole or not at all (base/file.h), holding one tensor in memory at a time. Names and notes are UTF-8;
 * names are free of control characters and differ. */
rheo_status rheo_safetensors_write(const char *path, const rheo_tensor *tensors, size_t n_tensors, const rheo_note *notes, size_t n_notes,
                                   rheo_tensor_source source, void *user, rheo_error *err);

#endif
