/* y T = x for every row x, T lower or upper triangular: the two solves that invert an LU-parametrised 1x1 convolution
 * (flows 1.2). Forward or back substitution; T's other triangle is not read. */
#include "op/common.h"
#include "op/ops.h"

typedef struct solve_attr { int32_t lower, unit, transpose; } solve_attr;

static bool solve_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape x = n->in_spec[0].shape, t = n->in_spec[1].shape;
    if (!rheo_check_type(g, n, 1, RHEO_F32)) return false;
    if (t.n == 1 && t.h == 1 && t.w == t.c && t.c == x.c) return rheo_infer_same(g, n);
    rheo_graph_fail(g, "solve_triangular: rows of " RHEO_SHAPE_TEXT " by a matrix " RHEO_SHAPE_TEXT ", expected [1 1 C C]",
                    RHEO_SHAPE_LIST(x), RHEO_SHAPE_LIST(t));
    return false;
}

/* x = y op(T): dx op(T)^T = dy, and d op(T) = -y^T dx where T is read. */
static void solve_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const solve_attr *a = n->attr;
    const rheo_shape flat = RHEO_SHAPE(1, 1, rheo_positions(n->out[0].shape), n->out[0].shape.c);
    dx[0] = rheo_solve_triangular(g, dy[0], n->in[1], a->lower, a->unit, !a->transpose);
    const rheo_value y = rheo_reshape(g, rheo_result(n, 0), flat), d = rheo_reshape(g, dx[0], flat);
    const rheo_value whole = rheo_neg(g, a->transpose ? rheo_matmul(g, d, y, true, false) : rheo_matmul(g, y, d, true, false));
    dx[1] = rheo_triangle(g, whole, a->lower ? -1 : 1);
    if (!a->unit) dx[1] = rheo_add(g, dx[1], rheo_diagonal_matrix(g, rheo_diagonal(g, whole)));
}

/* Work-items: on a CPU a few a core, each VEC rows at a time; on a GPU a row each up to a bound. Each has workspace. */
static rheo_grid solve_grid(const rheo_device_facts *dev, int64_t rows)
{
    const bool cpu = dev->kind == RHEO_CPU;
    const int64_t width = dev->vector_width, groups = (rows + width - 1) / width;
    const int64_t most = (int64_t)dev->compute_units * (cpu ? 4 : 1024), local = cpu ? 1 : 32;
    const int64_t items = groups < most ? groups : most;
    return (rheo_grid){ { (size_t)((items + local - 1) / local * local), 1, 1 }, { (size_t)local, 1, 1 } };
}

static size_t solve_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    return solve_grid(dev, rheo_positions(n->out[0].shape)).global[0] * (size_t)n->out[0].shape.c * dev->vector_width;
}

static rheo_status solve_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const solve_attr *a = n->attr;
    const int64_t rows = rheo_positions(n->out[0].shape), c = n->out[0].shape.c;
    /* Row i of op(T) tells where y_i enters: upper triangles are solved from the first unknown on, lower from the last. */
    const bool backwards = !a->lower == !!a->transpose;
    const int64_t ta = a->transpose ? 1 : c, tb = a->transpose ? c : 1;
    return RHEO_EMIT(l, err, "flow", "solve_triangular", solve_grid(rheo_launcher_facts(l), rows), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_work(l)), RHEO_INT(rows), RHEO_INT(c),
                     RHEO_INT(backwards ? c - 1 : 0), RHEO_INT(backwards ? -1 : 1), RHEO_INT(backwards ? c * c - 1 : 0),
                     RHEO_INT(backwards ? -ta : ta), RHEO_INT(backwards ? -tb : tb), RHEO_INT(a->unit));
}

static rheo_cost solve_cost(const rheo_node *n)
{
    const double rows = (double)rheo_positions(n->out[0].shape), c = (double)n->out[0].shape.c;
    return (rheo_cost){ rows * c * c, 4 * (2 * rows * c + c * (c + 1) / 2) };
}

static void solve_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const solve_attr *a = n->attr;
    const int64_t rows = rheo_positions(n->out[0].shape), c = n->out[0].shape.c;
    const bool backwards = !a->lower == !!a->transpose;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t p = 0; p < c; p++) {
            const int64_t j = backwards ? c - 1 - p : p;
            double sum = in[0][r * c + j];
            for (int64_t q = 0; q < p; q++) {
                const int64_t i = backwards ? c - 1 - q : q;
                sum -= out[0][r * c + i] * in[1][a->transpose ? j * c + i : i * c + j];
            }
            out[0][r * c + j] = a->unit ? sum : sum / in[1][j * c + j];
        }
}

/* The unit samples' triangles are small against the diagonal; the others' are close to all ones, whose inverse is bidiagonal. */
static const solve_attr lower_unit = { 1, 1, 0 }, upper_unit = { 0, 1, 1 }, lower_any = { 1, 0, 1 }, upper_any = { 0, 0, 0 };
#define SAMPLE(N, H, W, C, s, m, a)                                                                                      \
    { .n_in = 2, .in = { RHEO_SPEC_F32(N, H, W, C), RHEO_SPEC_F32(1, 1, C, C) }, .fill = { { 0 }, { .scale = s, .shift = m } }, \
      .attr = &a, .attr_bytes = sizeof a }
static const rheo_op_sample solve_samples[] = {
    SAMPLE(2, 3, 5, 12, 0.05, 0, lower_unit), SAMPLE(1, 1, 33, 31, 0.05, 0, upper_unit), SAMPLE(3, 1, 1, 9, 0.05, 1, lower_any),
    SAMPLE(1, 4, 8, 17, 0.05, 1, upper_any),  SAMPLE(1, 1, 1, 1, 0.05, 1, lower_any),    SAMPLE(1, 7, 1, 8, 0.05, 1, upper_any),
};

/* 50: c = 31 products of half an ulp each, times the samples' condition, about 3. */
const rheo_op rheo_op_solve_triangular = {
    .name = "solve_triangular", .infer = solve_infer, .gradient = solve_gradient, .launch = solve_launch, .workspace = solve_workspace,
    .cost = solve_cost, .reference = solve_reference, RHEO_SAMPLES(solve_samples), .tolerance = 50,
};

rheo_value rheo_solve_triangular(rheo_graph *g, rheo_value x, rheo_value t, bool lower, bool unit, bool transpose)
{
    const solve_attr a = { lower, unit, transpose };
    return rheo_apply(g, &rheo_op_solve_triangular, 2, (rheo_value[]){ x, t }, &a, sizeof a);
}
