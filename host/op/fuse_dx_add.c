/* a + pad(conv2d_dx(dy, w)), the pad placing it in the first channels of zeros, becomes one conv2d_dx that adds to a: what
 * the gradient of a slice of x meets x's other gradient in. */
#include "op/conv2d.h"
#include "op/rules.h"
#include "op/slice.h"

/* The dx that v holds in its first channels and nobody else reads, or NULL. */
static const rheo_node *padded_dx(const rheo_rewrite *r, const rheo_graph *g, rheo_value v)
{
    extern const rheo_op rheo_op_conv2d_dx;
    const rheo_node *pad = rheo_node_of(g, v);
    if (pad->op != &rheo_op_pad || rheo_rewrite_uses(r, v) != 1 || rheo_rewrite_uses(r, pad->in[0]) != 1) return NULL;
    const rheo_box *box = pad->attr;
    const rheo_shape inside = pad->in_spec[0].shape, whole = box->size;
    if (rheo_count(whole) > RHEO_CONV_MOST || box->from.c != 0 || inside.n != whole.n || inside.h != whole.h || inside.w != whole.w)
        return NULL;
    const rheo_node *dx = rheo_node_of(g, pad->in[0]);
    return dx->op == &rheo_op_conv2d_dx && dx->n_in == 2 ? dx : NULL;
}

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_add;
    if (n->op != &rheo_op_add || !rheo_same_shape(n->in_spec[0].shape, n->in_spec[1].shape)) return false;
    for (int k = 0; k < 2; k++) {
        const rheo_node *dx = padded_dx(r, g, n->in[k]);
        if (!dx) continue;
        const rheo_conv2d_attr *a = dx->attr;
        out[0] = rheo_conv2d_dx_add(g, dx->in[0], dx->in[1], n->in[1 - k], a->pad, a->dilation);
        return true;
    }
    return false;
}

const rheo_rule rheo_rule_dx_add = { "dx_add", match };
