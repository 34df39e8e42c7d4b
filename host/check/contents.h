/* What storages hold, as doubles whatever their type and place, and how results are compared with references. */
#ifndef RHEO_CHECK_CONTENTS_H
#define RHEO_CHECK_CONTENTS_H

#include "graph/op.h"
#include "graph/state.h"

/* Contents as `fill` asks (graph/op.h), exact in float32 or uint32. Normals keep 0.01 away from 0, where some functions have a kink. */
void rheo_sample_contents(rheo_sample_fill fill, rheo_shape shape, uint64_t seed, double *out);

/* The whole storage; values are rounded to its type on a device, and kept as they are on the host. */
rheo_status rheo_contents_write(rheo_state *s, int storage, const double *from, rheo_error *err);
rheo_status rheo_contents_read(rheo_state *s, int storage, double *to, rheo_error *err);

/* The element that is farthest off. */
typedef struct rheo_difference {
    double part;             /* of the bound; above 1: outside, INFINITY for what is not finite */
    double got, expected, bound;
    int64_t at;
} rheo_difference;

/* The bound is `tolerance` times the largest expected value. */
rheo_difference rheo_compare(int64_t count, const double *got, const double *expected, double tolerance);

#endif
