/* affine_act(conv2d(x, w), b, a) becomes conv2d_act: bias, scale and activation in the convolution's store. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_affine_act, rheo_op_conv2d;
    if (n->op != &rheo_op_affine_act || n->n_out > 1 || rheo_rewrite_uses(r, n->in[0]) != 1) return false;
    const rheo_node *conv = rheo_node_of(g, n->in[0]);
    if (conv->op != &rheo_op_conv2d) return false;
    out[0] = rheo_conv2d_act(g, conv->in[0], conv->in[1], n->in[1], n->in[2], *(const rheo_conv2d_attr *)conv->attr,
                             *(const rheo_affine_attr *)n->attr);
    return true;
}

const rheo_rule rheo_rule_conv_act = { "conv_act", match };
