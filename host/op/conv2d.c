/* Convolution with stride 1, zero padding and dilation, and its gradients; x [N,H,W,I], w [kh,kw,I,O], y [N,OH,OW,O]:
 *
 *   conv2d      y[n,p,q,o]  = sum over r,s,i   of  x[n, p + r d - pad, q + s d - pad, i] w[r,s,i,o]
 *   conv2d_dx   dx[n,h,v,i] = sum over r,s,o   of dy[n, h - r d + pad, v - s d + pad, o] w[r,s,i,o]
 *   conv2d_dw   dw[r,s,i,o] = sum over n,p,q   of  x[n, p + r d - pad, q + s d - pad, i] dy[n,p,q,o]
 *
 * All three are derivatives of one trilinear form in x, w and dy, so each one's gradients are the other two. */
#include "op/conv2d.h"

#include "op/conv2d_samples.h"
#include "op/ops.h"
#include "op/product.h"

/* ---- shapes ------------------------------------------------------------------------------------------- */

static bool countable(rheo_shape s)
{
    return rheo_count(s) <= RHEO_CONV_MOST;
}

bool rheo_conv2d_shape(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_conv2d_attr a, rheo_shape *y)
{
    if (a.pad < 0 || a.dilation < 1) {
        rheo_graph_fail(g, "%s: pad is %d and dilation %d, expected at least 0 and 1", op, a.pad, a.dilation);
        return false;
    }
    if (a.prefix < 0 || a.prefix > x.c) {
        rheo_graph_fail(g, "%s: the first %d channels of x " RHEO_SHAPE_TEXT " do not exist", op, a.prefix, RHEO_SHAPE_LIST(x));
        return false;
    }
    const int64_t taken = a.prefix ? a.prefix : x.c;
    if (taken != w.w) {
        rheo_graph_fail(g, "%s: x " RHEO_SHAPE_TEXT " has %lld channels, weights " RHEO_SHAPE_TEXT " take %lld", op, RHEO_SHAPE_LIST(x),
                        (long long)taken, RHEO_SHAPE_LIST(w), (long long)w.w);
        return false;
    }
    *y = RHEO_SHAPE(x.n, x.h + 2 * a.pad - a.dilation * (w.n - 1), x.w + 2 * a.pad - a.dilation * (w.h - 1), w.c);
    if (y->h < 1 || y->w < 1) {
        rheo_graph_fail(g, "%s: the window of " RHEO_SHAPE_TEXT ", dilation %d, is larger than x " RHEO_SHAPE_TEXT " with pad %d", op,
                        RHEO_SHAPE_LIST(w), a.dilation, RHEO_SHAPE_LIST(x), a.pad);
        return false;
    }
    if (countable(x) && countable(w) && countable(*y)) return true;
    rheo_graph_fail(g, "%s: x " RHEO_SHAPE_TEXT ", weights " RHEO_SHAPE_TEXT " or the result has more than 2^30 elements", op,
                    RHEO_SHAPE_LIST(x), RHEO_SHAPE_LIST(w));
    return false;
}

rheo_conv rheo_conv2d_describe(rheo_shape x, rheo_shape w, rheo_conv2d_attr a)
{
    return (rheo_conv){
        .batch = 1,
        .n = x.n,
        .h = x.h,
        .w = x.w,
        .i = w.w,
        .o = w.c,
        .oh = x.h + 2 * a.pad - a.dilation * (w.n - 1),
        .ow = x.w + 2 * a.pad - a.dilation * (w.h - 1),
        .kh = w.n,
        .kw = w.h,
        .pad_h = a.pad,
        .pad_w = a.pad,
        .dilation = a.dilation,
        .s_tap = w.w * w.c,
        .s_in = w.c,
        .s_out = 1,
        .x_c = x.c,
        .y_c = w.c,
    };
}

bool rheo_conv2d_floats(rheo_graph *g, const rheo_node *n)
{
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_check_type(g, n, 1, RHEO_F32);
}

bool rheo_conv2d_check_dy(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_shape dy, rheo_conv2d_attr a)
{
    rheo_shape y;
    if (!rheo_conv2d_shape(g, op, x, w, a, &y)) return false;
    if (rheo_same_shape(dy, y)) return true;
    rheo_graph_fail(g, "%s: dy is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, op, RHEO_SHAPE_LIST(dy), RHEO_SHAPE_LIST(y));
    return false;
}

rheo_value rheo_conv2d_taken(rheo_graph *g, rheo_value x, rheo_conv2d_attr a)
{
    const rheo_shape s = rheo_shape_of(g, x);
    return rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, 0), RHEO_SHAPE(s.n, s.h, s.w, a.prefix ? a.prefix : s.c));
}

/* ---- the op ----------------------------------------------------------------------------------------------- */

static bool conv2d_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 1;
    n->out[0].type = RHEO_F32;
    return rheo_conv2d_floats(g, n)
           && rheo_conv2d_shape(g, "conv2d", n->in_spec[0].shape, n->in_spec[1].shape, *(const rheo_conv2d_attr *)n->attr,
                                &n->out[0].shape);
}

static void conv2d_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr *a = n->attr;
    const rheo_value x = rheo_conv2d_taken(g, n->in[0], *a);
    const rheo_value back = rheo_conv2d_dx(g, dy[0], n->in[1], rheo_shape_of(g, x), a->pad, a->dilation);
    dx[0] = rheo_pad(g, back, RHEO_SHAPE(0, 0, 0, 0), n->in_spec[0].shape);
    dx[1] = rheo_conv2d_dw(g, x, dy[0], n->in_spec[1].shape, a->pad, a->dilation);
}

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[0].shape, n->in_spec[1].shape, *(const rheo_conv2d_attr *)n->attr);
}

static bool conv2d_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_offers(&c, variant, dev);
}

static rheo_status conv2d_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = describe(n);
    return rheo_product_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
}

static size_t conv2d_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_workspace(n, &c, dev);
}

static rheo_cost conv2d_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_reference(&c, in[0], in[1], out[0]);
}

#define SAMPLE(n, h, w, c, i, o, kh, kw, pad, dilation)                                                                                    \
    { .n_in = 2,                                                                                                                           \
      .in = { CONV2D_X(n, h, w, c), RHEO_SPEC_F32(kh, kw, i, o) },                                                                         \
      .attr = &(const rheo_conv2d_attr){ pad, dilation, CONV2D_PREFIX(c, i) },                                                             \
      .attr_bytes = sizeof(rheo_conv2d_attr) },
static const rheo_op_sample samples[] = { CONV2D_SHAPES(SAMPLE) };

const rheo_op rheo_op_conv2d = {
    .name = "conv2d",
    .infer = conv2d_infer,
    .gradient = conv2d_gradient,
    .variants = rheo_product_variants,
    .looseness = rheo_product_looseness,
    .offers = conv2d_offers,
    .launch = conv2d_launch,
    .workspace = conv2d_workspace,
    .cost = conv2d_cost,
    .reference = conv2d_reference,
    RHEO_SAMPLES(samples),
    .tolerance = CONV2D_TOLERANCE,
};

rheo_value rheo_conv2d(rheo_graph *g, rheo_value x, rheo_value w, int pad, int dilation)
{
    const rheo_conv2d_attr attr = { pad, dilation, 0 };
    return rheo_apply(g, &rheo_op_conv2d, 2, (const rheo_value[]){ x, w }, &attr, sizeof attr);
}
