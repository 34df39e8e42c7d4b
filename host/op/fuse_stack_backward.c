/* conv2d_dx_act, conv2d_dx_act and a conv2d_dx that is added to something, one after another, with the conv2d_dw beside each, become
 * conv2d_stack_backward, if nothing else reads what is between them: the backward pass of what conv2d_stack is the forward pass of. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

extern const rheo_op rheo_op_conv2d_dx, rheo_op_conv2d_dx_act, rheo_op_conv2d_dw;

/* The conv2d_dx_act whose dz only `n` and a conv2d_dw read, or NULL. */
static const rheo_node *before(const rheo_rewrite *r, const rheo_graph *g, const rheo_node *n)
{
    const rheo_node *x = rheo_node_of(g, n->in[0]);
    return x->op == &rheo_op_conv2d_dx_act && x->region == n->region && rheo_rewrite_uses(r, n->in[0]) == 2 ? x : NULL;
}

static bool same(rheo_value a, rheo_value b) { return a.node == b.node && a.out == b.out; }

/* The conv2d_dw of that dy, and of x unless that is RHEO_NONE, which nothing has read yet; or NULL. */
static const rheo_node *weights_of(const rheo_rewrite *r, const rheo_graph *g, rheo_value x, rheo_value dy)
{
    const rheo_value v = rheo_rewrite_find(r, &rheo_op_conv2d_dw, 1, dy);
    const rheo_node *dw = rheo_is_none(v) ? NULL : rheo_node_of(g, v);
    if (!dw || (!rheo_is_none(x) && !same(dw->in[0], x))) return NULL;
    return rheo_rewrite_uses(r, v) == rheo_rewrite_uses_ahead(r, v) ? dw : NULL;
}

/* Are db and dl still to be read? */
static bool unread(const rheo_rewrite *r, const rheo_node *n)
{
    for (int k = 1; k < 3; k++)
        if (rheo_rewrite_uses(r, (rheo_value){ n->id, k }) != rheo_rewrite_uses_ahead(r, (rheo_value){ n->id, k })) return false;
    return true;
}

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const rheo_node *hidden[2], *dw[3];
    if (n->op != &rheo_op_conv2d_dx || n->n_in != 3 || !(hidden[0] = before(r, g, n)) || !(hidden[1] = before(r, g, hidden[0]))) return false;
    const rheo_value dz1 = n->in[0], dz2 = hidden[0]->in[0], dz3 = hidden[1]->in[0], h1 = hidden[0]->in[2], h2 = hidden[1]->in[2];
    if (!(dw[0] = weights_of(r, g, RHEO_NONE, dz1)) || !(dw[1] = weights_of(r, g, h1, dz2)) || !(dw[2] = weights_of(r, g, h2, dz3)) ||
        !unread(r, hidden[0]) || !unread(r, hidden[1]))
        return false;
    const rheo_conv2d_act_attr *first = hidden[0]->attr, *second = hidden[1]->attr;    /* a layer's act and the next one's conv each */
    const rheo_conv2d_act_attr layer[2] = { { *(const rheo_conv2d_attr *)dw[0]->attr, first->act }, { first->conv, second->act } };
    const rheo_value x = dw[0]->in[0], w1 = n->in[1], w2 = hidden[0]->in[1], w3 = hidden[1]->in[1], add = n->in[2];
    const rheo_conv conv[3] = { rheo_conv2d_describe(rheo_shape_of(g, x), rheo_shape_of(g, w1), layer[0].conv),
                                rheo_conv2d_describe(rheo_shape_of(g, h1), rheo_shape_of(g, w2), layer[1].conv),
                                rheo_conv2d_describe(rheo_shape_of(g, h2), rheo_shape_of(g, w3), second->conv) };
    if (!rheo_same_shape(rheo_shape_of(g, x), rheo_shape_of(g, add)) || !rheo_conv_stack_backward_fits(conv)) return false;
    const rheo_value in[10] = { dz3, w3, h2, hidden[1]->in[3], w2, h1, hidden[0]->in[3], w1, x, add };
    const rheo_value all = rheo_conv2d_stack_backward(g, in, layer, second->conv);
    const rheo_value instead[7] = { { dw[0]->id, 0 }, { hidden[0]->id, 1 }, { hidden[0]->id, 2 }, { dw[1]->id, 0 },
                                    { hidden[1]->id, 1 }, { hidden[1]->id, 2 }, { dw[2]->id, 0 } };
    for (int k = 0; k < 7; k++) rheo_rewrite_replace(r, instead[k], rheo_output(all, 1 + k));
    out[0] = all;
    return true;
}

const rheo_rule rheo_rule_stack_backward = { "stack_backward", match };
