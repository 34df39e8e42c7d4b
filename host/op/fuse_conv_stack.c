/* Three conv2d_act in a row, the second without a window, become conv2d_stack where a cache holds what is between them, which it keeps if
 * gradients read it later. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

enum { MANY = 64 };     /* channels between them: others have forms of their own */

/* The conv2d_act that makes what `n` is so far alone to read, or NULL. */
static const rheo_node *before(const rheo_rewrite *r, const rheo_graph *g, const rheo_node *n)
{
    const rheo_node *x = rheo_node_of(g, n->in[0]);
    const bool alone = rheo_rewrite_uses_ahead(r, n->in[0]) == rheo_rewrite_uses(r, n->in[0]) - 1;
    return x->op == n->op && x->region == n->region && alone ? x : NULL;
}

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_conv2d_act;
    const rheo_node *layer[3] = { [2] = n };
    if (n->op != &rheo_op_conv2d_act || !(layer[1] = before(r, g, n)) || !(layer[0] = before(r, g, layer[1]))) return false;
    rheo_conv conv[3];
    rheo_conv2d_act_attr attr[3];
    rheo_value in[10] = { layer[0]->in[0] };
    for (int k = 0; k < 3; k++) {
        attr[k] = *(const rheo_conv2d_act_attr *)layer[k]->attr;
        conv[k] = rheo_conv2d_describe(layer[k]->in_spec[0].shape, layer[k]->in_spec[1].shape, attr[k].conv);
        for (int i = 1; i < 4; i++) in[3 * k + i] = layer[k]->in[i];
    }
    const rheo_conv *a = &conv[0], *b = &conv[1];
    if (b->i < MANY || b->o < MANY || a->kh * a->kw * a->i > b->i || !rheo_conv_stack_fits(conv)) return false;
    const bool keep = rheo_rewrite_uses(r, layer[1]->in[0]) > 1 || rheo_rewrite_uses(r, n->in[0]) > 1;
    out[0] = rheo_conv2d_stack(g, in, attr, keep);
    if (keep) {
        rheo_rewrite_replace(r, layer[1]->in[0], rheo_output(out[0], 1));
        rheo_rewrite_replace(r, n->in[0], rheo_output(out[0], 2));
    }
    return true;
}

const rheo_rule rheo_rule_conv_stack = { "conv_stack", match };
