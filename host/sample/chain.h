/* Annealed Langevin dynamics (Song and Ermon 2019, algorithms 1 and 2; score 5): chains that live on the device, each step the
 * replay of one plan. A chain's numbers are functions of (seed, index of the sample, step), whatever the batch. */
#ifndef RHEO_SAMPLE_CHAIN_H
#define RHEO_SAMPLE_CHAIN_H

#include "graph/plan.h"
#include "op/key.h"

/* The noise levels a chain goes through, and its steps: at each level `steps` of x + eta s + sqrt(2 eta) z with
 * eta = epsilon sigma^2 / sigma_last^2; then, with denoise, x + sigma_last^2 s. One level is plain Langevin dynamics. */
typedef struct rheo_annealing {
    int levels;
    const double *sigma; /* [levels], falling; lent */
    int steps;
    double epsilon;
    bool denoise;
} rheo_annealing;

/* Nodes for the score of x [N,H,W,C]. labels: u32 [1,1,1,N], all the level's index; sigma: its deviation, a scalar. */
typedef rheo_value (*rheo_score_builder)(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma);

typedef enum rheo_chain_kind {
    RHEO_CHAIN_FREE,
    RHEO_CHAIN_KNOWN,      /* inpainting: pixels of the mask are those of a noisy reference, one draw a level, pasted after each step */
    RHEO_CHAIN_KNOWN_V2,   /* the same, but a fresh draw pasted before each step */
    RHEO_CHAIN_INTERPOLATE /* chains share start and noise: cos phi z_p + sin phi z_q, phi from 0 to 90 degrees over the batch */
} rheo_chain_kind;

typedef struct rheo_chain {
    rheo_state *state;
    rheo_shape shape; /* [N,H,W,C] */
    rheo_annealing annealing;
    rheo_chain_kind kind;
    int x; /* storages: the chains; */
    int labels, sigma, eta, noise;
    int mask, reference, known; /* [H,W,C] and twice [N,H,W,C]; -1 unless known pixels are */
    rheo_key key;
    int first_level; /* where chains begin: 0, or as rheo_chain_tune says */
    rheo_plan *start, *paste, *advance, *denoise;
} rheo_chain;

/* Declares the storages in `state` and compiles the plans. Annealing's levels are copied to the device. */
rheo_status rheo_chain_create(rheo_state *state, rheo_shape shape, rheo_chain_kind kind, const rheo_annealing *annealing,
                              rheo_score_builder score, void *ctx, const rheo_plan_options *options, rheo_chain *out, rheo_error *err);
/* Other steps, epsilon and denoising (where it was asked for at first it can be turned off and on) for the same levels, of which those
 * before first_level are left out. */
rheo_status rheo_chain_tune(rheo_chain *c, const rheo_annealing *annealing, int first_level, rheo_error *err);
size_t rheo_chain_bytes(const rheo_chain *c); /* on the device: its state, and what the plans work in */
void rheo_chain_free(rheo_chain *c); /* the storages stay with the state; a zeroed one is fine */

/* What is known, before a run: mask [h,w,c] of 0 and 1 and the reference [n,h,w,c]. */
rheo_status rheo_chain_set_known(rheo_chain *c, const float *mask, const float *reference, rheo_error *err);

/* Told after each step of a level, counted from 1, and once before all of them with step 0. The device may be two steps behind;
 * rheo_chain_read there waits, and gives what that step left. Returning false ends the run with RHEO_ESTOPPED. */
typedef bool (*rheo_chain_watch)(void *user, int level, int step);

/* Runs all levels for samples first .. first + N. x0: where the chains begin [n,h,w,c], or NULL: uniform in [0,1). Waits for the
 * device once a level; with a watch it is never more than two steps ahead of it. */
rheo_status rheo_chain_run(rheo_chain *c, uint64_t seed, uint32_t first, const float *x0, rheo_chain_watch watch, void *user,
                           rheo_error *err);
rheo_status rheo_chain_read(rheo_chain *c, float *x, rheo_error *err); /* [n,h,w,c] */

#endif
