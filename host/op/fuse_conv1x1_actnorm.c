/* affine_inverse(lu_solve(y, factors), b, l) becomes one lu_solve: actnorm is undone where the 1x1 convolution after it is (flows 1.1, 1.2). */
#include "op/lu.h"
#include "op/ops.h"
#include "op/rules.h"

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_affine_inverse, rheo_op_lu_solve;
    if (n->op != &rheo_op_affine_inverse || rheo_rewrite_uses(r, n->in[0]) != 1) return false;
    const rheo_node *solve = rheo_node_of(g, n->in[0]);
    if (solve->op != &rheo_op_lu_solve || solve->n_in != RHEO_SOLVE_B || solve->region != n->region) return false;
    out[0] = rheo_lu_solve_actnorm(g, solve->in[RHEO_SOLVE_Y], solve->in + RHEO_SOLVE_FACTORS, n->in[1], n->in[2],
                                   *(const float *)n->attr, RHEO_NONE);
    return true;
}

const rheo_rule rheo_rule_conv1x1_actnorm = { "conv1x1_actnorm", match };
