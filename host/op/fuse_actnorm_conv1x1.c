/* conv2d(affine_act(x, b, l), lu_matrix(..)) becomes conv2d_act(x, W', b'): actnorm goes into the 1x1's matrix (flows 1.1, 1.2) where
 * nothing else reads its output, as in passes that only go forward. */
#include "op/conv2d.h"
#include "op/ops.h"
#include "op/rules.h"

static bool same(rheo_value a, rheo_value b) { return a.node == b.node && a.out == b.out; }

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_affine_act, rheo_op_conv2d, rheo_op_lu_matrix;
    if (n->op != &rheo_op_conv2d) return false;
    const rheo_conv2d_attr *conv = n->attr;
    const rheo_node *actnorm = rheo_node_of(g, n->in[0]), *matrix = rheo_node_of(g, n->in[1]);
    if (conv->pad != 0 || actnorm->op != &rheo_op_affine_act || actnorm->n_out != 2 || matrix->op != &rheo_op_lu_matrix) return false;
    const rheo_affine_attr *a = actnorm->attr;
    const rheo_value h = n->in[0], w = n->in[1], between = rheo_output(h, 1);
    const rheo_shape s = n->in_spec[0].shape;
    const int64_t positions = *(const int64_t *)matrix->attr;
    if (a->relu || h.out != 0 || w.out != 0 || !same(matrix->in[5], between) || positions != s.h * s.w) return false;
    if (rheo_rewrite_uses(r, h) != 1 || rheo_rewrite_uses(r, w) != 1 || rheo_rewrite_uses(r, between) != 1) return false;
    if (actnorm->region != n->region || matrix->region != n->region) return false;

    const rheo_value x = actnorm->in[0],
                     both = rheo_lu_actnorm(g, matrix->in, actnorm->in[3], actnorm->in[1], actnorm->in[2], positions, (double)a->factor);
    const rheo_value shift = rheo_output(both, 2);
    rheo_rewrite_replace(r, rheo_output(w, 1), rheo_output(both, 1));
    out[0] = rheo_conv2d_act(g, x, both, shift, shift, (rheo_conv2d_attr){ 0, 1, 0 }, (rheo_affine_attr){ 0, 0 }); /* factor 0: a scale of 1 */
    return true;
}

const rheo_rule rheo_rule_actnorm_conv1x1 = { "actnorm_conv1x1", match };
