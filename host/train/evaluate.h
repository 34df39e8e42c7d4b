/* Densities and round trips of whole splits, a full batch at a time. */
#ifndef RHEO_TRAIN_EVALUATE_H
#define RHEO_TRAIN_EVALUATE_H

#include "data/dataset.h"
#include "train/instance.h"

enum { RHEO_EVALUATION_BATCH = 64 };     /* of trained models */

/* Plans over one batch, with the parameters read from `theta`. Image i is dequantised by (seed, i), so that results do not
 * depend on the batch size. */
typedef struct rheo_evaluator {
    const rheo_instance *in;
    int64_t batch;
    int x, out;              /* storages [batch, h, w, c] and [batch] */
    int classes, each_class; /* [batch, K]: weights of the samples' classes, losses given each; -1 without classes */
    rheo_key key;
    rheo_plan *loss, *round_trip, *class_loss;  /* the latter two NULL unless `trained`, and without latents or classes */
    float *staging, *results;
} rheo_evaluator;

/* trained: for all that trained models are asked for, not the loss alone. */
rheo_status rheo_evaluator_create(const rheo_instance *in, int theta, int64_t batch, bool trained, rheo_evaluator *out, rheo_error *err);
void rheo_evaluator_free(rheo_evaluator *e);

/* The loss of rows first .. first + n - 1, given their labels where the model has classes, into out [n], likelihoods in the data's units; n at
 * most the batch. */
rheo_status rheo_evaluator_loss(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                rheo_error *err);
/* Their losses given each of the model's classes, out [n, K]. The model has classes. */
rheo_status rheo_evaluator_class_loss(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                      rheo_error *err);
/* The largest of their round-trip errors. */
rheo_status rheo_evaluator_round_trip(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                      rheo_error *err);

typedef struct rheo_average { double mean, standard_error; } rheo_average;
/* The loss over the first n rows, and of each, each [n] (may be NULL). *stop (may be NULL) ends it with RHEO_ESTOPPED. */
rheo_status rheo_evaluator_mean(rheo_evaluator *e, const rheo_rows *rows, uint32_t n, uint64_t seed, const volatile int *stop,
                                rheo_average *out, double *each, rheo_error *err);

#endif
