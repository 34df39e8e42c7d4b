/* One op alone, on storages of its own: to be compared with something and timed. */
#ifndef RHEO_CHECK_ALONE_H
#define RHEO_CHECK_ALONE_H

#include "graph/internal.h"
#include "graph/plan.h"

typedef struct rheo_alone {
    const rheo_node *node;  /* in graph */
    rheo_device *dev;       /* NULL: the host executor, in double */
    rheo_state *state;      /* storages 0, 1, .. are the inputs */
    rheo_graph *graph;      /* assigns all outputs */
    int out[RHEO_MAX_OUT];  /* storages */
} rheo_alone;

/* Elements of all outputs together. */
int64_t rheo_outputs(const rheo_node *n);
/* What the op says; where it says nothing, a FLOP an element of the outputs, and each input and output moved once. */
rheo_cost rheo_cost_of(const rheo_node *n);

/* Inputs are zero. Free it whatever is returned. */
rheo_status rheo_alone_declare(rheo_device *dev, const rheo_op *op, int n_in, const rheo_spec *in, const void *attr, size_t attr_bytes,
                               rheo_alone *out, rheo_error *err);
/* As another graph's node, whose inputs hold numbers of the size the op's first sample asks for, or a permutation; integers 0. */
rheo_status rheo_alone_create(rheo_device *dev, const rheo_node *n, rheo_alone *out, rheo_error *err);
/* A row of the op's samples, input i filled from seed + i. */
rheo_status rheo_alone_of_sample(rheo_device *dev, const rheo_op *op, const rheo_op_sample *sample, uint64_t seed, rheo_alone *out,
                                 rheo_error *err);
void rheo_alone_free(rheo_alone *a);

/* One run of a plan of a->graph; results: all outputs, one after another. */
rheo_status rheo_alone_run(const rheo_alone *a, rheo_plan *plan, double *results, rheo_error *err);
/* Seconds of a run: the least and the median of what was seen in about `most` seconds. */
typedef struct rheo_timing {
    double best, median;
} rheo_timing;
rheo_status rheo_alone_time(const rheo_alone *a, rheo_plan *plan, double most, rheo_timing *out, rheo_error *err);

#endif
