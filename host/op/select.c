/* y = mask != 0 ? a : b, element by element and bit for bit; one mask for all samples or one each. */
#include "op/common.h"
#include "op/ops.h"

static bool select_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape a = n->in_spec[1].shape;
    rheo_shape mask = n->in_spec[0].shape;
    for (int i = 0; i < 3; i++)
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = n->in_spec[1];
    if (mask.n == 1) mask.n = a.n;
    if (rheo_same_shape(mask, a) && rheo_same_shape(n->in_spec[2].shape, a)) return true;
    rheo_graph_fail(g, "select: mask " RHEO_SHAPE_TEXT ", a " RHEO_SHAPE_TEXT ", b " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(n->in_spec[0].shape),
                    RHEO_SHAPE_LIST(a), RHEO_SHAPE_LIST(n->in_spec[2].shape));
    return false;
}

static void select_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value zero = rheo_constant(g, n->out[0].shape, 0);
    dx[1] = rheo_select(g, n->in[0], dy[0], zero);
    dx[2] = rheo_select(g, n->in[0], zero, dy[0]);
}

static rheo_status select_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    return RHEO_EMIT(l, err, "pointwise", "select_by", rheo_grid_items(l, rheo_count(s)), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                     RHEO_BUF(rheo_in(l, 2)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(rheo_count(s)), RHEO_INT(rheo_count(n->in_spec[0].shape)));
}

static void select_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t masks = rheo_count(n->in_spec[0].shape);
    for (int64_t e = 0; e < rheo_count(n->out[0].shape); e++) out[0][e] = in[in[0][e % masks] != 0 ? 1 : 2][e];
}

#define SAMPLE(masks, n, h, w, c)                                                                                                          \
    {                                                                                                                                      \
        .n_in = 3, .in = { RHEO_SPEC_F32(masks, h, w, c), RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, c) }, .fill = {                \
            { .below = 2, .fixed = true }                                                                                                  \
        }                                                                                                                                  \
    }
static const rheo_op_sample select_samples[] = { SAMPLE(1, 1, 1, 1, 1), SAMPLE(1, 3, 5, 7, 3), SAMPLE(3, 3, 5, 7, 3),
                                                 SAMPLE(1, 2, 1, 1, 65) };

/* Tolerance 0: copies. */
const rheo_op rheo_op_select = {
    .name = "select",
    .infer = select_infer,
    .gradient = select_gradient,
    .launch = select_launch,
    .reference = select_reference,
    RHEO_SAMPLES(select_samples),
};

rheo_value rheo_select(rheo_graph *g, rheo_value mask, rheo_value a, rheo_value b)
{
    return rheo_apply(g, &rheo_op_select, 3, (const rheo_value[]){ mask, a, b }, NULL, 0);
}
