/* C = op(A) op(B) for each of n B matrices: A [n,B,M,K] or, transposed, [n,B,K,M]; B [n,B,K,N] or [n,B,N,K];
 * C [n,B,M,N]. A product is a convolution with a 1x1 window over M positions, op(A)^T B the gradient of one with
 * respect to its weights, and that is how they are launched. */
#include "op/common.h"
#include "op/ops.h"
#include "op/product.h"

typedef struct matmul_attr { int32_t transpose_a, transpose_b; } matmul_attr;

typedef struct sizes { int64_t batch, m, k, n; } sizes;

static sizes sizes_of(const rheo_node *n)
{
    const matmul_attr *t = n->attr;
    const rheo_shape a = n->in_spec[0].shape, b = n->in_spec[1].shape;
    return (sizes){ a.n * a.h, t->transpose_a ? a.c : a.w, t->transpose_a ? a.w : a.c, t->transpose_b ? b.w : b.c };
}

static bool matmul_infer(rheo_graph *g, rheo_node *n)
{
    const matmul_attr *t = n->attr;
    const rheo_shape a = n->in_spec[0].shape, b = n->in_spec[1].shape;
    const sizes s = sizes_of(n);
    if (!rheo_check_type(g, n, 0, RHEO_F32) || !rheo_check_type(g, n, 1, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ RHEO_SHAPE(a.n, a.h, s.m, s.n), RHEO_F32 };
    if (a.n != b.n || a.h != b.h || s.k != (t->transpose_b ? b.c : b.w)) {
        rheo_graph_fail(g, "matmul: " RHEO_SHAPE_TEXT "%s and " RHEO_SHAPE_TEXT "%s do not multiply", RHEO_SHAPE_LIST(a),
                        t->transpose_a ? " transposed" : "", RHEO_SHAPE_LIST(b), t->transpose_b ? " transposed" : "");
        return false;
    }
    if (rheo_count(a) <= RHEO_CONV_MOST && rheo_count(b) <= RHEO_CONV_MOST && rheo_count(n->out[0].shape) <= RHEO_CONV_MOST) return true;
    rheo_graph_fail(g, "matmul: " RHEO_SHAPE_TEXT ", " RHEO_SHAPE_TEXT " or the result has more than 2^30 elements", RHEO_SHAPE_LIST(a),
                    RHEO_SHAPE_LIST(b));
    return false;
}

static void matmul_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const matmul_attr *t = n->attr;
    const rheo_value a = n->in[0], b = n->in[1];
    dx[0] = t->transpose_a ? rheo_matmul(g, b, dy[0], t->transpose_b, true) : rheo_matmul(g, dy[0], b, false, !t->transpose_b);
    dx[1] = t->transpose_b ? rheo_matmul(g, dy[0], a, true, t->transpose_a) : rheo_matmul(g, a, dy[0], !t->transpose_a, false);
}

/* ---- launch ------------------------------------------------------------------------------------------------- */

/* x w with x [positions, i] dense and w [i, o], or stored [o, i]. */
static rheo_conv product(int64_t batch, int64_t positions, int64_t i, int64_t o, bool w_transposed)
{
    return (rheo_conv){
        .batch = batch, .n = 1, .h = 1, .w = positions, .i = i, .o = o, .oh = 1, .ow = positions, .kh = 1, .kw = 1, .dilation = 1,
        .s_tap = i * o, .s_in = w_transposed ? 1 : o, .s_out = w_transposed ? i : 1, .x_c = i, .y_c = o,
    };
}

static bool is_dw(const rheo_node *n) { return ((const matmul_attr *)n->attr)->transpose_a != 0; }

static rheo_conv product_of(const rheo_node *n)
{
    const sizes s = sizes_of(n);
    if (is_dw(n)) return product(s.batch, s.k, s.m, s.n, false);
    return product(s.batch, s.m, s.k, s.n, ((const matmul_attr *)n->attr)->transpose_b);
}

static rheo_status matmul_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = product_of(n);
    if (is_dw(n)) return rheo_product_dw_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
    return rheo_product_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
}

static size_t matmul_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = product_of(n);
    return is_dw(n) ? rheo_product_dw_workspace(n, &c, dev) : 0;
}

static bool matmul_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = product_of(n);
    return is_dw(n) ? rheo_product_dw_offers(&c, variant, dev) : rheo_product_offers(&c, variant, dev);
}

static rheo_cost matmul_cost(const rheo_node *n)
{
    const sizes s = sizes_of(n);
    const double m = (double)s.m, k = (double)s.k, c = (double)s.n, batch = (double)s.batch;
    return (rheo_cost){ 2 * batch * m * k * c, 4 * batch * (m * k + k * c + m * c) };
}

static void matmul_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const matmul_attr *t = n->attr;
    const sizes s = sizes_of(n);
    for (int64_t z = 0; z < s.batch; z++) {
        const double *a = in[0] + z * s.m * s.k, *b = in[1] + z * s.k * s.n;
        double *c = out[0] + z * s.m * s.n;
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++) {
                double sum = 0;
                for (int64_t k = 0; k < s.k; k++)
                    sum += (t->transpose_a ? a[k * s.m + i] : a[i * s.k + k]) * (t->transpose_b ? b[j * s.k + k] : b[k * s.n + j]);
                c[i * s.n + j] = sum;
            }
    }
}

static const matmul_attr plain = { 0, 0 }, left = { 1, 0 }, right = { 0, 1 };
#define SAMPLES(n, b, M, K, N)                                                                                          \
    { .n_in = 2, .in = { RHEO_SPEC_F32(n, b, M, K), RHEO_SPEC_F32(n, b, K, N) }, .attr = &plain, .attr_bytes = sizeof plain }, \
    { .n_in = 2, .in = { RHEO_SPEC_F32(n, b, K, M), RHEO_SPEC_F32(n, b, K, N) }, .attr = &left, .attr_bytes = sizeof left },   \
    { .n_in = 2, .in = { RHEO_SPEC_F32(n, b, M, K), RHEO_SPEC_F32(n, b, N, K) }, .attr = &right, .attr_bytes = sizeof right }
static const rheo_op_sample samples[] = {
    SAMPLES(1, 1, 1, 1, 1),   SAMPLES(1, 1, 12, 12, 12),  SAMPLES(2, 3, 7, 5, 3),     SAMPLES(1, 2, 33, 31, 65), SAMPLES(1, 1, 64, 65, 32),
    SAMPLES(1, 1, 1, 600, 7), SAMPLES(3, 1, 13, 2, 100),  SAMPLES(1, 1, 130, 70, 34),
};

/* 16: as conv2d's. */
const rheo_op rheo_op_matmul = {
    .name = "matmul", .infer = matmul_infer, .gradient = matmul_gradient, .variants = rheo_product_variants,
    .looseness = rheo_product_looseness, .offers = matmul_offers, .launch = matmul_launch,
    .workspace = matmul_workspace, .cost = matmul_cost, .reference = matmul_reference, RHEO_SAMPLES(samples), .tolerance = 16,
};

rheo_value rheo_matmul(rheo_graph *g, rheo_value a, rheo_value b, bool transpose_a, bool transpose_b)
{
    /* A^T B^T = (B A)^T: no kernel reads both factors across. */
    if (transpose_a && transpose_b) return rheo_transpose(g, rheo_matmul(g, b, a, false, false), 0, 1, 3, 2);
    const matmul_attr attr = { transpose_a, transpose_b };
    return rheo_apply(g, &rheo_op_matmul, 2, (const rheo_value[]){ a, b }, &attr, sizeof attr);
}
