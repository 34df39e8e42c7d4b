/* Invertible 1x1 convolution (Kingma and Dhariwal 2018, section 3.2; flows 1.2): y = x W per position, row vectors,
 * W = P L (U + diag(sign exp(s))), logdet = H W sum(s). Starts at a random orthogonal W. */
#include <math.h>
#include <stdlib.h>

#include "flow/layer.h"
#include "flow/orthogonal.h"

enum { P, LOWER, UPPER, LOG_S, SIGN, FACTORS };

typedef struct rheo_conv1x1 {
    rheo_flow flow;
    int factor[FACTORS];
} rheo_conv1x1;

static void factors_of(rheo_build *b, const rheo_conv1x1 *f, rheo_value *out)
{
    for (int k = 0; k < FACTORS; k++) out[k] = rheo_param_value(b, f->factor[k]);
}

static void conv1x1_forward(rheo_build *b, const rheo_flow *flow, rheo_value x, rheo_value *y, rheo_value *logdet)
{
    const rheo_shape s = rheo_shape_of(b->g, x);
    rheo_value factors[FACTORS];
    factors_of(b, (const rheo_conv1x1 *)flow, factors);
    const rheo_value w = rheo_lu_matrix(b->g, factors, *logdet, s.h * s.w);
    *y = rheo_conv2d(b->g, x, w, 0, 1);
    *logdet = rheo_output(w, 1);
}

static rheo_value conv1x1_inverse(rheo_build *b, const rheo_flow *flow, rheo_value y)
{
    rheo_value factors[FACTORS];
    factors_of(b, (const rheo_conv1x1 *)flow, factors);
    return rheo_lu_solve(b->g, y, factors);
}

static const rheo_flow_type conv1x1 = { .name = "conv1x1", .forward = conv1x1_forward, .inverse = conv1x1_inverse };

rheo_flow *rheo_conv1x1_create(rheo_params *p, int64_t channels, uint64_t seed)
{
    const size_t c = (size_t)channels;
    rheo_conv1x1 *f = rheo_flow_new(p, &conv1x1, sizeof *f);
    rheo_lu lu = { 0 };
    if (!f || !rheo_lu_random_orthogonal(channels, seed, (uint32_t)rheo_params_count(p), &lu)) {
        rheo_flow_destroy((rheo_flow *)f);
        return NULL;
    }
    float *values = malloc((3 * c * c + 2 * c) * sizeof *values);
    if (values) {
        float *lower = values, *upper = lower + c * c, *permutation = upper + c * c, *log_s = permutation + c * c, *sign = log_s + c;
        for (size_t r = 0; r < c; r++) {
            for (size_t k = 0; k < c; k++) {
                lower[r * c + k] = r > k ? (float)lu.factors[r * c + k] : 0;
                upper[r * c + k] = r < k ? (float)lu.factors[r * c + k] : 0;
                permutation[r * c + k] = lu.column[r] == (int64_t)k;
            }
            log_s[r] = (float)log(fabs(lu.factors[r * c + r]));
            sign[r] = lu.factors[r * c + r] < 0 ? -1 : 1;
        }
        const rheo_shape square = { 1, 1, channels, channels };
        f->factor[P] = rheo_params_add_values(p, "permutation", square, false, permutation);
        f->factor[LOWER] = rheo_params_add_values(p, "lower", square, true, lower);
        f->factor[UPPER] = rheo_params_add_values(p, "upper", square, true, upper);
        rheo_params_set_numbers(p, f->factor[LOWER], channels * (channels - 1) / 2);
        rheo_params_set_numbers(p, f->factor[UPPER], channels * (channels - 1) / 2);
        f->factor[LOG_S] = rheo_params_add_values(p, "log_s", rheo_vector(channels), true, log_s);
        f->factor[SIGN] = rheo_params_add_values(p, "sign", rheo_vector(channels), false, sign);
    }
    free(values);
    rheo_lu_finish(&lu);
    if (values) return &f->flow;
    rheo_flow_destroy(&f->flow);
    return NULL;
}
