/* Sum of squares of the finite elements and count of the others, [1, 1, 1, 2]: what clipping and the guard decide by. Squares
 * beyond float32's range make the sum non-finite. */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>

static bool norm2_infer(rheo_graph *g, rheo_node *n)
{
    if (!rheo_check_type(g, n, 0, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ rheo_vector(2), RHEO_F32 };
    return true;
}

/* Parts are split by count alone: at most 1024, of at least 8192 elements. */
static int64_t part_length(const rheo_node *n)
{
    const int64_t count = rheo_count(n->in_spec[0].shape), length = (count + 1023) / 1024;
    return length < 8192 ? 8192 : (length + 63) / 64 * 64;
}

static int64_t parts_of(const rheo_node *n)
{
    const int64_t length = part_length(n);
    return (rheo_count(n->in_spec[0].shape) + length - 1) / length;
}

static size_t norm2_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    (void)dev;
    return 3 * (size_t)parts_of(n);
}

static rheo_status norm2_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t parts = parts_of(n);
    size_t group = 1;
    while (dev->kind != RHEO_CPU && group < 64 && 2 * group <= dev->max_group) group *= 2;
    const rheo_grid all = { { (size_t)parts * group, 1, 1 }, { group, 1, 1 } }, one = { { group, 1, 1 }, { group, 1, 1 } };
    const rheo_status st = RHEO_EMIT(l, err, "pointwise", "norm2_parts", all, RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_work(l)),
                                     RHEO_INT(rheo_count(n->in_spec[0].shape)), RHEO_INT(part_length(n)),
                                     RHEO_LOCAL(group * 2 * sizeof(float)));
    if (st) return st;
    return RHEO_EMIT(l, err, "pointwise", "norm2_total", one, RHEO_BUF(rheo_work(l)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(parts),
                     RHEO_LOCAL(group * 2 * sizeof(float)));
}

static rheo_cost norm2_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->in_spec[0].shape);
    return (rheo_cost){ 2 * count, 4 * count };
}

static void norm2_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    out[0][0] = out[0][1] = 0;
    for (int64_t i = 0; i < rheo_count(n->in_spec[0].shape); i++) {
        if (isfinite(in[0][i])) out[0][0] += in[0][i] * in[0][i];
        else out[0][1] += 1;
    }
}

static const rheo_op_sample norm2_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 1) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(1, 1, 1, 8193) } },
    { .n_in = 1, .in = { RHEO_SPEC_F32(3, 37, 41, 11) } },
};

/* 2: the squares' own roundings, averaged, and the result's. */
const rheo_op rheo_op_norm2 = {
    .name = "norm2", .flags = RHEO_OP_NO_GRADIENT, .infer = norm2_infer, .launch = norm2_launch, .workspace = norm2_workspace,
    .cost = norm2_cost, .reference = norm2_reference, RHEO_SAMPLES(norm2_samples), .tolerance = 2,
};

rheo_value rheo_norm2(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_norm2, 1, &x, NULL, 0); }
