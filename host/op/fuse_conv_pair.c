/* conv2d_act(conv2d_act(x, ..), w, ..) without a window becomes conv2d_pair where a CPU's cache holds what is between them and nothing else
 * reads that, as in passes that only go forward. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

enum { MANY = 64 };     /* channels between and after them: others have forms of their own */

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_conv2d_act;
    const rheo_device_facts *dev = rheo_rewrite_device(r);
    if ((dev && dev->kind != RHEO_CPU) || n->op != &rheo_op_conv2d_act || rheo_rewrite_uses(r, n->in[0]) != 1) return false;
    const rheo_node *before = rheo_node_of(g, n->in[0]);
    if (before->op != &rheo_op_conv2d_act || before->region != n->region) return false;
    const rheo_conv2d_act_attr *a = before->attr, *b = n->attr;
    const rheo_conv first = rheo_conv2d_describe(before->in_spec[0].shape, before->in_spec[1].shape, a->conv);
    const rheo_conv second = rheo_conv2d_describe(n->in_spec[0].shape, n->in_spec[1].shape, b->conv);
    if (second.i < MANY || second.o < MANY || first.kh * first.kw * first.i > second.i || !rheo_conv_pair_fits(&first, &second)) return false;
    out[0] = rheo_conv2d_pair(g, (const rheo_value[]){ before->in[0], before->in[1], before->in[2], before->in[3], n->in[1], n->in[2], n->in[3] },
                              *a, *b);
    return true;
}

const rheo_rule rheo_rule_conv_pair = { "conv_pair", match };
