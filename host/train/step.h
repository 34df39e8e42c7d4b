/* The training step as plans over storages: a run of training is their replay, with only the batch uploaded.
 *
 * Counters, the rate's schedule and the guard live on the device. A step whose loss or gradient is not finite changes
 * neither parameters nor moments nor averages; it is counted. */
#ifndef RHEO_TRAIN_STEP_H
#define RHEO_TRAIN_STEP_H

#include "train/instance.h"

/* Scalars kept on the device, each in a slot of its own so that it can be a sub-buffer. */
typedef enum rheo_scalar {
    RHEO_RATE_BASE,          /* lr, halved after each return to an earlier state; written by the host */
    RHEO_RATE_END,           /* the step at which a linear schedule reaches zero; written by the host */
    RHEO_APPLIED,            /* steps that changed the parameters */
    RHEO_SKIPPED_ROW,        /* steps in a row that did not */
    RHEO_SKIPPED,            /* ... in all */
    RHEO_LOSS,               /* of the last step, finite or not */
    RHEO_GRADIENT_NORM,
    RHEO_RATE,
    RHEO_LOSS_SUM,           /* of good steps since the host's last look; this and what follows are its to clear */
    RHEO_LOSS_COUNT,
    RHEO_FIRST_BAD,          /* the number, from 1, of the first bad step since then; 0: all were good */
    RHEO_SCALARS
} rheo_scalar;
enum { RHEO_SCALAR_STRIDE = 128 };
#define RHEO_END_FAR_OFF 1e12   /* RHEO_RATE_END of a schedule that has no end yet */

typedef struct rheo_trainstep {
    const rheo_instance *in;
    int m, v, ema;           /* like theta, flat */
    int batch;               /* [batch, h, w, c] */
    int classes;             /* [batch, K], weights of its samples' classes; -1: the model has none */
    int scalars;
    int packed;              /* the gradient of the last (micro-)step, flat */
    int gradient, loss;      /* sums over micro-steps; -1 without accumulation */
    rheo_key key;
    bool inverts;            /* what `memory` came to */
    rheo_plan *apply;        /* the whole step, or its last micro-step */
    rheo_plan *micro;        /* NULL without accumulation */
} rheo_trainstep;

rheo_status rheo_trainstep_create(const rheo_instance *in, const rheo_recipe *recipe, rheo_trainstep *out, rheo_error *err);
void rheo_trainstep_free(rheo_trainstep *s);

rheo_status rheo_trainstep_read_scalars(rheo_trainstep *s, float out[RHEO_SCALARS], rheo_error *err);
rheo_status rheo_trainstep_write_scalar(rheo_trainstep *s, rheo_scalar which, float value, rheo_error *err);

/* Begins the counting since the host's last look anew. */
rheo_status rheo_trainstep_clear_look(rheo_trainstep *s, rheo_error *err);
/* Empties the sums of accumulation, where there are any. */
rheo_status rheo_trainstep_clear_sums(rheo_trainstep *s, rheo_error *err);

/* Data-dependent initialisation (flows 2.3): sets parameters from x [n, h, w, c], one pass in order. */
rheo_status rheo_trainstep_initialise(const rheo_instance *in, uint64_t seed, int64_t n, const float *x, rheo_error *err);
/* So many rows serve for it: 256 of 32 x 32, fewer of larger ones. */
int64_t rheo_initial_rows(rheo_data_shape s, int64_t rows);

#endif
