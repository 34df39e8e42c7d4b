#include "train/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "base/running_mean.h"
#include "train/feed.h"

typedef rheo_value (*per_sample)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);

/* Plan of `what` into the storage `to`, `count` numbers a sample. */
static rheo_status make_plan(const rheo_evaluator *e, int theta, per_sample what, int to, int64_t count, rheo_plan **out, rheo_error *err)
{
    const rheo_instance *in = e->in;
    const rheo_plan_options usual = rheo_usual_plan(in);
    rheo_build b = { 0 };
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    if (!g) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_status st = rheo_build_init(&b, g, in->model->params, theta, in->fixed, err);
    if (!st) {
        const rheo_value x = rheo_whole(g, e->x, rheo_batch_shape(in->model->data, e->batch));
        if (e->classes >= 0) b.classes = rheo_whole(g, e->classes, RHEO_SHAPE(e->batch, 1, 1, in->model->classes));
        const rheo_value each = what(&b, in->model, x, rheo_key_value(g, &e->key));
        rheo_assign(g, rheo_whole(g, to, RHEO_SHAPE(e->batch, 1, 1, count)), each);
        rheo_build_finish(&b);
        st = rheo_plan_create(g, in->state, &usual, out, err);
    }
    rheo_graph_destroy(g);
    return st;
}

static rheo_status declare(rheo_evaluator *e, rheo_error *err)
{
    rheo_state *state = e->in->state;
    const int64_t dims = rheo_dims(e->in->model->data), classes = e->in->model->classes;
    e->x = rheo_storage_add(state, "evaluated", RHEO_F32, e->batch * dims);
    e->out = rheo_storage_add(state, "evaluation", RHEO_F32, e->batch);
    bool ok = e->x >= 0 && e->out >= 0;
    if (classes) {
        e->classes = rheo_storage_add(state, "their classes", RHEO_F32, e->batch * classes);
        e->each_class = rheo_storage_add(state, "given each class", RHEO_F32, e->batch * classes);
        ok = ok && e->classes >= 0 && e->each_class >= 0;
    }
    e->staging = malloc((size_t)(e->batch * (dims + classes)) * sizeof *e->staging);
    e->results = malloc((size_t)(e->batch * (1 + classes)) * sizeof *e->results);
    if (ok && e->staging && e->results) return rheo_key_declare(state, &e->key, err);
    return rheo_fail(err, RHEO_ENOMEM, "no memory for a batch of %lld", (long long)e->batch);
}

rheo_status rheo_evaluator_create(const rheo_instance *in, int theta, int64_t batch, bool trained, rheo_evaluator *out, rheo_error *err)
{
    const rheo_model_type *type = in->model->type;
    const int64_t classes = in->model->classes;
    rheo_evaluator e = { .in = in, .batch = batch, .classes = -1, .each_class = -1 };
    rheo_status st = declare(&e, err);
    if (!st) st = make_plan(&e, theta, type->loss, e.out, 1, &e.loss, err);
    if (!st && trained && type->round_trip) st = make_plan(&e, theta, type->round_trip, e.out, 1, &e.round_trip, err);
    if (!st && trained && classes) st = make_plan(&e, theta, type->class_loss, e.each_class, classes, &e.class_loss, err);
    if (st) rheo_evaluator_free(&e);
    else *out = e;
    return st;
}

void rheo_evaluator_free(rheo_evaluator *e)
{
    rheo_plan_destroy(e->loss);
    rheo_plan_destroy(e->round_trip);
    rheo_plan_destroy(e->class_loss);
    free(e->staging);
    free(e->results);
    e->loss = e->round_trip = e->class_loss = NULL;
    e->staging = e->results = NULL;
}

static rheo_status run(rheo_evaluator *e, rheo_plan *plan, const rheo_rows *rows, uint32_t first, uint64_t seed, rheo_error *err)
{
    rheo_state *state = e->in->state;
    const int64_t dims = rheo_dims(e->in->model->data), classes = e->in->model->classes;
    float *weights = e->staging + e->batch * dims;
    rheo_rows_fill(rows, dims, first, e->batch, e->staging);
    if (classes) rheo_rows_fill_classes(rows, first, e->batch, classes, weights);
    rheo_status st = rheo_key_write(state, &e->key, seed, 0, first, err);
    if (!st) st = rheo_state_write(state, e->x, 0, e->batch * dims, e->staging, err);
    if (!st && classes) st = rheo_state_write(state, e->classes, 0, e->batch * classes, weights, err);
    if (!st) st = rheo_plan_run(plan, err);
    if (st) return st;
    if (plan == e->class_loss) return rheo_state_read(state, e->each_class, 0, e->batch * classes, e->results, err);
    return rheo_state_read(state, e->out, 0, e->batch, e->results, err);
}

rheo_status rheo_evaluator_loss(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                rheo_error *err)
{
    const rheo_status st = run(e, e->loss, rows, first, seed, err);
    for (int64_t i = 0; i < n && !st; i++) out[i] = e->results[i] + e->in->units;
    return st;
}

rheo_status rheo_evaluator_class_loss(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                      rheo_error *err)
{
    const rheo_status st = run(e, e->class_loss, rows, first, seed, err);
    for (int64_t i = 0; i < n * e->in->model->classes && !st; i++) out[i] = e->results[i];
    return st;
}

rheo_status rheo_evaluator_round_trip(rheo_evaluator *e, const rheo_rows *rows, uint32_t first, int64_t n, uint64_t seed, double *out,
                                      rheo_error *err)
{
    const rheo_status st = run(e, e->round_trip, rows, first, seed, err);
    *out = 0;
    for (int64_t i = 0; i < n && !st; i++)
        if (e->results[i] > *out || isnan(e->results[i])) *out = e->results[i];      /* a NaN is the worst of all, and stays */
    return st;
}

rheo_status rheo_evaluator_mean(rheo_evaluator *e, const rheo_rows *rows, uint32_t n, uint64_t seed, const volatile int *stop,
                                rheo_average *out, double *each, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    rheo_running_mean mean = { 0 };
    double *losses = malloc((size_t)e->batch * sizeof *losses);
    if (!losses) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (uint32_t first = 0; first < n && !st; first += (uint32_t)e->batch) {
        const int64_t now = n - first < e->batch ? n - first : e->batch;
        if (stop && *stop) {
            st = rheo_fail(err, RHEO_ESTOPPED, "stopped while evaluating");
            break;
        }
        st = rheo_evaluator_loss(e, rows, first, now, seed, losses, err);
        for (int64_t i = 0; i < now && !st; i++) {
            rheo_running_mean_add(&mean, losses[i]);
            if (each) each[first + i] = losses[i];
        }
    }
    free(losses);
    if (!st) *out = (rheo_average){ mean.mean, rheo_running_mean_error(&mean) };
    return st;
}
