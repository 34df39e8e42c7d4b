/* conv2d_dx and the gradient of y = act((z + b) exp(factor l)), through which it passes on, at once: outputs dz, db and dl of
 * affine_act_backward(conv2d_dx(dy, w), y, l). The register tile's store reads y and adds up db and dl; where another kernel computes dx,
 * one launch after the other, in place. Made by rewriting only (fuse_dx_act.c). */
#include "op/affine_backward.h"
#include "op/conv2d.h"
#include "op/conv2d_samples.h"
#include "op/product.h"

#include <stdlib.h>

typedef rheo_conv2d_act_attr dx_act_attr;

static const dx_act_attr *attr_of(const rheo_node *n)
{
    return n->attr;
}

static bool dx_act_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape dy = n->in_spec[0].shape, w = n->in_spec[1].shape, y = n->in_spec[2].shape, l = n->in_spec[3].shape;
    n->n_out = 3;
    n->out[0] = n->in_spec[2];
    n->out[1] = n->out[2] = n->in_spec[3];
    if (!rheo_conv2d_floats(g, n) || !rheo_conv2d_check_dy(g, "conv2d_dx_act", y, w, dy, attr_of(n)->conv)) return false;
    if (rheo_same_shape(l, rheo_vector(y.c)) && y.c % 16 == 0) return true;
    rheo_graph_fail(g, "conv2d_dx_act: y is " RHEO_SHAPE_TEXT ", l " RHEO_SHAPE_TEXT ", expected channels by 16 and as many",
                    RHEO_SHAPE_LIST(y), RHEO_SHAPE_LIST(l));
    return false;
}

static void dx_act_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_conv2d_attr a = attr_of(n)->conv;
    const rheo_value dx = rheo_conv2d_dx(g, n->in[0], n->in[1], n->in_spec[2].shape, a.pad, a.dilation);
    out[0] = rheo_affine_act_backward(g, dx, n->in[2], n->in[3], RHEO_NONE, attr_of(n)->act);
    for (int k = 1; k < 3; k++) out[k] = rheo_output(out[0], k);
}

static rheo_conv describe(const rheo_node *n)
{
    rheo_conv c = rheo_conv2d_transposed(rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, attr_of(n)->conv));
    c.way = rheo_product_way(n);
    return c;
}

static bool at_once(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev)
{
    return n->variant != RHEO_PRODUCT_CLBLAST && rheo_conv_has_backward(c, dev);
}

static bool dx_act_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_offers(&c, variant, dev);
}

static size_t dx_act_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    const size_t product = rheo_product_workspace(n, &c, dev);
    const size_t sums = at_once(n, &c, dev) ? (size_t)(rheo_conv_backward_blocks(&c, dev) * 2 * c.o)
                                            : rheo_affine_backward_workspace(n->out[0].shape, dev);
    return product > sums ? product : sums;
}

static rheo_status dx_act_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_conv c = describe(n);
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const rheo_shape s = n->out[0].shape;
    const rheo_affine_attr act = attr_of(n)->act;
    const rheo_affine_backward_args a = { rheo_out(l, 0), rheo_in(l, 2),  rheo_in(l, 3), NULL,
                                          rheo_out(l, 0), rheo_out(l, 1), rheo_out(l, 2), act };
    if (at_once(n, &c, dev)) {
        const rheo_epilogue e = { .b = a.l, .l = a.l, .act = act.relu, .factor = act.factor, .backward = a.y };
        const rheo_status st = rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), &e, err);
        return st ? st : rheo_affine_backward_sums(l, s, rheo_conv_backward_blocks(&c, dev), &a, err);
    }
    const rheo_status st = rheo_product_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), err);
    return st ? st : rheo_affine_backward_launch(l, s, &a, err);
}

static rheo_cost dx_act_cost(const rheo_node *n)
{
    const rheo_conv c = rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, attr_of(n)->conv);
    return rheo_conv2d_cost(&c);
}

static void dx_act_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = rheo_conv2d_describe(n->out[0].shape, n->in_spec[1].shape, attr_of(n)->conv);
    const double *const then[] = { out[0], in[2], in[3] };
    rheo_conv2d_dx_reference(&c, in[0], in[1], NULL, out[0]);
    rheo_affine_backward_reference(n->out[0].shape, attr_of(n)->act, then, out);
}

#define SAMPLE(n, h, w, i, o, k, pad, dilation, relu)                                                                                      \
    {                                                                                                                                      \
        .n_in = 4,                                                                                                                         \
        .in = { CONV2D_Y(n, h, w, o, k, k, pad, dilation), RHEO_SPEC_F32(k, k, i, o), CONV2D_X(n, h, w, i), RHEO_SPEC_F32(1, 1, 1, i) },   \
        .fill = { [3] = { .scale = 0.1 } }, .attr = &(const dx_act_attr){ { pad, dilation, 0 }, { relu, 1 + 2 * relu } },                  \
        .attr_bytes = sizeof(dx_act_attr)                                                                                                  \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(3, 5, 7, 32, 4, 3, 1, 1, 1),  SAMPLE(2, 7, 5, 48, 33, 1, 0, 1, 0),  SAMPLE(1, 9, 9, 16, 3, 3, 2, 2, 1), SAMPLE(2, 3, 5, 128, 300, 1, 0, 1, 1),
    SAMPLE(2, 9, 8, 64, 65, 3, 1, 1, 1), SAMPLE(2, 8, 8, 64, 64, 3, 1, 1, 1), SAMPLE(1, 21, 30, 80, 6, 3, 1, 1, 1),
    SAMPLE(2, 19, 18, 48, 32, 3, 1, 1, 1),
};

/* 160: affine_act_backward's 133 and, of numbers that are sums themselves, the convolution's 24. */
const rheo_op rheo_op_conv2d_dx_act = {
    .name = "conv2d_dx_act",
    .infer = dx_act_infer,
    .expand = dx_act_expand,
    .variants = rheo_product_variants,
    .looseness = rheo_product_looseness,
    .offers = dx_act_offers,
    .launch = dx_act_launch,
    .workspace = dx_act_workspace,
    .cost = dx_act_cost,
    .reference = dx_act_reference,
    RHEO_SAMPLES(samples),
    .tolerance = 160,
};

rheo_value rheo_conv2d_dx_act(rheo_graph *g, rheo_value dy, rheo_value w, rheo_value y, rheo_value l, rheo_conv2d_attr conv,
                              rheo_affine_attr act)
{
    const dx_act_attr attr = { conv, act };
    return rheo_apply(g, &rheo_op_conv2d_dx_act, 4, (const rheo_value[]){ dy, w, y, l }, &attr, sizeof attr);
}
