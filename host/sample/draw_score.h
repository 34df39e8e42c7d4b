/* Samples of score models: annealed Langevin chains of the trained network, in full batches (score 5). Sample i is a function of
 * (seed, i), up to rounding whatever the batch: kernels may differ by its size. */
#ifndef RHEO_SAMPLE_DRAW_SCORE_H
#define RHEO_SAMPLE_DRAW_SCORE_H

#include "model/ncsn.h"
#include "sample/chain.h"
#include "train/instance.h"

/* What a caller's options come to for one model. */
typedef struct rheo_score_schedule {
    rheo_annealing annealing; /* sigma lent by the model */
    int first_level;
} rheo_score_schedule;

/* Which of two words `found` is: 0 or 1 into *out, 0 for NULL. RHEO_EINVAL names what, found and both. */
rheo_status rheo_score_choose(const char *what, const char *found, const char *first, const char *second, int *out, rheo_error *err);
/* Reads the options, the model's own standing for those not given. Errors: RHEO_EINVAL names the option. */
rheo_status rheo_score_schedule_from(const rheo_ncsn *m, const cJSON *config, const rheo_langevin_options *o, rheo_score_schedule *out,
                                     rheo_error *err);

typedef struct rheo_score_drawer {
    const rheo_instance *in;
    rheo_chain chain; /* kept between draws that ask for the same kind and batch */
    float *x;         /* [batch, h, w, c] */
} rheo_score_drawer;
void rheo_score_drawer_free(rheo_score_drawer *d); /* a zeroed one is fine */

/* How one draw differs from another. */
typedef struct rheo_score_job {
    rheo_chain_kind kind;
    rheo_score_schedule schedule;
    const rheo_langevin_options *options; /* n, seed, snapshots, progress, stop */
    const float *mask, *reference;        /* [h,w,c] both, for chains with known pixels */
    const rheo_rows *data;                /* where chains begin, blurred by the first level's noise; NULL: uniform */
} rheo_score_job;

/* options->n samples into out [n, h, w, c]: images as floats not yet clamped, or vectors. The chain's plans are made on first use. */
rheo_status rheo_score_draw(rheo_score_drawer *d, const rheo_instance *in, const rheo_score_job *job, float *out, rheo_error *err);

#endif
