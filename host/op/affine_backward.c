/* The gradient of y = act((x + b) exp(factor l)) from its output, in one pass over dy and y: e = dy where active,
 * dx = e exp(factor l), db = sum dx, dl = factor (sum e y + H W sum dlogdet). Sums by blocks of rows; then over the blocks. */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>

enum { BLOCK_ROWS = 128 };      /* a matter of shape only, so that sums do not depend on the device */

static rheo_affine_attr attr_of(const rheo_node *n) { return *(const rheo_affine_attr *)n->attr; }
static bool has_logdet(const rheo_node *n) { return n->n_in > 3; }
static double area(const rheo_node *n) { return (double)(n->out[0].shape.h * n->out[0].shape.w); }
static int64_t blocks_of(const rheo_node *n) { return (rheo_positions(n->out[0].shape) + BLOCK_ROWS - 1) / BLOCK_ROWS; }

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
    out[2] = has_logdet(n) ? rheo_add(g, dl, rheo_affine(g, rheo_sum(g, n->in[3], RHEO_AXIS_N), factor * area(n), 0)) : dl;
}

static size_t backward_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    (void)dev;
    return (size_t)(2 * blocks_of(n) * n->out[0].shape.c);
}

static rheo_status backward_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->out[0].shape;
    const int64_t blocks = blocks_of(n);
    const bool cpu = rheo_launcher_facts(l)->kind == RHEO_CPU;
    const size_t lanes = cpu ? 1 : 64, across = cpu ? 1 : ((size_t)s.c + 63) / 64 * 64;
    const rheo_grid by_block = { { across, (size_t)blocks, 1 }, { lanes, 1, 1 } };
    rheo_status st = RHEO_EMIT(l, err, "flow", "affine_act_backward", by_block, RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_in(l, 1)),
                               RHEO_BUF(rheo_in(l, 2)), RHEO_BUF(rheo_out(l, 0)), RHEO_BUF(rheo_work(l)), RHEO_INT(rheo_positions(s)),
                               RHEO_INT(s.c), RHEO_INT(BLOCK_ROWS), RHEO_INT(attr_of(n).relu), RHEO_FLOAT(attr_of(n).factor));
    if (st) return st;
    return RHEO_EMIT(l, err, "flow", "affine_act_backward_sums", rheo_grid_items(l, s.c), RHEO_BUF(rheo_work(l)),
                     RHEO_BUF(rheo_in(l, has_logdet(n) ? 3 : 0)), RHEO_BUF(rheo_out(l, 1)), RHEO_BUF(rheo_out(l, 2)), RHEO_INT(blocks),
                     RHEO_INT(s.c), RHEO_INT(has_logdet(n) ? s.n : 0), RHEO_FLOAT(area(n)), RHEO_FLOAT(attr_of(n).factor));
}

static void backward_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_affine_attr a = attr_of(n);
    const rheo_shape s = n->out[0].shape;
    for (int64_t i = 0; i < rheo_count(s); i++) {
        const int64_t c = i % s.c;
        const double e = a.relu && !(in[1][i] > 0) ? 0 : in[0][i];
        out[0][i] = e * exp((double)a.factor * in[2][c]);
        out[1][c] += out[0][i];
        out[2][c] += (double)a.factor * e * in[1][i];
    }
    for (int64_t i = 0; i < s.n && has_logdet(n); i++)
        for (int64_t c = 0; c < s.c; c++) out[2][c] += (double)a.factor * area(n) * in[3][i];
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
    SAMPLE(4, 1, 1, 1, 1, plain),  SAMPLE(4, 3, 5, 7, 12, plain), SAMPLE(3, 2, 9, 9, 33, relu),
    SAMPLE(3, 1, 16, 16, 65, relu), SAMPLE(3, 2, 8, 8, 128, relu),
};

/* Sums of up to 256 terms: at most 128 roundings in a row, of partial sums below the scale of the sum of magnitudes; 5 for each
 * term as in affine_act. */
const rheo_op rheo_op_affine_act_backward = {
    .name = "affine_act_backward", .infer = backward_infer, .expand = backward_expand, .launch = backward_launch,
    .workspace = backward_workspace, .cost = backward_cost, .reference = backward_reference, RHEO_SAMPLES(backward_samples), .tolerance = 133,
};

rheo_value rheo_affine_act_backward(rheo_graph *g, rheo_value dy, rheo_value y, rheo_value l, rheo_value dlogdet, rheo_affine_attr attr)
{
    return rheo_apply(g, &rheo_op_affine_act_backward, rheo_is_none(dlogdet) ? 3 : 4, (const rheo_value[]){ dy, y, l, dlogdet }, &attr,
                      sizeof attr);
}
