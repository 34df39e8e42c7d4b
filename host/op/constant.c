/* Contents known when the graph is built: numbers and small tables. The planner uploads them once. */
#include "op/common.h"
#include "op/fold.h"
#include "op/ops.h"

#include <string.h>

static bool table_infer(rheo_graph *g, rheo_node *n)
{
    (void)g;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ rheo_vector((int64_t)(n->attr_bytes / 4)), n->op == &rheo_op_table_f32 ? RHEO_F32 : RHEO_U32 };
    return true;
}

static const float sample_f32[] = { 0, -1, 0.1f, 1e30f, 1e-30f };
static const uint32_t sample_u32[] = { 0, 1, 0x80000000u };
static const rheo_op_sample table_f32_samples[] = { { .attr = sample_f32, .attr_bytes = sizeof sample_f32 } };
static const rheo_op_sample table_u32_samples[] = { { .attr = sample_u32, .attr_bytes = sizeof sample_u32 } };

/* Tolerance 0: copies. The executors read the attributes themselves. */
const rheo_op rheo_op_table_f32 = {
    .name = "table_f32", .flags = RHEO_OP_LITERAL | RHEO_OP_NO_GRADIENT, .infer = table_infer,
    RHEO_SAMPLES(table_f32_samples),
};
const rheo_op rheo_op_table_u32 = {
    .name = "table_u32", .flags = RHEO_OP_LITERAL | RHEO_OP_NO_GRADIENT, .infer = table_infer,
    RHEO_SAMPLES(table_u32_samples),
};

static rheo_value table(rheo_graph *g, const rheo_op *op, rheo_shape shape, const void *data)
{
    if (shape.n < 1 || shape.h < 1 || shape.w < 1 || shape.c < 1)
        return rheo_graph_fail(g, "%s: " RHEO_SHAPE_TEXT " has an empty dimension", op->name, RHEO_SHAPE_LIST(shape));
    return rheo_reshape(g, rheo_apply(g, op, 0, NULL, data, (size_t)rheo_count(shape) * 4), shape);
}

rheo_value rheo_table_f32(rheo_graph *g, rheo_shape shape, const float *data) { return table(g, &rheo_op_table_f32, shape, data); }
rheo_value rheo_table_u32(rheo_graph *g, rheo_shape shape, const uint32_t *data) { return table(g, &rheo_op_table_u32, shape, data); }

/* One number, spread out: whoever can broadcast by itself reads the number. */
rheo_value rheo_constant(rheo_graph *g, rheo_shape shape, float value)
{
    return rheo_broadcast(g, rheo_table_f32(g, rheo_vector(1), &value), shape);
}

bool rheo_literal_number(const rheo_graph *g, rheo_value v, float *out)
{
    const rheo_node *n = rheo_node_of(g, v);
    if (n->op != &rheo_op_table_f32 || n->attr_bytes != sizeof *out) return false;
    memcpy(out, n->attr, sizeof *out);
    return true;
}
