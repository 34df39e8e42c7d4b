/* y = (float)x for uint32 x. */
#include "op/common.h"
#include "op/ops.h"

#include <string.h>

static bool to_float_infer(rheo_graph *g, rheo_node *n)
{
    if (!rheo_check_type(g, n, 0, RHEO_U32)) return false;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ n->in_spec[0].shape, RHEO_F32 };
    return true;
}

static rheo_status to_float_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const int64_t count = rheo_count(n->out[0].shape);
    return RHEO_EMIT(l, err, "pointwise", "to_float", rheo_grid_items(l, count), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(count));
}

static void to_float_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t)rheo_count(n->out[0].shape) * sizeof(double));
}

static const rheo_op_sample to_float_samples[] = {
    { .n_in = 1, .in = { RHEO_SPEC_U32(1, 1, 1, 1) }, .fill = { { .below = 256 } } },
    { .n_in = 1, .in = { RHEO_SPEC_U32(2, 3, 1, 65) }, .fill = { { .below = 1u << 31 } } },
};

/* 1: rounded to nearest above 2^24. */
const rheo_op rheo_op_to_float = {
    .name = "to_float", .flags = RHEO_OP_INPLACE | RHEO_OP_NO_GRADIENT, .infer = to_float_infer, .launch = to_float_launch,
    .reference = to_float_reference, RHEO_SAMPLES(to_float_samples), .tolerance = 1,
};

rheo_value rheo_to_float(rheo_graph *g, rheo_value x) { return rheo_apply(g, &rheo_op_to_float, 1, &x, NULL, 0); }
