/* Channels in a fixed order, reversed or shuffled (flows 2.1): y = x P, logdet 0. P is stored with the parameters, so that
 * loading never draws it again. */
#include <stdlib.h>

#include "base/philox.h"
#include "flow/layer.h"

typedef struct rheo_permutation {
    rheo_flow flow;
    int matrix;
} rheo_permutation;

static rheo_value matrix_of(rheo_build *b, const rheo_flow *flow) { return rheo_param_value(b, ((const rheo_permutation *)flow)->matrix); }

static void permutation_forward(rheo_build *b, const rheo_flow *flow, rheo_value x, rheo_value *y, rheo_value *logdet)
{
    *y = rheo_conv2d(b->g, x, matrix_of(b, flow), 0, 1);
    (void)logdet;       /* adds nothing */
}

static rheo_value permutation_inverse(rheo_build *b, const rheo_flow *flow, rheo_value y)
{
    return rheo_conv2d(b->g, y, rheo_transpose(b->g, matrix_of(b, flow), 0, 1, 3, 2), 0, 1);
}

static const rheo_flow_type permutation = { .name = "permutation", .forward = permutation_forward, .inverse = permutation_inverse };

rheo_flow *rheo_permutation_create(rheo_params *p, int64_t channels, bool shuffle, uint64_t seed)
{
    const size_t c = (size_t)channels;
    rheo_permutation *f = rheo_flow_new(p, &permutation, sizeof *f);
    uint32_t *to = malloc(c * sizeof *to);
    float *matrix = calloc(c * c, sizeof *matrix);
    const bool ok = f && to && matrix;
    if (ok) {
        for (size_t k = 0; k < c; k++) to[k] = (uint32_t)(c - 1 - k);
        /* Shuffles of different layers come from different epochs of the one shuffle there is. */
        if (shuffle) rheo_shuffle(to, (uint32_t)c, seed, (uint32_t)rheo_params_count(p));
        for (size_t k = 0; k < c; k++) matrix[k * c + to[k]] = 1;
        f->matrix = rheo_params_add_values(p, "permutation", RHEO_SHAPE(1, 1, channels, channels), false, matrix);
    } else {
        rheo_flow_destroy((rheo_flow *)f);
    }
    free(to);
    free(matrix);
    return ok ? &f->flow : NULL;
}
