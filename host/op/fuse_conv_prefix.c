/* A convolution, or its weights' gradient, of a slice of the first channels reads them where they lie. */
#include <string.h>

#include "op/conv2d.h"
#include "op/rules.h"
#include "op/slice.h"

/* Whether n is the slice of the first channels, of everything else all, and kernels can count x. */
static bool of_first_channels(const rheo_node *n)
{
    if (n->op != &rheo_op_slice) return false;
    const rheo_box *box = n->attr;
    const rheo_shape x = n->in_spec[0].shape;
    return rheo_count(x) <= RHEO_CONV_MOST && box->from.c == 0 && box->size.n == x.n && box->size.h == x.h && box->size.w == x.w;
}

/* A coupling passes these channels through, and keeps its output for the backward pass: a reader there needs x no more. */
static rheo_value passed_through(const rheo_rewrite *r, const rheo_graph *g, rheo_value x, int64_t channels)
{
    extern const rheo_op rheo_op_coupling;
    const rheo_value y = rheo_rewrite_find(r, &rheo_op_coupling, 0, x);
    return rheo_is_none(y) || channels > rheo_shape_of(g, x).c / 2 ? x : y;
}

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_conv2d, rheo_op_conv2d_act, rheo_op_conv2d_dw;
    if (n->op != &rheo_op_conv2d && n->op != &rheo_op_conv2d_act && n->op != &rheo_op_conv2d_dw) return false;
    const rheo_node *slice = rheo_node_of(g, n->in[0]);
    if (!of_first_channels(slice)) return false;
    rheo_value in[4];
    int32_t attr[8];
    rheo_conv2d_attr conv;
    memcpy(in, n->in, (size_t)n->n_in * sizeof *in);
    memcpy(attr, n->attr, n->attr_bytes);
    memcpy(&conv, attr, sizeof conv);
    if (!conv.prefix) conv.prefix = (int32_t)n->in_spec[0].shape.c;
    memcpy(attr, &conv, sizeof conv);
    in[0] = n->op == &rheo_op_conv2d_dw ? passed_through(r, g, slice->in[0], conv.prefix) : slice->in[0];
    out[0] = rheo_apply(g, n->op, n->n_in, in, attr, n->attr_bytes);
    return true;
}

const rheo_rule rheo_rule_conv_prefix = { "conv_prefix", match };
