/* conv2d's gradient with respect to the weights (equation in conv2d.c). */
#include "op/conv2d.h"
#include "op/conv2d_samples.h"
#include "op/ops.h"
#include "op/product.h"

typedef struct dw_attr {
    rheo_conv2d_attr conv;
    int32_t kh, kw;
} dw_attr;

static bool conv2d_dw_infer(rheo_graph *g, rheo_node *n)
{
    const dw_attr *a = n->attr;
    const rheo_shape x = n->in_spec[0].shape, dy = n->in_spec[1].shape,
                     w = RHEO_SHAPE(a->kh, a->kw, a->conv.prefix ? a->conv.prefix : x.c, dy.c);
    n->n_out = 1;
    n->out[0] = (rheo_spec){ w, RHEO_F32 };
    return rheo_conv2d_floats(g, n) && rheo_conv2d_check_dy(g, "conv2d_dw", x, w, dy, a->conv);
}

/* Inputs x, dy; what arrives has w's shape. */
static void conv2d_dw_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_conv2d_attr a = ((const dw_attr *)n->attr)->conv;
    const rheo_value x = rheo_conv2d_taken(g, n->in[0], a);
    const rheo_value back = rheo_conv2d_dx(g, n->in[1], dy[0], rheo_shape_of(g, x), a.pad, a.dilation);
    dx[0] = rheo_pad(g, back, RHEO_SHAPE(0, 0, 0, 0), n->in_spec[0].shape);
    dx[1] = rheo_conv2d(g, x, dy[0], a.pad, a.dilation);
}

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[0].shape, n->out[0].shape, ((const dw_attr *)n->attr)->conv);
}

static bool conv2d_dw_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_dw_offers(&c, variant, dev);
}

static rheo_status conv2d_dw_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = describe(n);
    return rheo_product_dw_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
}

static size_t conv2d_dw_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_dw_workspace(n, &c, dev);
}

static rheo_cost conv2d_dw_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_dw_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_dw_reference(&c, in[0], in[1], out[0]);
}

#define SAMPLE(n, h, w, c, i, o, kh, kw, pad, dilation)                                                                                    \
    { .n_in = 2,                                                                                                                           \
      .in = { CONV2D_X(n, h, w, c), CONV2D_Y(n, h, w, o, kh, kw, pad, dilation) },                                                         \
      .attr = &(const dw_attr){ { pad, dilation, CONV2D_PREFIX(c, i) }, kh, kw },                                                          \
      .attr_bytes = sizeof(dw_attr) },
static const rheo_op_sample samples[] = { CONV2D_SHAPES(SAMPLE) };

const rheo_op rheo_op_conv2d_dw = {
    .name = "conv2d_dw",
    .infer = conv2d_dw_infer,
    .gradient = conv2d_dw_gradient,
    .variants = rheo_product_variants,
    .looseness = rheo_product_looseness,
    .offers = conv2d_dw_offers,
    .launch = conv2d_dw_launch,
    .workspace = conv2d_dw_workspace,
    .cost = conv2d_dw_cost,
    .reference = conv2d_dw_reference,
    RHEO_SAMPLES(samples),
    .tolerance = CONV2D_TOLERANCE,
};

rheo_value rheo_conv2d_dw(rheo_graph *g, rheo_value x, rheo_value dy, rheo_shape w, int pad, int dilation)
{
    const dw_attr attr = { { pad, dilation, 0 }, (int32_t)w.n, (int32_t)w.h };
    return rheo_apply(g, &rheo_op_conv2d_dw, 2, (const rheo_value[]){ x, dy }, &attr, sizeof attr);
}
