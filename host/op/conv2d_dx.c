/* conv2d's gradient with respect to x (equation in conv2d.c): a convolution of dy with the window turned round.
 * With a third input, add, it is the sum of that and dx; add may have more channels, dx being added to its first ones:
 * what remains of the gradient of a slice of x. */
#include "op/conv2d.h"
#include "op/conv2d_samples.h"
#include "op/ops.h"
#include "op/product.h"

/* H and W are x's, which dy does not tell where pad is wider than the window. */
typedef struct dx_attr {
    rheo_conv2d_attr conv;
    int32_t h, w;
} dx_attr;

static bool adds(const rheo_node *n)
{
    return n->n_in == 3;
}

static bool conv2d_dx_infer(rheo_graph *g, rheo_node *n)
{
    const dx_attr *a = n->attr;
    const rheo_shape dy = n->in_spec[0].shape, w = n->in_spec[1].shape;
    const rheo_shape x = RHEO_SHAPE(dy.n, a->h, a->w, adds(n) ? n->in_spec[2].shape.c : w.w);
    n->n_out = 1;
    n->out[0] = (rheo_spec){ x, RHEO_F32 };
    if (!rheo_conv2d_floats(g, n) || !rheo_conv2d_check_dy(g, "conv2d_dx", x, w, dy, a->conv)) return false;
    if (!adds(n)) return true;
    if (!rheo_check_type(g, n, 2, RHEO_F32)) return false;
    if (rheo_same_shape(n->in_spec[2].shape, x)) return true;
    rheo_graph_fail(g, "conv2d_dx: add is " RHEO_SHAPE_TEXT ", expected " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(n->in_spec[2].shape),
                    RHEO_SHAPE_LIST(x));
    return false;
}

/* Inputs dy, w and perhaps add; what arrives has x's shape. */
static void conv2d_dx_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr a = ((const dx_attr *)n->attr)->conv;
    const rheo_value x = rheo_conv2d_taken(g, dy[0], a);
    dx[0] = rheo_conv2d(g, x, n->in[1], a.pad, a.dilation);
    dx[1] = rheo_conv2d_dw(g, x, n->in[0], n->in_spec[1].shape, a.pad, a.dilation);
    if (adds(n)) dx[2] = dy[0];
}

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, ((const dx_attr *)n->attr)->conv);
}

rheo_conv rheo_conv2d_transposed(rheo_conv c)
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

static bool conv2d_dx_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = rheo_conv2d_transposed(describe(n));
    return (variant != RHEO_PRODUCT_CLBLAST || !adds(n)) && rheo_product_offers(&c, variant, dev);
}

static rheo_status conv2d_dx_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_conv c = rheo_conv2d_transposed(describe(n));
    if (!adds(n)) return rheo_product_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
    c.way = rheo_product_way(n);
    const rheo_epilogue sum = { rheo_in(l, 1), rheo_in(l, 1), -1, 0, rheo_in(l, 2), NULL };
    return rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), &sum, err);
}

static size_t conv2d_dx_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = rheo_conv2d_transposed(describe(n));
    return rheo_product_workspace(n, &c, dev);
}

static rheo_cost conv2d_dx_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_dx_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_dx_reference(&c, in[0], in[1], adds(n) ? in[2] : NULL, out[0]);
}

#define FORM(inputs, n, h, w, c, i, o, kh, kw, pad, dilation)                                                                              \
    { .n_in = inputs,                                                                                                                      \
      .in = { CONV2D_Y(n, h, w, o, kh, kw, pad, dilation), RHEO_SPEC_F32(kh, kw, i, o), CONV2D_X(n, h, w, c) },                            \
      .attr = &(const dx_attr){ { pad, dilation, CONV2D_PREFIX(c, i) }, h, w },                                                            \
      .attr_bytes = sizeof(dx_attr) },
#define SAMPLE(n, h, w, c, i, o, kh, kw, pad, dilation) FORM((c) == (i) ? 2 : 3, n, h, w, c, i, o, kh, kw, pad, dilation)
static const rheo_op_sample samples[] = { CONV2D_SHAPES(SAMPLE) /* and sums in all channels */
                                          FORM(3, 2, 5, 7, 6, 6, 33, 3, 3, 1, 1) FORM(3, 1, 6, 5, 33, 33, 64, 1, 1, 0, 1)
                                              FORM(3, 2, 4, 4, 12, 12, 9, 1, 1, 0, 1) FORM(3, 2, 19, 18, 36, 36, 32, 3, 3, 1, 1) };

const rheo_op rheo_op_conv2d_dx = {
    .name = "conv2d_dx",
    .infer = conv2d_dx_infer,
    .gradient = conv2d_dx_gradient,
    .variants = rheo_product_variants,
    .looseness = rheo_product_looseness,
    .offers = conv2d_dx_offers,
    .launch = conv2d_dx_launch,
    .workspace = conv2d_dx_workspace,
    .cost = conv2d_dx_cost,
    .reference = conv2d_dx_reference,
    RHEO_SAMPLES(samples),
    .tolerance = CONV2D_TOLERANCE,
};

rheo_value rheo_conv2d_dx(rheo_graph *g, rheo_value dy, rheo_value w, rheo_shape x, int pad, int dilation)
{
    const dx_attr attr = { { pad, dilation, 0 }, (int32_t)x.h, (int32_t)x.w };
    return rheo_apply(g, &rheo_op_conv2d_dx, 2, (const rheo_value[]){ dy, w }, &attr, sizeof attr);
}

rheo_value rheo_conv2d_dx_add(rheo_graph *g, rheo_value dy, rheo_value w, rheo_value add, int pad, int dilation)
{
    const rheo_shape x = rheo_shape_of(g, add);
    const int64_t channels = rheo_shape_of(g, w).w;
    const dx_attr attr = { { pad, dilation, channels == x.c ? 0 : (int32_t)channels }, (int32_t)x.h, (int32_t)x.w };
    return rheo_apply(g, &rheo_op_conv2d_dx, 3, (const rheo_value[]){ dy, w, add }, &attr, sizeof attr);
}
