/* The gradient of y = act((x + b) exp(factor l)) from its output, in one pass over dy and y: e = dy where active,
 * dx = e exp(factor l), db = sum dx, dl = factor (sum e y + H W sum dlogdet). One launch on CPUs unless the tensor is tall;
 * otherwise sums by blocks of rows, then over the blocks. */
#include "op/affine_backward.h"
#include "op/common.h"

#include <math.h>

static rheo_affine_attr attr_of(const rheo_node *n) { return *(const rheo_affine_attr *)n->attr; }
static bool has_logdet(const rheo_node *n) { return n->n_in > 3; }
static double area(rheo_shape s) { return (double)(s.h * s.w); }

/* How the kernel walks: wide rows (on CPUs several rows of few channels are one) in blocks. Blocks are a matter of shape and of the
 * kind of device, so that sums do not depend on how many cores there are. */
typedef struct walk {
    int64_t columns, rows, blocks, block_rows;
} walk;

/* A tensor that caches hold is walked by strips of channels, one launch. A larger one comes from memory, which wants to be read in
 * order: blocks of whole rows. */
static int64_t cpu_block_rows(int64_t count, int64_t columns)
{
    enum { SMALL = 1 << 16, BLOCK = 1 << 15 };
    if (count <= SMALL) return count / columns;
    return columns < BLOCK ? BLOCK / columns : 1;
}

static walk walk_of(rheo_shape s, const rheo_device_facts *dev)
{
    enum { WIDE = 16, GPU_BLOCK_ROWS = 128 };
    const bool cpu = dev->kind == RHEO_CPU;
    walk w = { .columns = s.c };
    if (cpu && s.c < WIDE)
        while (w.columns % WIDE != 0) w.columns += s.c; /* the least common multiple */
    w.rows = rheo_count(s) / w.columns;
    w.block_rows = cpu ? cpu_block_rows(rheo_count(s), w.columns) : GPU_BLOCK_ROWS;
    w.blocks = w.rows > w.block_rows ? (w.rows + w.block_rows - 1) / w.block_rows : 1;
    return w;
}

static bool backward_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape dy = n->in_spec[0].shape;
    n->n_out = 3;
    n->out[0] = n->in_spec[0];
    n->out[1] = n->out[2] = n->in_spec[2];
    if (rheo_same_shape(dy, n->in_spec[1].shape) && rheo_same_shape(n->in_spec[2].shape, rheo_vector(dy.c)) &&
        (!has_logdet(n) || rheo_same_shape(n->in_spec[3].shape, RHEO_SHAPE(dy.n, 1, 1, 1))))
        return true;
    rheo_graph_fail(g, "affine_act_backward: dy is " RHEO_SHAPE_TEXT ", y " RHEO_SHAPE_TEXT ", l " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(dy),
                    RHEO_SHAPE_LIST(n->in_spec[1].shape), RHEO_SHAPE_LIST(n->in_spec[2].shape));
    return false;
}

static void backward_expand(rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    const double factor = (double)attr_of(n).factor;
    const rheo_value dy = n->in[0], y = n->in[1], e = attr_of(n).relu ? rheo_mul(g, dy, rheo_step(g, y)) : dy;
    const rheo_value dl = rheo_affine(g, rheo_sum_to(g, rheo_mul(g, e, y), n->in_spec[2].shape), factor, 0);
    out[0] = rheo_mul(g, e, rheo_exp(g, rheo_affine(g, n->in[2], factor, 0)));
    out[1] = rheo_sum_to(g, out[0], n->in_spec[2].shape);
    out[2] = has_logdet(n) ? rheo_add(g, dl, rheo_affine(g, rheo_sum(g, n->in[3], RHEO_AXIS_N), factor * area(n->out[0].shape), 0)) : dl;
}

size_t rheo_affine_backward_workspace(rheo_shape s, const rheo_device_facts *dev)
{
    const walk w = walk_of(s, dev);
    return w.blocks > 1 ? (size_t)(2 * w.blocks * s.c) : 0;
}

static size_t backward_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    return rheo_affine_backward_workspace(n->out[0].shape, dev);
}

/* Columns of a CPU's work-item: whole cache lines, as wide as leaves none idle. */
static int64_t span_of(walk w, const rheo_device_facts *dev)
{
    enum { LINE = 16, MOST = 512 }; /* SPAN of cl/affine.cl */
    const int64_t strips = w.blocks > 1 ? 1 : (int64_t)dev->compute_units, span = (w.columns + strips - 1) / strips;
    return span < MOST ? (span + LINE - 1) / LINE * LINE : MOST;
}

rheo_status rheo_affine_backward_sums(rheo_launcher *l, rheo_shape s, int64_t blocks, const rheo_affine_backward_args *a, rheo_error *err)
{
    return RHEO_EMIT(l, err, "flow", "affine_act_backward_sums", rheo_grid_items(l, s.c), RHEO_BUF(rheo_work(l)),
                     RHEO_BUF(a->dlogdet ? a->dlogdet : a->y), RHEO_BUF(a->db), RHEO_BUF(a->dl), RHEO_INT(blocks), RHEO_INT(s.c),
                     RHEO_INT(a->dlogdet ? s.n : 0), RHEO_FLOAT(area(s)), RHEO_FLOAT(a->attr.factor));
}

rheo_status rheo_affine_backward_launch(rheo_launcher *l, rheo_shape s, const rheo_affine_backward_args *a, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const walk w = walk_of(s, dev);
    const bool cpu = dev->kind == RHEO_CPU, narrow = w.columns != s.c;
    const int64_t span = narrow ? w.columns : span_of(w, dev);
    const rheo_grid grid = cpu ? rheo_grid_single((w.columns + span - 1) / span, w.blocks, 1)
                               : (rheo_grid){ { ((size_t)s.c + 63) / 64 * 64, (size_t)w.blocks, 1 }, { 64, 1, 1 } };
    const rheo_status st =
        RHEO_EMIT(l, err, "flow", "affine_act_backward", grid, RHEO_BUF(a->dy), RHEO_BUF(a->y), RHEO_BUF(a->l),
                  RHEO_BUF(a->dlogdet ? a->dlogdet : a->y), RHEO_BUF(a->dx), RHEO_BUF(w.blocks > 1 ? rheo_work(l) : a->db), RHEO_BUF(a->db),
                  RHEO_BUF(a->dl), RHEO_INT(rheo_count(s)), RHEO_INT(s.c), RHEO_INT(w.columns), RHEO_INT(span), RHEO_INT(w.block_rows),
                  RHEO_INT(a->attr.relu), RHEO_INT(a->dlogdet ? s.n : 0), RHEO_FLOAT(area(s)), RHEO_FLOAT(a->attr.factor));
    return st || w.blocks == 1 ? st : rheo_affine_backward_sums(l, s, w.blocks, a, err);
}

static rheo_status backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_affine_backward_args a = { rheo_in(l, 0),  rheo_in(l, 1),  rheo_in(l, 2),  has_logdet(n) ? rheo_in(l, 3) : NULL,
                                          rheo_out(l, 0), rheo_out(l, 1), rheo_out(l, 2), attr_of(n) };
    return rheo_affine_backward_launch(l, n->out[0].shape, &a, err);
}

void rheo_affine_backward_reference(rheo_shape s, rheo_affine_attr a, const double *const *in, double *const *out)
{
    for (int64_t i = 0; i < rheo_count(s); i++) {
        const int64_t c = i % s.c;
        const double e = a.relu && !(in[1][i] > 0) ? 0 : in[0][i];
        out[0][i] = e * exp((double)a.factor * in[2][c]);
        out[1][c] += out[0][i];
        out[2][c] += (double)a.factor * e * in[1][i];
    }
}

static void backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->out[0].shape;
    rheo_affine_backward_reference(s, attr_of(n), in, out);
    for (int64_t i = 0; i < s.n && has_logdet(n); i++)
        for (int64_t c = 0; c < s.c; c++) out[2][c] += (double)attr_of(n).factor * area(s) * in[3][i];
}

static rheo_cost backward_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 4 * count, 12 * count };
}

static const rheo_affine_attr plain = { 0, 1 }, relu = { 1, 3 };
#define SAMPLE(inputs, n, h, w, c, act)                                                                                                  \
    { .n_in = inputs, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(n, 1, 1, 1) }, \
      .fill = { { .scale = 1 }, { .scale = 1 }, { .scale = 0.2 } }, .attr = &act, .attr_bytes = sizeof act }
static const rheo_op_sample backward_samples[] = {
    SAMPLE(4, 1, 1, 1, 1, plain),  SAMPLE(4, 3, 5, 7, 12, plain), SAMPLE(3, 2, 9, 9, 33, relu),   SAMPLE(3, 1, 16, 16, 65, relu),
    SAMPLE(3, 2, 8, 8, 128, relu), SAMPLE(4, 1, 9, 5, 15, relu),  SAMPLE(3, 2, 3, 1, 513, plain), SAMPLE(4, 2, 91, 91, 4, plain),
    SAMPLE(3, 1, 9, 227, 33, relu),
};

/* 133: sums by blocks of 128 on GPUs, at most 128 roundings in a row, of partial sums below the scale of the sum of magnitudes; 5
 * for each term as in affine_act. Compensated sums on CPUs: 2 roundings, 15 where 16 rows are walked as one, and the blocks. */
const rheo_op rheo_op_affine_act_backward = {
    .name = "affine_act_backward", .infer = backward_infer, .expand = backward_expand, .launch = backward_launch,
    .workspace = backward_workspace, .cost = backward_cost, .reference = backward_reference, RHEO_SAMPLES(backward_samples), .tolerance = 133,
};

rheo_value rheo_affine_act_backward(rheo_graph *g, rheo_value dy, rheo_value y, rheo_value l, rheo_value dlogdet, rheo_affine_attr attr)
{
    return rheo_apply(g, &rheo_op_affine_act_backward, rheo_is_none(dlogdet) ? 3 : 4, (const rheo_value[]){ dy, y, l, dlogdet }, &attr,
                      sizeof attr);
}
