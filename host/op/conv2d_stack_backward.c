/* The gradients of conv2d_stack, its hidden layers having been kept, from dz, that at its last convolution's output: what conv2d_dx_act,
 * conv2d_dw and conv2d_dx make one after another, with no gradient of a hidden layer in memory. dx is added to what else is the gradient at x.
 * Made by rewriting only (fuse_stack_backward.c). */
#include "op/affine_backward.h"
#include "op/conv2d.h"

#include <stdlib.h>

#include "op/common.h"

enum { DZ, W3, H2, L2, W2, H1, L1, W1, X, ADD, INPUTS };
enum { DX, DW1, DB1, DL1, DW2, DB2, DL2, DW3, OUTPUTS };

typedef struct stack_backward_attr {
    rheo_conv2d_act_attr layer[2];
    rheo_conv2d_attr last;
} stack_backward_attr;

static const stack_backward_attr *attr_of(const rheo_node *n) { return n->attr; }

static void describe(const rheo_node *n, rheo_conv layer[3])
{
    const stack_backward_attr *a = n->attr;
    layer[0] = rheo_conv2d_describe(n->in_spec[X].shape, n->in_spec[W1].shape, a->layer[0].conv);
    layer[1] = rheo_conv2d_describe(n->in_spec[H1].shape, n->in_spec[W2].shape, a->layer[1].conv);
    layer[2] = rheo_conv2d_describe(n->in_spec[H2].shape, n->in_spec[W3].shape, a->last);
}

static bool stack_backward_infer(rheo_graph *g, rheo_node *n)
{
    static const char name[] = "conv2d_stack_backward";
    static const int from[OUTPUTS] = { X, W1, L1, L1, W2, L2, L2, W3 };
    const stack_backward_attr *a = n->attr;
    rheo_shape shape[INPUTS];
    n->n_out = OUTPUTS;
    for (int i = 0; i < INPUTS; i++) {
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
        shape[i] = n->in_spec[i].shape;
    }
    for (int k = 0; k < OUTPUTS; k++) n->out[k] = n->in_spec[from[k]];
    if (!rheo_conv2d_check_dy(g, name, shape[X], shape[W1], shape[H1], a->layer[0].conv) ||
        !rheo_conv2d_check_dy(g, name, shape[H1], shape[W2], shape[H2], a->layer[1].conv) ||
        !rheo_conv2d_check_dy(g, name, shape[H2], shape[W3], shape[DZ], a->last))
        return false;
    rheo_conv layer[3];
    describe(n, layer);
    if (rheo_same_shape(shape[ADD], shape[X]) && rheo_same_shape(shape[L1], rheo_vector(shape[H1].c)) &&
        rheo_same_shape(shape[L2], rheo_vector(shape[H2].c)) && rheo_conv_stack_backward_fits(layer))
        return true;
    rheo_graph_fail(g, "%s: x " RHEO_SHAPE_TEXT ", add " RHEO_SHAPE_TEXT ", h1 " RHEO_SHAPE_TEXT " or h2 " RHEO_SHAPE_TEXT " does not fit it",
                    name, RHEO_SHAPE_LIST(shape[X]), RHEO_SHAPE_LIST(shape[ADD]), RHEO_SHAPE_LIST(shape[H1]), RHEO_SHAPE_LIST(shape[H2]));
    return false;
}

static void stack_backward_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const stack_backward_attr *a = n->attr;
    const rheo_conv2d_attr first = a->layer[0].conv, second = a->layer[1].conv;
    const rheo_value *in = n->in;
    const rheo_value dz2 = rheo_conv2d_dx_act(g, in[DZ], in[W3], in[H2], in[L2], a->last, a->layer[1].act);
    const rheo_value dz1 = rheo_conv2d_dx_act(g, dz2, in[W2], in[H1], in[L1], second, a->layer[0].act);
    out[DX] = rheo_conv2d_dx_add(g, dz1, in[W1], in[ADD], first.pad, first.dilation);
    out[DW1] = rheo_conv2d_dw(g, rheo_conv2d_taken(g, in[X], first), dz1, n->in_spec[W1].shape, first.pad, first.dilation);
    out[DB1] = rheo_output(dz1, 1);
    out[DL1] = rheo_output(dz1, 2);
    out[DW2] = rheo_conv2d_dw(g, in[H1], dz2, n->in_spec[W2].shape, second.pad, second.dilation);
    out[DB2] = rheo_output(dz2, 1);
    out[DL2] = rheo_output(dz2, 2);
    out[DW3] = rheo_conv2d_dw(g, in[H2], in[DZ], n->in_spec[W3].shape, a->last.pad, a->last.dilation);
}

static rheo_status stack_backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_affine_attr first = attr_of(n)->layer[0].act, second = attr_of(n)->layer[1].act;
    rheo_conv layer[3];
    describe(n, layer);
    const rheo_stack_gradient s = {
        .dz = rheo_in(l, DZ), .h2 = rheo_in(l, H2), .h1 = rheo_in(l, H1), .x = rheo_in(l, X), .add = rheo_in(l, ADD),
        .w = { rheo_in(l, W1), rheo_in(l, W2), rheo_in(l, W3) }, .l = { rheo_in(l, L1), rheo_in(l, L2) },
        .relu = { first.relu, second.relu }, .factor = { first.factor, second.factor },
        .dx = rheo_out(l, DX), .dw = { rheo_out(l, DW1), rheo_out(l, DW2), rheo_out(l, DW3) },
        .db = { rheo_out(l, DB1), rheo_out(l, DB2) }, .dl = { rheo_out(l, DL1), rheo_out(l, DL2) },
    };
    return rheo_conv_launch_stack_backward(l, layer, &s, err);
}

static size_t stack_backward_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    rheo_conv layer[3];
    describe(n, layer);
    return rheo_conv_stack_backward_workspace(layer, dev);
}

static rheo_cost stack_backward_cost(const rheo_node *n)
{
    rheo_conv layer[3];
    rheo_cost sum = { 0, 0 };
    describe(n, layer);
    for (int k = 0; k < 3; k++) sum.flops += 2 * rheo_conv2d_cost(&layer[k]).flops;
    for (int i = 0; i < INPUTS; i++) sum.bytes += 4 * (double)rheo_count(n->in_spec[i].shape);
    for (int k = 0; k < OUTPUTS; k++) sum.bytes += 4 * (double)rheo_count(n->out[k].shape);
    return sum;
}

static void stack_backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const stack_backward_attr *a = n->attr;
    const rheo_shape h1 = n->in_spec[H1].shape, h2 = n->in_spec[H2].shape;
    double *dz1 = calloc((size_t)rheo_count(h1), sizeof *dz1), *dz2 = calloc((size_t)rheo_count(h2), sizeof *dz2);
    rheo_conv layer[3];
    describe(n, layer);
    if (dz1 && dz2) {
        rheo_conv2d_dx_reference(&layer[2], in[DZ], in[W3], NULL, dz2);
        rheo_affine_backward_reference(h2, a->layer[1].act, (const double *const[]){ dz2, in[H2], in[L2] },
                                       (double *const[]){ dz2, out[DB2], out[DL2] });
        rheo_conv2d_dx_reference(&layer[1], dz2, in[W2], NULL, dz1);
        rheo_affine_backward_reference(h1, a->layer[0].act, (const double *const[]){ dz1, in[H1], in[L1] },
                                       (double *const[]){ dz1, out[DB1], out[DL1] });
        rheo_conv2d_dx_reference(&layer[0], dz1, in[W1], in[ADD], out[DX]);
        rheo_conv2d_dw_reference(&layer[0], in[X], dz1, out[DW1]);
        rheo_conv2d_dw_reference(&layer[1], in[H1], dz2, out[DW2]);
        rheo_conv2d_dw_reference(&layer[2], in[H2], in[DZ], out[DW3]);
    }
    free(dz1);
    free(dz2);
}

/* x [n,h,w,c], of which i channels take part, m and m2 hidden channels, o out; windows k (pad, dilation) and k3 (pad3). */
#define SIDE(h, k, pad, dilation) ((h) + 2 * (pad) - (dilation) * ((k) - 1))
#define SAMPLE(n, h, w, c, i, m, m2, o, k, k3, pad, dilation, pad3, relu, relu2)                                                           \
    {                                                                                                                                      \
        .n_in = INPUTS,                                                                                                                    \
        .in = { RHEO_SPEC_F32(n, SIDE(SIDE(h, k, pad, dilation), k3, pad3, 1), SIDE(SIDE(w, k, pad, dilation), k3, pad3, 1), o),           \
                RHEO_SPEC_F32(k3, k3, m2, o), RHEO_SPEC_F32(n, SIDE(h, k, pad, dilation), SIDE(w, k, pad, dilation), m2),                  \
                RHEO_SPEC_F32(1, 1, 1, m2), RHEO_SPEC_F32(1, 1, m, m2),                                                                    \
                RHEO_SPEC_F32(n, SIDE(h, k, pad, dilation), SIDE(w, k, pad, dilation), m), RHEO_SPEC_F32(1, 1, 1, m),                      \
                RHEO_SPEC_F32(k, k, i, m), RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, c) },                                         \
        .fill = { [W3] = { .scale = 0.2 }, [L2] = { .scale = 0.1 }, [W2] = { .scale = 0.1 }, [L1] = { .scale = 0.1 } },                    \
        .attr = &(const stack_backward_attr){ { { { pad, dilation, (c) == (i) ? 0 : (i) }, { relu, 1 + relu } },                           \
                                                { { 0, 1, 0 }, { relu2, 3 } } },                                                           \
                                              { pad3, 1, 0 } },                                                                            \
        .attr_bytes = sizeof(stack_backward_attr)                                                                                          \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(1, 1, 1, 1, 1, 16, 16, 1, 1, 1, 0, 1, 0, 0, 0),    SAMPLE(2, 5, 7, 4, 2, 32, 48, 4, 3, 3, 1, 1, 1, 1, 1),
    SAMPLE(1, 6, 5, 12, 12, 64, 64, 12, 3, 3, 1, 1, 1, 1, 0), SAMPLE(2, 9, 9, 3, 3, 16, 80, 3, 3, 5, 2, 2, 1, 0, 1),
    SAMPLE(3, 7, 11, 12, 6, 48, 32, 6, 1, 3, 0, 1, 0, 1, 1),  SAMPLE(2, 4, 4, 16, 8, 128, 128, 16, 3, 3, 1, 1, 1, 1, 1),
    SAMPLE(1, 2, 3, 2, 2, 160, 272, 18, 3, 3, 1, 1, 1, 1, 1), SAMPLE(2, 19, 18, 8, 4, 64, 112, 9, 3, 3, 1, 1, 1, 1, 1), /* several groups */
};

/* 320: two of conv2d_dx_act's 160, the second of what the first made. */
const rheo_op rheo_op_conv2d_stack_backward = {
    .name = "conv2d_stack_backward",
    .infer = stack_backward_infer,
    .expand = stack_backward_expand,
    .offers = rheo_offers_on_cpus,
    .launch = stack_backward_launch,
    .workspace = stack_backward_workspace,
    .cost = stack_backward_cost,
    .reference = stack_backward_reference,
    RHEO_SAMPLES(samples),
    .tolerance = 320,
};

rheo_value rheo_conv2d_stack_backward(rheo_graph *g, const rheo_value in[10], const rheo_conv2d_act_attr layer[2], rheo_conv2d_attr last)
{
    const stack_backward_attr a = { { layer[0], layer[1] }, last };
    return rheo_apply(g, &rheo_op_conv2d_stack_backward, INPUTS, in, &a, sizeof a);
}
