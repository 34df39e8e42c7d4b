/* y = x + increment modulo 2^32: counters that live on the device. */
#include "op/common.h"
#include "op/ops.h"

static bool add_u32_infer(rheo_graph *g, rheo_node *n)
{
    if (!rheo_check_type(g, n, 0, RHEO_U32)) return false;
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    return true;
}

static rheo_status add_u32_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const int64_t count = rheo_count(n->out[0].shape);
    return RHEO_EMIT(l, err, "pointwise", "add_u32", rheo_grid_items(l, count), RHEO_BUF(rheo_in(l, 0)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(count), RHEO_UINT(*(const uint32_t *)n->attr));
}

static void add_u32_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const uint32_t increment = *(const uint32_t *)n->attr;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) out[0][i] = (double)((uint32_t)in[0][i] + increment);
}

static const uint32_t sample_one = 1, sample_wrap = 0xfffffffbu;
#define SAMPLE(c, increment) \
    { .n_in = 1, .in = { RHEO_SPEC_U32(1, 1, 1, c) }, .fill = { { .below = 9 } }, .attr = &increment, .attr_bytes = sizeof increment }
static const rheo_op_sample add_u32_samples[] = { SAMPLE(1, sample_one), SAMPLE(33, sample_wrap) };

const rheo_op rheo_op_add_u32 = {
    .name = "add_u32", .flags = RHEO_OP_INPLACE | RHEO_OP_NO_GRADIENT, .infer = add_u32_infer, .launch = add_u32_launch,
    .reference = add_u32_reference, RHEO_SAMPLES(add_u32_samples), .tolerance = 0,
};

rheo_value rheo_add_u32(rheo_graph *g, rheo_value counter, uint32_t increment)
{
    return rheo_apply(g, &rheo_op_add_u32, 1, &counter, &increment, sizeof increment);
}
