/* Sum over h, w, c of log N(z; m, exp(r)) a sample (flows 0.1, 1.7), m and r broadcast to z. Sums are compensated: the error is
 * that of the terms and of rounding the result once. */
#include "op/copy.h"
#include "op/ops.h"

#include <math.h>

static const double half_log_two_pi = 0.91893853320467274178;

static bool broadcasts_to(rheo_shape a, rheo_shape to)
{
    rheo_shape both;
    return rheo_broadcast_shapes(a, to, &both) && rheo_same_shape(both, to);
}

static bool gaussian_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape z = n->in_spec[0].shape;
    for (int i = 0; i < 3; i++) {
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
        if (broadcasts_to(n->in_spec[i].shape, z)) continue;
        rheo_graph_fail(g, "gaussian_logp: %s " RHEO_SHAPE_TEXT " does not broadcast to " RHEO_SHAPE_TEXT,
                        i == 1 ? "mean" : "log deviation", RHEO_SHAPE_LIST(n->in_spec[i].shape), RHEO_SHAPE_LIST(z));
        return false;
    }
    return rheo_infer_shape(n, RHEO_SHAPE(z.n, 1, 1, 1));
}

/* With e = (z - m) exp(-r): dl/dz = -e exp(-r), dl/dm = e exp(-r), dl/dr = e^2 - 1. */
static void gaussian_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value z = n->in[0], m = n->in[1], r = n->in[2];
    const rheo_value inverse = rheo_exp(g, rheo_neg(g, r)), e = rheo_mul(g, rheo_sub(g, z, m), inverse);
    const rheo_value dm = rheo_mul(g, rheo_mul(g, e, inverse), dy[0]);
    dx[0] = rheo_neg(g, dm);
    dx[1] = rheo_sum_to(g, dm, n->in_spec[1].shape);
    dx[2] = rheo_sum_to(g, rheo_mul(g, rheo_affine(g, rheo_square(g, e), 1, -1), dy[0]), n->in_spec[2].shape);
}

/* Steps along each axis of z in an array that is broadcast to it. */
static void broadcast_strides(rheo_shape s, int64_t stride[4])
{
    int64_t d[4];
    rheo_dims(s, d);
    rheo_strides(s, stride);
    for (int k = 0; k < 4; k++)
        if (d[k] == 1) stride[k] = 0;
}

static rheo_status gaussian_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    int64_t z[4], m[4], r[4], d[3] = { 1, 1, 1 }, ms[3] = { 0 }, rs[3] = { 0 };
    rheo_dims(n->in_spec[0].shape, z);
    broadcast_strides(n->in_spec[1].shape, m);
    broadcast_strides(n->in_spec[2].shape, r);

    /* Axes c, w, h into slots 2, 1, 0; one in which m and r only go on where the inner one ends joins it. */
    int slot = 2;
    for (int k = 3; k >= 1; k--) {
        if (z[k] == 1) continue;
        if (d[slot] > 1) {
            if (m[k] == d[slot] * ms[slot] && r[k] == d[slot] * rs[slot]) {
                d[slot] *= z[k];
                continue;
            }
            slot--;
        }
        d[slot] = z[k], ms[slot] = m[k], rs[slot] = r[k];
    }

    const double constant = -(double)(z[1] * z[2] * z[3]) * half_log_two_pi;
    const float high = (float)constant, low = (float)(constant - (double)high);
    size_t group = 1;
    while (dev->kind != RHEO_CPU && group < 64 && 2 * group <= dev->max_group) group *= 2;
    const rheo_grid grid = { { (size_t)z[0] * group, 1, 1 }, { group, 1, 1 } };
    return RHEO_EMIT(l, err, "flow", "gaussian_logp", grid, RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_in(l, 2)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_INT(d[0]), RHEO_INT(d[1]), RHEO_INT(d[2]), RHEO_INT(m[0]), RHEO_INT(ms[0]),
                     RHEO_INT(ms[1]), RHEO_INT(ms[2]), RHEO_INT(r[0]), RHEO_INT(rs[0]), RHEO_INT(rs[1]), RHEO_INT(rs[2]),
                     RHEO_FLOAT(high), RHEO_FLOAT(low), RHEO_LOCAL(group * 2 * sizeof(float)));
}

static rheo_cost gaussian_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->in_spec[0].shape);
    return (rheo_cost){ 12 * count, 4 * (count + (double)rheo_count(n->in_spec[1].shape) + (double)rheo_count(n->in_spec[2].shape)) };
}

static void gaussian_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape z = n->in_spec[0].shape;
    for (int64_t k = 0; k < z.n; k++) {
        double sum = 0;
        for (int64_t h = 0; h < z.h; h++)
            for (int64_t w = 0; w < z.w; w++)
                for (int64_t c = 0; c < z.c; c++) {
                    const double r = in[2][rheo_at(n->in_spec[2].shape, k, h, w, c)];
                    const double e = (in[0][rheo_index(z, k, h, w, c)] - in[1][rheo_at(n->in_spec[1].shape, k, h, w, c)]) * exp(-r);
                    sum += -half_log_two_pi - r - 0.5 * e * e;
                }
        out[0][k] = sum;
    }
}

#define SAMPLE(zn, zh, zw, zc, mn, mh, mw, mc, rn, rh, rw, rc)                                                 \
    { .n_in = 3, .in = { RHEO_SPEC_F32(zn, zh, zw, zc), RHEO_SPEC_F32(mn, mh, mw, mc), RHEO_SPEC_F32(rn, rh, rw, rc) }, \
      .fill = { { 0 }, { 0 }, { .scale = 0.3 } } }
static const rheo_op_sample gaussian_samples[] = {
    SAMPLE(3, 5, 7, 6, 3, 5, 7, 6, 3, 5, 7, 6), SAMPLE(2, 3, 5, 17, 1, 1, 1, 17, 1, 1, 1, 17), SAMPLE(2, 4, 4, 3, 1, 4, 4, 3, 1, 1, 1, 1),
    SAMPLE(3, 1, 1, 2, 1, 1, 1, 1, 3, 1, 1, 1), SAMPLE(1, 3, 1, 33, 1, 3, 1, 1, 1, 1, 1, 33),
    SAMPLE(2, 16, 16, 12, 2, 16, 16, 12, 1, 1, 1, 12),
};

/* 12: a term's own error, some 6 roundings of its larger part (exp 3 ulp twice over in the square), averaged over the sum. */
const rheo_op rheo_op_gaussian_logp = {
    .name = "gaussian_logp", .infer = gaussian_infer, .gradient = gaussian_gradient, .launch = gaussian_launch, .cost = gaussian_cost,
    .reference = gaussian_reference, RHEO_SAMPLES(gaussian_samples), .tolerance = 12,
};

rheo_value rheo_gaussian_logp(rheo_graph *g, rheo_value z, rheo_value m, rheo_value r)
{
    return rheo_apply(g, &rheo_op_gaussian_logp, 3, (rheo_value[]){ z, m, r }, NULL, 0);
}
