/* y = conv2d_act(conv2d_act(conv2d_act(x, ..), ..), ..), from few channels to many, between many without a window, and to few, as the network
 * of a coupling is (flows 1.5), with nothing of what is between them read from memory; written only where it is kept, as outputs 1 and 2, for a
 * gradient. Made by rewriting only (fuse_conv_stack.c). */
#include "op/conv2d.h"

#include <stdlib.h>

#include "op/common.h"

enum { X, W, B, L, LAYERS = 3, A_LAYER = 3, INPUTS = 1 + LAYERS * A_LAYER };     /* x, then w, b, l of each */
typedef struct stack_attr {
    rheo_conv2d_act_attr layer[LAYERS];
    int32_t keep;
} stack_attr;

static int input(int layer, int which) { return layer * A_LAYER + which; }

static bool keeps(const rheo_node *n) { return ((const stack_attr *)n->attr)->keep; }
static rheo_affine_attr act_of(const rheo_node *n, int layer) { return ((const stack_attr *)n->attr)->layer[layer].act; }

/* What layer k makes of x's shape. */
static bool shape_after(rheo_graph *g, const rheo_node *n, int layer, rheo_shape x, rheo_shape *y)
{
    const stack_attr *a = n->attr;
    return rheo_conv2d_shape(g, "conv2d_stack", x, n->in_spec[input(layer, W)].shape, a->layer[layer].conv, y);
}

static rheo_shape output_of(const rheo_conv *c) { return RHEO_SHAPE(c->n, c->oh, c->ow, c->o); }

static void describe(const rheo_node *n, rheo_conv layer[LAYERS])
{
    rheo_shape x = n->in_spec[X].shape;
    for (int k = 0; k < LAYERS; x = output_of(&layer[k]), k++)
        layer[k] = rheo_conv2d_describe(x, n->in_spec[input(k, W)].shape, ((const stack_attr *)n->attr)->layer[k].conv);
}

static bool stack_infer(rheo_graph *g, rheo_node *n)
{
    rheo_shape x = n->in_spec[X].shape;
    n->n_out = keeps(n) ? LAYERS : 1;
    for (int i = 0; i < INPUTS; i++)
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
    for (int k = 0; k < LAYERS; k++) {
        if (!shape_after(g, n, k, x, &x) || !rheo_conv2d_check_act(g, n, input(k, B), x.c)) return false;
        if (k == LAYERS - 1) n->out[0] = (rheo_spec){ x, RHEO_F32 };
        else if (keeps(n)) n->out[1 + k] = (rheo_spec){ x, RHEO_F32 };
    }
    rheo_conv layer[LAYERS];
    describe(n, layer);
    if (rheo_conv_stack_fits(layer)) return true;
    rheo_graph_fail(g, "conv2d_stack: weights " RHEO_SHAPE_TEXT ", " RHEO_SHAPE_TEXT " and " RHEO_SHAPE_TEXT " do not fit it",
                    RHEO_SHAPE_LIST(n->in_spec[input(0, W)].shape), RHEO_SHAPE_LIST(n->in_spec[input(1, W)].shape),
                    RHEO_SHAPE_LIST(n->in_spec[input(2, W)].shape));
    return false;
}

static void stack_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const stack_attr *a = n->attr;
    out[0] = n->in[X];
    for (int k = 0; k < LAYERS; k++) {
        out[0] = rheo_conv2d_act(g, out[0], n->in[input(k, W)], n->in[input(k, B)], n->in[input(k, L)], a->layer[k].conv, a->layer[k].act);
        if (keeps(n) && k < LAYERS - 1) out[1 + k] = out[0];
    }
}

static rheo_status stack_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    rheo_conv layer[LAYERS];
    rheo_epilogue e[LAYERS];
    cl_mem w[LAYERS];
    describe(n, layer);
    for (int k = 0; k < LAYERS; k++) {
        const rheo_affine_attr act = act_of(n, k);
        w[k] = rheo_in(l, input(k, W));
        e[k] = (rheo_epilogue){ rheo_in(l, input(k, B)), rheo_in(l, input(k, L)), act.relu ? 1 : 0, act.factor, NULL, NULL };
    }
    const cl_mem hidden[2] = { keeps(n) ? rheo_out(l, 1) : NULL, keeps(n) ? rheo_out(l, 2) : NULL };
    return rheo_conv_launch_stack(l, layer, w, e, rheo_in(l, X), rheo_out(l, 0), hidden, err);
}

static size_t stack_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    rheo_conv layer[LAYERS];
    describe(n, layer);
    return rheo_conv_stack_workspace(layer, dev);
}

static rheo_cost stack_cost(const rheo_node *n)
{
    rheo_conv layer[LAYERS];
    rheo_cost sum = { 0, 0 };
    describe(n, layer);
    for (int k = 0; k < LAYERS; k++) {
        const rheo_cost c = rheo_conv2d_cost(&layer[k]);
        sum.flops += c.flops;
        sum.bytes += c.bytes - (k > 0 ? (keeps(n) ? 4 : 8) * (double)rheo_count(output_of(&layer[k - 1])) : 0);
    }
    return sum;
}

static void stack_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    rheo_conv layer[LAYERS];
    double *made[LAYERS] = { NULL };
    const double *x = in[X];
    describe(n, layer);
    for (int k = 0; k < LAYERS; x = made[k++]) {
        const rheo_shape y = output_of(&layer[k]);
        made[k] = k == LAYERS - 1 ? out[0] : keeps(n) ? out[1 + k] : calloc((size_t)rheo_count(y), sizeof *made[k]);
        if (!made[k]) break;
        rheo_conv2d_reference(&layer[k], x, in[input(k, W)], made[k]);
        rheo_affine_act_on(act_of(n, k), y, in[input(k, B)], in[input(k, L)], made[k]);
    }
    for (int k = 0; k < LAYERS - 1 && !keeps(n); k++) free(made[k]);
}

#define LAYER(k, i, o) RHEO_SPEC_F32(k, k, i, o), RHEO_SPEC_F32(1, 1, 1, o), RHEO_SPEC_F32(1, 1, 1, o)
#define FILL(layer, weights) [(layer) * A_LAYER + W] = { .scale = weights }, [(layer) * A_LAYER + L] = { .scale = 0.1 }
#define SAMPLE(n, h, w, c, i, m, m2, o, k, k3, pad, dilation, pad3, relu, relu2, relu3, keep)                                              \
    {                                                                                                                                      \
        .n_in = INPUTS, .in = { RHEO_SPEC_F32(n, h, w, c), LAYER(k, i, m), LAYER(1, m, m2), LAYER(k3, m2, o) },                            \
        .fill = { FILL(0, 1), FILL(1, 0.2), FILL(2, 0.1) },                                                                                \
        .attr = &(const stack_attr){ { { { pad, dilation, (c) == (i) ? 0 : (i) }, { relu, 1 + relu } },                                    \
                                       { { 0, 1, 0 }, { relu2, 1 } }, { { pad3, 1, 0 }, { relu3, 3 } } }, keep },                          \
        .attr_bytes = sizeof(stack_attr)                                                                                                   \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0),        SAMPLE(2, 5, 7, 4, 2, 33, 65, 4, 3, 3, 1, 1, 1, 1, 0, 0, 1),
    SAMPLE(1, 6, 5, 12, 12, 64, 64, 12, 3, 3, 1, 1, 1, 0, 1, 1, 0),   SAMPLE(2, 9, 9, 3, 3, 31, 40, 3, 3, 5, 2, 2, 1, 1, 0, 0, 1),
    SAMPLE(3, 7, 11, 12, 6, 40, 33, 6, 1, 3, 0, 1, 0, 1, 0, 0, 0),    SAMPLE(2, 4, 4, 16, 8, 128, 128, 16, 3, 3, 1, 1, 1, 1, 0, 1, 1),
    SAMPLE(1, 2, 3, 2, 2, 160, 272, 18, 3, 3, 1, 1, 1, 0, 0, 0, 1), /* more than one block of the reduction */
    SAMPLE(2, 19, 18, 8, 4, 64, 70, 9, 3, 3, 1, 1, 1, 0, 0, 0, 0),  /* several groups; none of so many differences at a kink of relu */
};

/* 72: conv2d_act's 24 of each, what a layer has wrong being of the size of its output and summed with signs of chance, as that is. */
const rheo_op rheo_op_conv2d_stack = {
    .name = "conv2d_stack",
    .infer = stack_infer,
    .expand = stack_expand,
    .offers = rheo_offers_on_cpus,
    .launch = stack_launch,
    .workspace = stack_workspace,
    .cost = stack_cost,
    .reference = stack_reference,
    RHEO_SAMPLES(samples),
    .tolerance = 72,
};

rheo_value rheo_conv2d_stack(rheo_graph *g, const rheo_value in[10], const rheo_conv2d_act_attr layer[3], bool keep)
{
    const stack_attr a = { { layer[0], layer[1], layer[2] }, keep };
    return rheo_apply(g, &rheo_op_conv2d_stack, INPUTS, in, &a, sizeof a);
}
