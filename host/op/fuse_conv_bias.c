/* conv2d(x, w) + b, b a number for each channel, becomes conv2d_act without activation: the bias in the convolution's store. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_add, rheo_op_conv2d;
    if (n->op != &rheo_op_add) return false;
    for (int k = 0; k < 2; k++) {
        const rheo_value y = n->in[k], b = n->in[1 - k];
        const rheo_node *conv = rheo_node_of(g, y);
        const rheo_shape s = n->in_spec[k].shape;
        if (conv->op != &rheo_op_conv2d || rheo_rewrite_uses(r, y) != 1 || !rheo_same_shape(n->in_spec[1 - k].shape, rheo_vector(s.c))) continue;
        if (rheo_same_shape(s, rheo_vector(s.c))) continue; /* either could be the bias */
        const rheo_affine_attr as_it_is = { 0, 0 };         /* factor 0: a scale of 1, whatever the logarithms */
        out[0] = rheo_conv2d_act(g, conv->in[0], conv->in[1], b, b, *(const rheo_conv2d_attr *)conv->attr, as_it_is);
        return true;
    }
    return false;
}

const rheo_rule rheo_rule_conv_bias = { "conv_bias", match };
