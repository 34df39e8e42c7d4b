/* y = act((conv2d(x, w) + b) exp(factor l)), b and l one number an output channel: a convolution whose store does what
 * affine_act would (flows 1.5). Rewriting makes it, after gradients are taken. */
#include "op/conv2d.h"

#include "op/common.h"
#include "op/ops.h"
#include "op/product.h"

typedef rheo_conv2d_act_attr act_attr;

bool rheo_conv2d_check_act(rheo_graph *g, const rheo_node *n, int b, int64_t channels)
{
    for (int i = b; i < b + 2; i++) {
        if (rheo_same_shape(n->in_spec[i].shape, rheo_vector(channels))) continue;
        rheo_graph_fail(g, "%s: %s is " RHEO_SHAPE_TEXT ", expected one number for each of %lld channels", n->op->name, i == b ? "b" : "l",
                        RHEO_SHAPE_LIST(n->in_spec[i].shape), (long long)channels);
        return false;
    }
    return true;
}

static bool conv2d_act_infer(rheo_graph *g, rheo_node *n)
{
    const act_attr *a = n->attr;
    const rheo_shape w = n->in_spec[1].shape;
    n->n_out = 1;
    n->out[0].type = RHEO_F32;
    for (int i = 0; i < n->n_in; i++)
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
    return rheo_conv2d_check_act(g, n, 2, w.c) && rheo_conv2d_shape(g, "conv2d_act", n->in_spec[0].shape, w, a->conv, &n->out[0].shape);
}

static void conv2d_act_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const act_attr *a = n->attr;
    const rheo_value y = rheo_conv2d(g, rheo_conv2d_taken(g, n->in[0], a->conv), n->in[1], a->conv.pad, a->conv.dilation);
    out[0] = rheo_affine_act(g, y, n->in[2], n->in[3], RHEO_NONE, a->act);
}

static rheo_conv describe(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[0].shape, n->in_spec[1].shape, ((const act_attr *)n->attr)->conv);
}

static bool conv2d_act_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return rheo_product_offers(&c, variant, dev);
}

static rheo_status conv2d_act_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_conv c = describe(n);
    const rheo_affine_attr act = ((const act_attr *)n->attr)->act;
    if (n->variant == RHEO_PRODUCT_CLBLAST) {       /* the product alone, then the rest */
        const rheo_status st = rheo_product_launch(l, n, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_work(l), err);
        return st ? st : rheo_affine_act_launch(l, n->out[0].shape, act, rheo_work(l), rheo_in(l, 2), rheo_in(l, 3), rheo_out(l, 0), err);
    }
    c.way = rheo_product_way(n);
    const rheo_epilogue e = { rheo_in(l, 2), rheo_in(l, 3), act.relu ? 1 : 0, act.factor, NULL, NULL };
    return rheo_conv_launch(l, &c, rheo_in(l, 0), rheo_in(l, 1), rheo_out(l, 0), &e, err);
}

static size_t conv2d_act_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv c = describe(n);
    return n->variant == RHEO_PRODUCT_CLBLAST ? (size_t)rheo_count(n->out[0].shape) : rheo_product_workspace(n, &c, dev);
}

static rheo_cost conv2d_act_cost(const rheo_node *n)
{
    const rheo_conv c = describe(n);
    return rheo_conv2d_cost(&c);
}

static void conv2d_act_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_conv c = describe(n);
    rheo_conv2d_reference(&c, in[0], in[1], out[0]);
    rheo_affine_act_on(((const act_attr *)n->attr)->act, n->out[0].shape, in[2], in[3], out[0]);
}

#define SAMPLE(n, h, w, c, i, o, k, pad, dilation, act)                                                                                    \
    {                                                                                                                                      \
        .n_in = 4, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(k, k, i, o), RHEO_SPEC_F32(1, 1, 1, o), RHEO_SPEC_F32(1, 1, 1, o) },   \
        .fill = { [3] = { .scale = 0.1 } }, .attr = &(const act_attr){ { pad, dilation, (c) == (i) ? 0 : (i) }, { act, 1 + 2 * act } },    \
        .attr_bytes = sizeof(act_attr)                                                                                                     \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(1, 1, 1, 1, 1, 1, 1, 0, 1, 0),     SAMPLE(2, 5, 7, 2, 2, 33, 3, 1, 1, 1),   SAMPLE(1, 6, 5, 64, 64, 6, 3, 1, 1, 0),
    SAMPLE(1, 6, 5, 64, 64, 12, 3, 1, 1, 1),  SAMPLE(2, 3, 5, 33, 33, 64, 1, 0, 1, 1), SAMPLE(1, 9, 9, 3, 3, 31, 3, 2, 2, 0),
    SAMPLE(1, 7, 11, 12, 12, 65, 1, 0, 1, 0), SAMPLE(2, 5, 7, 12, 6, 33, 3, 1, 1, 1),  SAMPLE(1, 6, 5, 72, 64, 6, 3, 1, 1, 0),
    SAMPLE(2, 6, 9, 33, 16, 12, 1, 0, 1, 1), SAMPLE(1, 5, 4, 64, 64, 40, 3, 1, 1, 1),
    SAMPLE(2, 19, 18, 64, 64, 10, 3, 1, 1, 1), SAMPLE(2, 19, 18, 14, 7, 32, 3, 1, 1, 1), SAMPLE(2, 19, 18, 64, 64, 12, 3, 1, 1, 0),
    SAMPLE(2, 19, 18, 32, 32, 52, 3, 1, 1, 0),
};

/* 24: the convolution's 16, magnified where exp(factor l) is large beside the rest, and 3 ulp of exp. */
const rheo_op rheo_op_conv2d_act = {
    .name = "conv2d_act",
    .infer = conv2d_act_infer,
    .expand = conv2d_act_expand,
    .variants = rheo_product_variants,
    .looseness = rheo_product_looseness,
    .offers = conv2d_act_offers,
    .launch = conv2d_act_launch,
    .workspace = conv2d_act_workspace,
    .cost = conv2d_act_cost,
    .reference = conv2d_act_reference,
    RHEO_SAMPLES(samples),
    .tolerance = 24,
};

rheo_value rheo_conv2d_act(rheo_graph *g, rheo_value x, rheo_value w, rheo_value b, rheo_value l, rheo_conv2d_attr conv,
                           rheo_affine_attr act)
{
    const act_attr both = { conv, act };
    return rheo_apply(g, &rheo_op_conv2d_act, 4, (const rheo_value[]){ x, w, b, l }, &both, sizeof both);
}
