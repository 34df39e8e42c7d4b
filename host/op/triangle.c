/* Parts of square matrices, [n, B, M, M]: strict triangles, diagonals, matrices of a diagonal. */
#include "op/copy.h"
#include "op/ops.h"

static bool is_square(rheo_graph *g, const rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    if (!rheo_check_type(g, n, 0, RHEO_F32)) return false;
    if (x.w == x.c) return true;
    rheo_graph_fail(g, "%s: " RHEO_SHAPE_TEXT " does not hold square matrices", n->op->name, RHEO_SHAPE_LIST(x));
    return false;
}

/* ---- triangle ----------------------------------------------------------------------------------------------------- */

static bool triangle_infer(rheo_graph *g, rheo_node *n) { return is_square(g, n) && rheo_infer_shape(n, n->in_spec[0].shape); }

static void triangle_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_triangle(g, dy[0], *(const int32_t *)n->attr);
}

static rheo_status triangle_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape x = n->in_spec[0].shape;
    return RHEO_EMIT(l, err, "index", "triangle", rheo_grid_items(l, rheo_count(x)), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(rheo_count(x)), RHEO_INT(x.c), RHEO_INT(*(const int32_t *)n->attr));
}

static void triangle_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape;
    const int which = *(const int32_t *)n->attr;
    for (int64_t b = 0; b < x.n * x.h; b++)
        for (int64_t i = 0; i < x.c; i++)
            for (int64_t j = 0; j < x.c; j++) {
                const int64_t at = (b * x.c + i) * x.c + j;
                out[0][at] = (which > 0 ? j > i : j < i) ? in[0][at] : 0;
            }
}

static const int32_t lower = -1, upper = 1;
static const rheo_op_sample triangle_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 33, 33) }, .attr = &lower, .attr_bytes = sizeof lower },
    { .n_in = 1, .in = { RHEO_SPEC_F32(2, 3, 7, 7) }, .attr = &upper, .attr_bytes = sizeof upper },
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 1) }, .attr = &upper, .attr_bytes = sizeof upper },
};

/* Tolerance 0 here and below: copies. */
const rheo_op rheo_op_triangle = {
    .name = "triangle", .flags = RHEO_OP_INPLACE, .infer = triangle_infer, .gradient = triangle_gradient, .launch = triangle_launch,
    .reference = triangle_reference, RHEO_SAMPLES(triangle_samples),
};

rheo_value rheo_triangle(rheo_graph *g, rheo_value x, int which)
{
    const int32_t a = which < 0 ? -1 : 1;
    return rheo_apply(g, &rheo_op_triangle, 1, &x, &a, sizeof a);
}

/* ---- diagonal, diagonal_matrix ------------------------------------------------------------------------------------- */

static bool diagonal_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    return is_square(g, n) && rheo_infer_shape(n, RHEO_SHAPE(x.n, x.h, 1, x.c));
}

static bool diagonal_matrix_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape;
    if (!rheo_check_type(g, n, 0, RHEO_F32)) return false;
    if (x.w == 1) return rheo_infer_shape(n, RHEO_SHAPE(x.n, x.h, x.c, x.c));
    rheo_graph_fail(g, "diagonal_matrix: " RHEO_SHAPE_TEXT ", expected [n B 1 M]", RHEO_SHAPE_LIST(x));
    return false;
}

static void diagonal_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_diagonal_matrix(g, dy[0]);
}

static void diagonal_matrix_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)n;
    dx[0] = rheo_diagonal(g, dy[0]);
}

static rheo_status diagonal_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape x = n->in_spec[0].shape;
    const rheo_loop loops[] = { { x.n * x.h, x.c * x.c, x.c }, { x.c, x.c + 1, 1 } };
    return rheo_emit_copy(l, rheo_in(l, 0), 0, rheo_out(l, 0), 0, 2, loops, err);
}

static rheo_status diagonal_matrix_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape x = n->in_spec[0].shape;
    const rheo_loop loops[] = { { x.n * x.h, x.c, x.c * x.c }, { x.c, 1, x.c + 1 } };
    const rheo_status st = rheo_emit_zero(l, rheo_out(l, 0), 0, rheo_count(n->out[0].shape), err);
    return st ? st : rheo_emit_copy(l, rheo_in(l, 0), 0, rheo_out(l, 0), 0, 2, loops, err);
}

static void diagonal_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape;
    for (int64_t b = 0; b < x.n * x.h; b++)
        for (int64_t i = 0; i < x.c; i++) out[0][b * x.c + i] = in[0][(b * x.c + i) * x.c + i];
}

static void diagonal_matrix_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape x = n->in_spec[0].shape;
    for (int64_t b = 0; b < x.n * x.h; b++)
        for (int64_t i = 0; i < x.c; i++)
            for (int64_t j = 0; j < x.c; j++) out[0][(b * x.c + i) * x.c + j] = i == j ? in[0][b * x.c + i] : 0;
}

static const rheo_op_sample diagonal_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 33, 33) } }, { .n_in = 1, .in = { RHEO_SPEC_F32(2, 3, 7, 7) } },
};
static const rheo_op_sample diagonal_matrix_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 33) } }, { .n_in = 1, .in = { RHEO_SPEC_F32(2, 3, 1, 7) } },
};

const rheo_op rheo_op_diagonal = {
    .name = "diagonal", .infer = diagonal_infer, .gradient = diagonal_gradient, .launch = diagonal_launch,
    .reference = diagonal_reference, RHEO_SAMPLES(diagonal_samples),
};
const rheo_op rheo_op_diagonal_matrix = {
    .name = "diagonal_matrix", .infer = diagonal_matrix_infer, .gradient = diagonal_matrix_gradient, .launch = diagonal_matrix_launch,
    .reference = diagonal_matrix_reference, RHEO_SAMPLES(diagonal_matrix_samples),
};

rheo_value rheo_diagonal(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_diagonal, 1, &x, NULL, 0); }
rheo_value rheo_diagonal_matrix(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_diagonal_matrix, 1, &x, NULL, 0); }
