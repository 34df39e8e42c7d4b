#include "train/encode.h"

#include <stdlib.h>

#include "train/feed.h"

rheo_status rheo_encoder_create(const rheo_instance *in, int theta, int64_t batch, rheo_encoder *out, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(in);
    const rheo_model *m = in->model;
    const int64_t dims = rheo_dims(m->data);
    rheo_build b = { 0 };
    rheo_encoder e = { .in = in, .batch = batch };
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    e.x = rheo_storage_add(in->state, "encoded", RHEO_F32, batch * dims);
    e.codes = rheo_storage_add(in->state, "its codes", RHEO_F32, batch * dims);
    e.staging = malloc((size_t)(batch * dims) * sizeof *e.staging);
    rheo_status st = RHEO_OK;
    if (!g || e.x < 0 || e.codes < 0 || !e.staging) st = rheo_fail(err, RHEO_ENOMEM, "no memory for a batch of %lld", (long long)batch);
    if (!st) st = rheo_key_declare(in->state, &e.key, err);
    if (!st) st = rheo_build_init(&b, g, m->params, theta, in->fixed, err);
    if (!st) {
        const rheo_value x = rheo_whole(g, e.x, rheo_batch_shape(m->data, batch));
        const rheo_value codes = m->type->encode(&b, m, x, rheo_key_value(g, &e.key));
        rheo_assign(g, rheo_whole(g, e.codes, RHEO_SHAPE(batch, 1, 1, dims)), codes);
        rheo_build_finish(&b);
        st = rheo_plan_create(g, in->state, &usual, &e.plan, err);
    }
    rheo_graph_destroy(g);
    if (st) rheo_encoder_free(&e);
    else *out = e;
    return st;
}

void rheo_encoder_free(rheo_encoder *e)
{
    rheo_plan_destroy(e->plan);
    free(e->staging);
    e->plan = NULL;
    e->staging = NULL;
}

rheo_status rheo_encoder_encode(rheo_encoder *e, const rheo_rows *rows, uint64_t seed, float *codes, const rheo_watch *watch, rheo_error *err)
{
    rheo_state *state = e->in->state;
    const int64_t dims = rheo_dims(e->in->model->data);
    const uint32_t n = rows->count;
    rheo_status st = RHEO_OK;
    for (uint32_t first = 0; first < n && !st; first += (uint32_t)e->batch) {
        const int64_t now = n - first < e->batch ? n - first : e->batch;
        rheo_rows_fill(rows, dims, first, e->batch, e->staging);
        st = rheo_key_write(state, &e->key, seed, 0, first, err);
        if (!st) st = rheo_state_write(state, e->x, 0, e->batch * dims, e->staging, err);
        if (!st) st = rheo_plan_run(e->plan, err);
        if (!st) st = rheo_state_read(state, e->codes, 0, now * dims, codes + first * dims, err);
        if (!st) rheo_watch_tell(watch, first + (uint32_t)now, n);
    }
    return st;
}
