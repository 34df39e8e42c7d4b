/* y = conv2d_act(h, w2, b2, l2) of no window, h = conv2d_act(x, w, b, l): a hidden layer between few channels and many, and the next one,
 * without h in memory. Rewriting makes it where only the forward pass is wanted. */
#include "op/conv2d.h"

#include <stdlib.h>

#include "op/common.h"

enum { X, W, B, L, W2, B2, L2, INPUTS };
typedef struct pair_attr { rheo_conv2d_act_attr first, second; } pair_attr;

static rheo_conv first_of(const rheo_node *n)
{
    return rheo_conv2d_describe(n->in_spec[X].shape, n->in_spec[W].shape, ((const pair_attr *)n->attr)->first.conv);
}

static rheo_shape hidden_of(const rheo_node *n)
{
    const rheo_conv c = first_of(n);
    return RHEO_SHAPE(c.n, c.oh, c.ow, c.o);
}

static rheo_conv second_of(const rheo_node *n)
{
    return rheo_conv2d_describe(hidden_of(n), n->in_spec[W2].shape, ((const pair_attr *)n->attr)->second.conv);
}

static bool pair_infer(rheo_graph *g, rheo_node *n)
{
    const pair_attr *a = n->attr;
    rheo_shape h;
    n->n_out = 1;
    n->out[0].type = RHEO_F32;
    for (int i = 0; i < INPUTS; i++)
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
    if (!rheo_conv2d_shape(g, "conv2d_pair", n->in_spec[X].shape, n->in_spec[W].shape, a->first.conv, &h)) return false;
    if (!rheo_conv2d_shape(g, "conv2d_pair", h, n->in_spec[W2].shape, a->second.conv, &n->out[0].shape)) return false;
    if (!rheo_conv2d_check_act(g, n, B, h.c) || !rheo_conv2d_check_act(g, n, B2, n->out[0].shape.c)) return false;
    const rheo_conv first = first_of(n), second = second_of(n);
    if (rheo_conv_pair_fits(&first, &second)) return true;
    rheo_graph_fail(g, "conv2d_pair: weights " RHEO_SHAPE_TEXT " and " RHEO_SHAPE_TEXT " do not fit it", RHEO_SHAPE_LIST(n->in_spec[W].shape),
                    RHEO_SHAPE_LIST(n->in_spec[W2].shape));
    return false;
}

static void pair_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const pair_attr *a = n->attr;
    const rheo_value h = rheo_conv2d_act(g, n->in[X], n->in[W], n->in[B], n->in[L], a->first.conv, a->first.act);
    out[0] = rheo_conv2d_act(g, h, n->in[W2], n->in[B2], n->in[L2], a->second.conv, a->second.act);
}

static rheo_status pair_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const pair_attr *a = n->attr;
    const rheo_conv first = first_of(n), second = second_of(n);
    const rheo_epilogue e = { rheo_in(l, B), rheo_in(l, L), a->first.act.relu ? 1 : 0, a->first.act.factor, NULL, NULL };
    const rheo_epilogue e2 = { rheo_in(l, B2), rheo_in(l, L2), a->second.act.relu ? 1 : 0, a->second.act.factor, NULL, NULL };
    return rheo_conv_launch_pair(l, &first, &second, rheo_in(l, X), rheo_in(l, W), &e, rheo_in(l, W2), &e2, rheo_out(l, 0), err);
}

static size_t pair_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    const rheo_conv first = first_of(n);
    return rheo_conv_pair_workspace(&first, dev);
}

static rheo_cost pair_cost(const rheo_node *n)
{
    const rheo_conv first = first_of(n), second = second_of(n);
    const rheo_cost a = rheo_conv2d_cost(&first), b = rheo_conv2d_cost(&second);
    return (rheo_cost){ a.flops + b.flops, a.bytes + b.bytes - 8 * (double)rheo_count(hidden_of(n)) };
}

static void pair_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const pair_attr *a = n->attr;
    const rheo_conv first = first_of(n), second = second_of(n);
    double *h = calloc((size_t)rheo_count(hidden_of(n)), sizeof *h);
    if (!h) return;
    rheo_conv2d_reference(&first, in[X], in[W], h);
    rheo_affine_act_on(a->first.act, hidden_of(n), in[B], in[L], h);
    rheo_conv2d_reference(&second, h, in[W2], out[0]);
    rheo_affine_act_on(a->second.act, n->out[0].shape, in[B2], in[L2], out[0]);
    free(h);
}

#define SAMPLE(n, h, w, c, i, m, o, k, pad, dilation, relu, relu2)                                                                         \
    {                                                                                                                                      \
        .n_in = INPUTS, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(k, k, i, m), RHEO_SPEC_F32(1, 1, 1, m), RHEO_SPEC_F32(1, 1, 1, m),\
                                RHEO_SPEC_F32(1, 1, m, o), RHEO_SPEC_F32(1, 1, 1, o), RHEO_SPEC_F32(1, 1, 1, o) },                         \
        .fill = { [L] = { .scale = 0.1 }, [W2] = { .scale = 0.2 }, [L2] = { .scale = 0.1 } },                                              \
        .attr = &(const pair_attr){ { { pad, dilation, (c) == (i) ? 0 : (i) }, { relu, 1 + relu } }, { { 0, 1, 0 }, { relu2, 1 } } },      \
        .attr_bytes = sizeof(pair_attr)                                                                                                    \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1),      SAMPLE(2, 5, 7, 4, 2, 33, 65, 3, 1, 1, 1, 0),
    SAMPLE(1, 6, 5, 12, 12, 64, 64, 3, 1, 1, 0, 1),  SAMPLE(2, 9, 9, 3, 3, 31, 40, 3, 2, 2, 1, 0),
    SAMPLE(3, 7, 11, 12, 6, 40, 33, 1, 0, 1, 1, 0),  SAMPLE(2, 4, 4, 16, 8, 128, 128, 3, 1, 1, 1, 0),
    SAMPLE(2, 19, 18, 8, 4, 64, 70, 3, 1, 1, 0, 0), /* several groups; none of so many differences at a kink of relu */
};

/* 48: conv2d_act's 24 of each, what the first has wrong being of the size of h and summed with signs of chance, as h is. */
const rheo_op rheo_op_conv2d_pair = {
    .name = "conv2d_pair",
    .infer = pair_infer,
    .expand = pair_expand,
    .launch = pair_launch,
    .workspace = pair_workspace,
    .cost = pair_cost,
    .reference = pair_reference,
    RHEO_SAMPLES(samples),
    .tolerance = 48,
};

rheo_value rheo_conv2d_pair(rheo_graph *g, const rheo_value in[7], rheo_conv2d_act_attr first, rheo_conv2d_act_attr second)
{
    const pair_attr both = { first, second };
    return rheo_apply(g, &rheo_op_conv2d_pair, INPUTS, in, &both, sizeof both);
}
