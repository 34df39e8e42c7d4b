/* Whitened latents of rows, a full batch at a time. */
#ifndef RHEO_TRAIN_ENCODE_H
#define RHEO_TRAIN_ENCODE_H

#include "base/watch.h"
#include "train/instance.h"

/* Row i is dequantised by (seed, i), as an evaluator does it. */
typedef struct rheo_encoder {
    const rheo_instance *in;
    int64_t batch;
    int x, codes;            /* storages [batch, h, w, c] and [batch, dims] */
    rheo_key key;
    rheo_plan *plan;
    float *staging;
} rheo_encoder;

/* The model has latents. */
rheo_status rheo_encoder_create(const rheo_instance *in, int theta, int64_t batch, rheo_encoder *out, rheo_error *err);
void rheo_encoder_free(rheo_encoder *e);

/* All rows into codes [rows->count, dims]; watch may be NULL. */
rheo_status rheo_encoder_encode(rheo_encoder *e, const rheo_rows *rows, uint64_t seed, float *codes, const rheo_watch *watch, rheo_error *err);

#endif
