/* Two-dimensional toy distributions (flows 10), generated: point k of a seed is a function of (seed, k). */
#ifndef RHEO_DATA_TOY_H
#define RHEO_DATA_TOY_H

#include <stdint.h>

/* Normals and uniforms of one point, Philox purpose 13: z from block 0, u (and the words under it) from block 1. */
typedef struct rheo_toy_draw {
    double z[4], u[4];
    uint32_t word[4];
} rheo_toy_draw;

typedef struct rheo_toy {
    const char *name;
    double entropy;          /* differential, nats: the best possible negative log-likelihood; NAN where not known */
    void (*point)(const rheo_toy_draw *d, double x[2]);
} rheo_toy;

extern const rheo_toy rheo_toys[];
extern const int rheo_toy_count;

const rheo_toy *rheo_toy_find(const char *name);        /* NULL where there is none */

/* Points first, first + 1, .. into out [count, 2]. */
void rheo_toy_points(const rheo_toy *toy, uint64_t seed, uint32_t first, uint32_t count, float *out);

#endif
