/* The JSON header of a safetensors file, between text and structures; files are safetensors.c's. */
#ifndef RHEO_TRAIN_SAFETENSORS_HEADER_H
#define RHEO_TRAIN_SAFETENSORS_HEADER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "train/safetensors.h"

#define RHEO_SAFETENSORS_HEADER_LIMIT (16u << 20)

typedef struct rheo_safetensors_header {
    cJSON *json;             /* names, keys and values below point into it */
    size_t n_tensors, n_notes;
    rheo_tensor *tensors;    /* by offset */
    const rheo_tensor **by_name;
    rheo_note *notes;        /* by key */
} rheo_safetensors_header;

/* Parses n bytes of text and holds them against data_bytes of data. `path` is for messages. Freed whatever it returns. */
rheo_status rheo_safetensors_header_parse(rheo_safetensors_header *header, const char *path, const char *text, size_t n,
                                          uint64_t data_bytes, rheo_error *err);
void rheo_safetensors_header_free(rheo_safetensors_header *header);

/* Text of a header whose tensors follow one another, padded to a multiple of 8 bytes; and the bytes of all tensors and of
 * the largest. What the parser would refuse is refused. The caller frees *text with cJSON_free. */
rheo_status rheo_safetensors_header_make(const char *path, const rheo_tensor *tensors, size_t n_tensors, const rheo_note *notes,
                                         size_t n_notes, char **text, uint64_t *largest, rheo_error *err);

bool rheo_tensor_bytes(const rheo_tensor *t, uint64_t *bytes);      /* false where they cannot be counted */
const rheo_tensor *rheo_safetensors_header_find(const rheo_safetensors_header *header, const char *name);
const char *rheo_safetensors_header_note(const rheo_safetensors_header *header, const char *key);

#endif
