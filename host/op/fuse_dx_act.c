/* affine_act_backward(conv2d_dx(dy, w), y, l) becomes conv2d_dx_act: what dx passes through next is done in its store. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_affine_act_backward, rheo_op_conv2d_dx;
    if (n->op != &rheo_op_affine_act_backward || n->n_in != 3 || rheo_rewrite_uses(r, n->in[0]) != 1) return false;
    const rheo_node *dx = rheo_node_of(g, n->in[0]);
    if (dx->op != &rheo_op_conv2d_dx || dx->n_in != 2 || n->out[0].shape.c % 16 != 0) return false;
    out[0] = rheo_conv2d_dx_act(g, dx->in[0], dx->in[1], n->in[1], n->in[2], *(const rheo_conv2d_attr *)dx->attr,
                                *(const rheo_affine_attr *)n->attr);
    for (int k = 1; k < n->n_out; k++) out[k] = rheo_output(out[0], k);
    return true;
}

const rheo_rule rheo_rule_dx_act = { "dx_act", match };
