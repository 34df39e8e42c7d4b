/* Convolution with stride 1, zero padding and dilation, and its gradients; x [N,H,W,I], w [kh,kw,I,O], y [N,OH,OW,O]:
 *
 *   conv2d      y[n,p,q,o]  = sum over r,s,i   of  x[n, p + r d - pad, q + s d - pad, i] w[r,s,i,o]
 *   conv2d_dx   dx[n,h,v,i] = sum over r,s,o   of dy[n, h - r d + pad, v - s d + pad, o] w[r,s,i,o]
 *   conv2d_dw   dw[r,s,i,o] = sum over n,p,q   of  x[n, p + r d - pad, q + s d - pad, i] dy[n,p,q,o]
 *
 * All three are derivatives of one trilinear form in x, w and dy, so each one's gradients are the other two. */
#include "op/conv2d.h"

#include "op/common.h"
#include "op/ops.h"

/* H and W are x's, which dy does not tell where pad is wider than the window. */
typedef struct dx_attr { rheo_conv2d_attr conv; int32_t h, w; } dx_attr;
typedef struct dw_attr { rheo_conv2d_attr conv; int32_t kh, kw; } dw_attr;

/* ---- shapes ------------------------------------------------------------------------------------------- */

static bool countable(rheo_shape s) { return rheo_count(s) <= RHEO_CONV_MOST; }

bool rheo_conv2d_shape(rheo_graph *g, const char *op, rheo_shape x, rheo_shape w, rheo_conv2d_attr a, rheo_shape *y)
{
    if (a.pad < 0 || a.dilation < 1) {
        rheo_graph_fail(g, "%s: pad is %d and dilation %d, expected at least 0 and 1", op, a.pad, a.dilation);
        return false;
    }
    if (x.c != w.w) {
        rheo_graph_fail(g, "%s: x " RHEO_SHAPE_TEXT " has %lld channels, weights " RHEO_SHAPE_TEXT " take %lld", op, RHEO_SHAPE_LIST(x),
                        (long long)x.c, RHEO_SHAPE_LIST(w), (long long)w.w);
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
        .batch = 1, .n = x.n, .h = x.h, .w = x.w, .i = w.w, .o = w.c, .oh = x.h + 2 * a.pad - a.dilation * (w.n - 1),
        .ow = x.w + 2 * a.pad - a.dilation * (w.h - 1), .kh = w.n, .kw = w.h, .pad_h = a.pad, .pad_w = a.pad, .dilation = a.dilation,
        .s_tap = w.w * w.c, .s_in = w.c, .s_out = 1, .x_c = w.w, .y_c = w.c,
    };
}

/* dx as a convolution of dy: taps in reverse order, channels exchanged. */
static rheo_conv transposed(rheo_conv c)
{
    rheo_conv t = c;
    t.h = c.oh, t.w = c.ow, t.oh = c.h, t.ow = c.w;
    t.i = c.o, t.o = c.i, t.x_c = c.y_c, t.y_c = c.x_c;
    t.pad_h = c.dilation * (c.kh - 1) - c.pad_h;
    t.pad_w = c.dilation * (c.kw - 1) - c.pad_w;
    t.base = (c.kh * c.kw - 1) * c.s_tap;
    t.s_tap = -c.s_tap, t.s_in = c.s_out, t.s_out = c.s_in;
    return t;
}

static bool check_floats(rheo_graph *g, const rheo_node *n)
{
    return rheo_check_type(g, n, 0, RHEO_F32) && rheo_check_type(g, n, 1, RHEO_F32);
}

static bool conv2d_infer(rheo_graph *g, rheo_node *n)
{
    n->n_out = 1;
    n->out[0].type = RHEO_F32;
    return check_floats(g, n) && rheo_conv2d_shape(g, "conv2d", n->in_spec[0].shape, n->in_spec[1].shape,
                                                   *(const rheo_conv2d_attr *)n->attr, &n->out[0].shape);
}

static bool check_dy(rheo_graph *g, const char *op, rheo_shape found, rheo_shape expected)
{
    if (rheo_same_shape(found, expected)) return true;
    rheo_graph_fail(g, "%s: dy is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, op, RHEO_SHAPE_LIST(found), RHEO_SHAPE_LIST(expected));
    return false;
}

static bool conv2d_dx_infer(rheo_graph *g, rheo_node *n)
{
    const dx_attr *a = n->attr;
    const rheo_shape dy = n->in_spec[0].shape, w = n->in_spec[1].shape, x = RHEO_SHAPE(dy.n, a->h, a->w, w.w);
    rheo_shape y;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ x, RHEO_F32 };
    return check_floats(g, n) && rheo_conv2d_shape(g, "conv2d_dx", x, w, a->conv, &y) && check_dy(g, "conv2d_dx", dy, y);
}

static bool conv2d_dw_infer(rheo_graph *g, rheo_node *n)
{
    const dw_attr *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape, dy = n->in_spec[1].shape, w = RHEO_SHAPE(a->kh, a->kw, x.c, dy.c);
    rheo_shape y;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ w, RHEO_F32 };
    return check_floats(g, n) && rheo_conv2d_shape(g, "conv2d_dw", x, w, a->conv, &y) && check_dy(g, "conv2d_dw", dy, y);
}

/* ---- gradients ------------------------------------------------------------------------------------------ */

static void conv2d_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr *a = n->attr;
    dx[0] = rheo_conv2d_dx(g, dy[0], n->in[1], n->in_spec[0].shape, a->pad, a->dilation);
    dx[1] = rheo_conv2d_dw(g, n->in[0], dy[0], n->in_spec[1].shape, a->pad, a->dilation);
}

/* Inputs dy, w; what arrives has x's shape. */
static void conv2d_dx_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr a = ((const dx_attr *)n->attr)->conv;
    dx[0] = rheo_conv2d(g, dy[0], n->in[1], a.pad, a.dilation);
    dx[1] = rheo_conv2d_dw(g, dy[0], n->in[0], n->in_spec[1].shape, a.pad, a.dilation);
}

/* Inputs x, dy; what arrives has w's shape. */
static void conv2d_dw_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr a = ((const dw_attr *)n->attr)->conv;
    dx[0] = rheo_conv2d_dx(g, n->in[1], dy[0], n->in_spec[0].shape, a.pad, a.dilation);
    dx[1] = rheo_conv2d(g, n->in[0], dy[0], a.pad, a.dilation);
}

/* ---- launches --------------------------------------------------------------------------------------------- */

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[0].shape, n->in_spec[1].shape, *(const rheo_conv2d_attr *)n->attr);
}
static rheo_conv describe_dx(const rheo_node *n)
{
    return rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, ((const dx_attr *)n->attr)->conv);
}
static rheo_conv describe_dw(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[0].shape, n->out[0].shape, ((const dw_attr *)n->attr)->conv);
}

static rheo_status conv2d_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = describe(n);
    return rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), NULL, err);
}
static rheo_status conv2d_dx_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = transposed(describe_dx(n));
    return rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), NULL, err);
}
static rheo_status conv2d_dw_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = describe_dw(n);
    return rheo_conv_dw_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
}

static size_t conv2d_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_conv_workspace(&c, dev);
}
static size_t conv2d_dx_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = transposed(describe_dx(n));
    return rheo_conv_workspace(&c, dev);
}
static size_t conv2d_dw_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe_dw(n);
    return rheo_conv_dw_workspace(&c, dev);
}

static rheo_cost conv2d_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}
static rheo_cost conv2d_dx_cost(const rheo_node *n)
{
    const rheo_conv c = describe_dx(n);
    return rheo_conv2d_cost(&c);
}
static rheo_cost conv2d_dw_cost(const rheo_node *n)
{
    const rheo_conv c = describe_dw(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_reference(&c, in[0], in[1], out[0]);
}
static void conv2d_dx_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe_dx(n);
    rheo_conv2d_dx_reference(&c, in[0], in[1], out[0]);
}
static void conv2d_dw_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe_dw(n);
    rheo_conv2d_dw_reference(&c, in[0], in[1], out[0]);
}

/* ---- samples: channels, positions and windows on both sides of the kernels' tiles ----------------------------- */

/*      N  H   W  I   O   kh kw pad dilation */
#define SHAPES(X)                       \
    X(1, 1, 1, 1, 1, 1, 1, 0, 1)        \
    X(3, 5, 7, 2, 33, 3, 3, 1, 1)       \
    X(2, 7, 5, 7, 5, 3, 3, 1, 1)        \
    X(1, 13, 11, 12, 12, 1, 1, 0, 1)    \
    X(2, 6, 9, 33, 65, 1, 1, 0, 1)      \
    X(1, 5, 6, 65, 31, 3, 3, 1, 1)      \
    X(3, 3, 4, 64, 4, 3, 3, 1, 1)       \
    X(1, 4, 4, 64, 7, 3, 3, 1, 1)       \
    X(2, 4, 3, 5, 64, 3, 3, 1, 1)       \
    X(1, 9, 8, 3, 12, 3, 3, 2, 2)       \
    X(2, 6, 7, 12, 3, 3, 3, 0, 1)       \
    X(1, 8, 7, 32, 2, 5, 5, 2, 1)       \
    X(1, 7, 8, 3, 6, 3, 2, 2, 1)        \
    X(1, 3, 3, 2, 3, 1, 1, 1, 1)        \
    X(1, 1, 7, 520, 33, 1, 1, 0, 1)     \
    X(1, 20, 30, 4, 5, 1, 1, 0, 1)

#define OUT(size, k, pad, dilation) ((size) + 2 * (pad) - (dilation) * ((k) - 1))
#define X_SPEC(n, h, w, i) RHEO_SPEC_F32(n, h, w, i)
#define Y_SPEC(n, h, w, o, kh, kw, pad, dilation) RHEO_SPEC_F32(n, OUT(h, kh, pad, dilation), OUT(w, kw, pad, dilation), o)

#define SAMPLE(n, h, w, i, o, kh, kw, pad, dilation)                                          \
    { .n_in = 2, .in = { X_SPEC(n, h, w, i), RHEO_SPEC_F32(kh, kw, i, o) },                   \
      .attr = &(const rheo_conv2d_attr){ pad, dilation }, .attr_bytes = sizeof(rheo_conv2d_attr) },
#define DX_SAMPLE(n, h, w, i, o, kh, kw, pad, dilation)                                                          \
    { .n_in = 2, .in = { Y_SPEC(n, h, w, o, kh, kw, pad, dilation), RHEO_SPEC_F32(kh, kw, i, o) },               \
      .attr = &(const dx_attr){ { pad, dilation }, h, w }, .attr_bytes = sizeof(dx_attr) },
#define DW_SAMPLE(n, h, w, i, o, kh, kw, pad, dilation)                                                \
    { .n_in = 2, .in = { X_SPEC(n, h, w, i), Y_SPEC(n, h, w, o, kh, kw, pad, dilation) },              \
      .attr = &(const dw_attr){ { pad, dilation }, kh, kw }, .attr_bytes = sizeof(dw_attr) },

static const rheo_op_sample samples[] = { SHAPES(SAMPLE) };
static const rheo_op_sample dx_samples[] = { SHAPES(DX_SAMPLE) };
static const rheo_op_sample dw_samples[] = { SHAPES(DW_SAMPLE) };

/* 16: each of K additions rounds a partial sum of size about sqrt(k) by half an ulp at most, together 0.2 K eps in the
 * root mean square, five times that in the worst of many; results themselves reach 4 sqrt(K), so K eps is
 * sqrt(K) / 4 eps of them, and K is at most 4096 here. */
enum { TOLERANCE = 16 };

const rheo_op rheo_op_conv2d = {
    .name = "conv2d", .infer = conv2d_infer, .gradient = conv2d_gradient, .launch = conv2d_launch, .workspace = conv2d_workspace,
    .cost = conv2d_cost, .reference = conv2d_reference, RHEO_SAMPLES(samples), .tolerance = TOLERANCE,
};
const rheo_op rheo_op_conv2d_dx = {
    .name = "conv2d_dx", .infer = conv2d_dx_infer, .gradient = conv2d_dx_gradient, .launch = conv2d_dx_launch,
    .workspace = conv2d_dx_workspace, .cost = conv2d_dx_cost, .reference = conv2d_dx_reference, RHEO_SAMPLES(dx_samples),
    .tolerance = TOLERANCE,
};
const rheo_op rheo_op_conv2d_dw = {
    .name = "conv2d_dw", .infer = conv2d_dw_infer, .gradient = conv2d_dw_gradient, .launch = conv2d_dw_launch,
    .workspace = conv2d_dw_workspace, .cost = conv2d_dw_cost, .reference = conv2d_dw_reference, RHEO_SAMPLES(dw_samples),
    .tolerance = TOLERANCE,
};

rheo_value rheo_conv2d(rheo_graph *g, rheo_value x, rheo_value w, int pad, int dilation)
{
    const rheo_conv2d_attr attr = { pad, dilation };
    return rheo_apply(g, &rheo_op_conv2d, 2, (const rheo_value[]){ x, w }, &attr, sizeof attr);
}
rheo_value rheo_conv2d_dx(rheo_graph *g, rheo_value dy, rheo_value w, rheo_shape x, int pad, int dilation)
{
    const dx_attr attr = { { pad, dilation }, (int32_t)x.h, (int32_t)x.w };
    return rheo_apply(g, &rheo_op_conv2d_dx, 2, (const rheo_value[]){ dy, w }, &attr, sizeof attr);
}
rheo_value rheo_conv2d_dw(rheo_graph *g, rheo_value x, rheo_value dy, rheo_shape w, int pad, int dilation)
{
    const dw_attr attr = { { pad, dilation }, (int32_t)w.n, (int32_t)w.h };
    return rheo_apply(g, &rheo_op_conv2d_dw, 2, (const rheo_value[]){ x, dy }, &attr, sizeof attr);
}
