/* Data-dependent initialisation: one plan, run once. */
#include "train/step.h"

enum { INITIAL_ROWS = 256 };

int64_t rheo_initial_rows(rheo_data_shape s, int64_t rows)
{
    int64_t n = s.h * s.w > 1024 ? (int64_t)INITIAL_ROWS * 1024 / (s.h * s.w) : INITIAL_ROWS;
    if (n < 4) n = 4;
    return n < rows ? n : rows;
}

rheo_status rheo_trainstep_initialise(const rheo_instance *in, uint64_t seed, int64_t n, const float *x, rheo_error *err)
{
    /* A step that training never reaches, so that its numbers are nobody else's. */
    const uint32_t words[4] = { (uint32_t)seed, (uint32_t)(seed >> 32), UINT32_MAX, 0 };
    const rheo_shape shape = rheo_batch_shape(in->model->data, n);
    const rheo_plan_options usual = rheo_usual_plan(in);
    rheo_plan *plan = NULL;
    rheo_build b = { 0 };
    const int batch = rheo_storage_add(in->state, "initial batch", RHEO_F32, rheo_count(shape));
    const int loss = rheo_storage_add(in->state, "initial loss", RHEO_F32, n);
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    if (batch < 0 || loss < 0 || !g) {
        rheo_graph_destroy(g);
        return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    rheo_status st = rheo_build_init(&b, g, in->model->params, in->theta, in->fixed, err);
    if (!st) {
        b.initialise = true;
        const rheo_value key = rheo_table_u32(g, rheo_vector(4), words);
        const rheo_value each = in->model->type->loss(&b, in->model, rheo_whole(g, batch, shape), key);
        rheo_assign(g, rheo_whole(g, loss, rheo_shape_of(g, each)), each);      /* so that all of it is evaluated */
        rheo_build_finish(&b);
        st = rheo_plan_create(g, in->state, &usual, &plan, err);
    }
    if (!st && !in->trial) st = rheo_state_write(in->state, batch, 0, rheo_count(shape), x, err);
    if (!st && !in->trial) st = rheo_plan_run(plan, err);
    const rheo_status waited = rheo_instance_finish(in, err);
    rheo_plan_destroy(plan);
    rheo_graph_destroy(g);
    return st ? st : waited;
}
