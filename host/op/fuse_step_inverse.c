/* A 1x1 convolution and actnorm undone, lu_solve with b and l, of an affine coupling undone become one lu_solve: all of a step (flows 1.5). */
#include "op/lu.h"
#include "op/ops.h"
#include "op/rules.h"

static bool match(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    extern const rheo_op rheo_op_lu_solve, rheo_op_coupling_inverse;
    if (n->op != &rheo_op_lu_solve || n->n_in != RHEO_SOLVE_H || rheo_rewrite_uses(r, n->in[0]) != 1) return false;
    const rheo_node *coupling = rheo_node_of(g, n->in[0]);
    if (coupling->op != &rheo_op_coupling_inverse || coupling->region != n->region || !*(const int32_t *)coupling->attr) return false;
    out[0] = rheo_lu_solve_actnorm(g, coupling->in[0], n->in + RHEO_SOLVE_FACTORS, n->in[RHEO_SOLVE_B], n->in[RHEO_SOLVE_L],
                                   *(const float *)n->attr, coupling->in[1]);
    return true;
}

const rheo_rule rheo_rule_step_inverse = { "step_inverse", match };
