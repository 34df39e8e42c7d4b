/* conv2d's gradient with respect to x (equation in conv2d.c): a convolution of dy with the window turned round. */
#include "op/conv2d.h"
#include "op/conv2d_samples.h"
#include "op/ops.h"

/* H and W are x's, which dy does not tell where pad is wider than the window. */
typedef struct dx_attr {
    rheo_conv2d_attr conv;
    int32_t h, w;
} dx_attr;

static bool conv2d_dx_infer(rheo_graph *g, rheo_node *n)
{
    const dx_attr *a = n->attr;
    const rheo_shape dy = n->in_spec[0].shape, w = n->in_spec[1].shape, x = RHEO_SHAPE(dy.n, a->h, a->w, w.w);
    n->n_out = 1;
    n->out[0] = (rheo_spec){ x, RHEO_F32 };
    return rheo_conv2d_floats(g, n) && rheo_conv2d_check_dy(g, "conv2d_dx", x, w, dy, a->conv);
}

/* Inputs dy, w; what arrives has x's shape. */
static void conv2d_dx_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr a = ((const dx_attr *)n->attr)->conv;
    dx[0] = rheo_conv2d(g, dy[0], n->in[1], a.pad, a.dilation);
    dx[1] = rheo_conv2d_dw(g, dy[0], n->in[0], n->in_spec[1].shape, a.pad, a.dilation);
}

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, ((const dx_attr *)n->attr)->conv);
}

/* As a convolution of dy: taps in reverse order, channels exchanged. */
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

static rheo_status conv2d_dx_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = transposed(describe(n));
    return rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), NULL, err);
}

static size_t conv2d_dx_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = transposed(describe(n));
    return rheo_conv_workspace(&c, dev);
}

static rheo_cost conv2d_dx_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_dx_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_dx_reference(&c, in[0], in[1], out[0]);
}

#define SAMPLE(n, h, w, i, o, kh, kw, pad, dilation)                                                                                       \
    { .n_in = 2,                                                                                                                           \
      .in = { CONV2D_Y(n, h, w, o, kh, kw, pad, dilation), RHEO_SPEC_F32(kh, kw, i, o) },                                                  \
      .attr = &(const dx_attr){ { pad, dilation }, h, w },                                                                                 \
      .attr_bytes = sizeof(dx_attr) },
static const rheo_op_sample samples[] = { CONV2D_SHAPES(SAMPLE) };

const rheo_op rheo_op_conv2d_dx = {
    .name = "conv2d_dx",
    .infer = conv2d_dx_infer,
    .gradient = conv2d_dx_gradient,
    .launch = conv2d_dx_launch,
    .workspace = conv2d_dx_workspace,
    .cost = conv2d_dx_cost,
    .reference = conv2d_dx_reference,
    RHEO_SAMPLES(samples),
    .tolerance = CONV2D_TOLERANCE,
};

rheo_value rheo_conv2d_dx(rheo_graph *g, rheo_value dy, rheo_value w, rheo_shape x, int pad, int dilation)
{
    const dx_attr attr = { { pad, dilation }, (int32_t)x.h, (int32_t)x.w };
    return rheo_apply(g, &rheo_op_conv2d_dx, 2, (const rheo_value[]){ dy, w }, &attr, sizeof attr);
}
