#include "train/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/feed.h"

static rheo_value samples(const rheo_drawer *d, rheo_build *b)
{
    const rheo_model *m = d->in->model;
    if (m->classes) b->classes = rheo_whole(b->g, d->classes, RHEO_SHAPE(d->batch, 1, 1, m->classes));
    if (d->codes >= 0) return m->type->decode(b, m, rheo_whole(b->g, d->codes, RHEO_SHAPE(d->batch, 1, 1, rheo_dims(m->data))));
    return m->type->sample(b, m, d->batch, rheo_key_value(b->g, &d->key), rheo_whole(b->g, d->temperature, rheo_vector(1)));
}

static rheo_status create(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, bool given, rheo_drawer *out, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(in);
    const cJSON *bits = cJSON_GetObjectItemCaseSensitive(config, "bits");
    const int64_t dims = rheo_dims(in->model->data), classes = in->model->classes;
    rheo_build b = { 0 };
    rheo_drawer d = { .in = in, .batch = batch, .levels = cJSON_IsNumber(bits) ? 1 << bits->valueint : 256, .temperature = -1, .codes = -1,
                      .classes = -1 };
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    if (given) d.codes = rheo_storage_add(in->state, "codes", RHEO_F32, batch * dims);
    else d.temperature = rheo_storage_add(in->state, "temperature", RHEO_F32, 1);
    d.out = rheo_storage_add(in->state, "samples", RHEO_F32, batch * dims);
    if (classes) d.classes = rheo_storage_add(in->state, "sampled classes", RHEO_F32, batch * classes);
    d.results = malloc((size_t)(batch * (dims + classes)) * sizeof *d.results);
    rheo_status st = RHEO_OK;
    if (!g || (given ? d.codes : d.temperature) < 0 || d.out < 0 || (classes && d.classes < 0) || !d.results)
        st = rheo_fail(err, RHEO_ENOMEM, "no memory for %lld samples", (long long)batch);
    if (!st && !given) st = rheo_key_declare(in->state, &d.key, err);
    if (!st) st = rheo_build_init(&b, g, in->model->params, theta, in->fixed, err);
    if (!st) {
        rheo_assign(g, rheo_whole(g, d.out, rheo_batch_shape(in->model->data, batch)), samples(&d, &b));
        rheo_build_finish(&b);
        st = rheo_plan_create(g, in->state, &usual, &d.plan, err);
    }
    rheo_graph_destroy(g);
    if (st) rheo_drawer_free(&d);
    else *out = d;
    return st;
}

rheo_status rheo_drawer_create(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, rheo_drawer *out, rheo_error *err)
{
    return create(in, theta, config, batch, false, out, err);
}

rheo_status rheo_drawer_create_given(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, rheo_drawer *out, rheo_error *err)
{
    return create(in, theta, config, batch, true, out, err);
}

void rheo_drawer_free(rheo_drawer *d)
{
    rheo_plan_destroy(d->plan);
    free(d->results);
    d->plan = NULL;
    d->results = NULL;
}

/* The byte whose cell of width 256 / levels x lies in (flows 0.5); what is not a number becomes 0. */
static uint8_t to_byte(float x, int levels)
{
    const float cell = 256 / (float)levels, v = floorf(x / cell) * cell;
    return v >= 256 - cell ? (uint8_t)(256 - cell) : v > 0 ? (uint8_t)v : 0;
}

/* A batch, of which samples first, ..., n - 1 are wanted, as many as it holds. */
static rheo_status run(rheo_drawer *d, uint32_t first, uint32_t n, const uint8_t *labels, void *out, rheo_error *err)
{
    const rheo_data_shape shape = d->in->model->data;
    const int64_t dims = rheo_dims(shape), now = n - first < d->batch ? n - first : d->batch, classes = d->in->model->classes;
    rheo_status st = RHEO_OK;
    if (classes) {
        const rheo_rows rows = { .count = n, .labels = (uint8_t *)(uintptr_t)labels };    /* read only */
        float *weights = d->results + d->batch * dims;
        rheo_rows_fill_classes(&rows, first, d->batch, classes, weights);
        st = rheo_state_write(d->in->state, d->classes, 0, d->batch * classes, weights, err);
    }
    if (!st) st = rheo_plan_run(d->plan, err);
    if (!st) st = rheo_state_read(d->in->state, d->out, 0, d->batch * dims, d->results, err);
    if (st) return st;
    if (!shape.bytes) memcpy((float *)out + first * dims, d->results, (size_t)(now * dims) * sizeof(float));
    else
        for (int64_t i = 0; i < now * dims; i++) ((uint8_t *)out)[first * dims + i] = to_byte(d->results[i], d->levels);
    return st;
}

rheo_status rheo_drawer_draw(rheo_drawer *d, uint32_t n, const uint8_t *labels, double temperature, uint64_t seed, void *out,
                             rheo_error *err)
{
    rheo_state *state = d->in->state;
    const float t = (float)temperature;
    rheo_status st = rheo_state_write(state, d->temperature, 0, 1, &t, err);
    for (uint32_t first = 0; first < n && !st; first += (uint32_t)d->batch) {
        st = rheo_key_write(state, &d->key, seed, 0, first, err);
        if (!st) st = run(d, first, n, labels, out, err);
    }
    return st;
}

/* What a last batch has no codes for is decoded from earlier ones. */
rheo_status rheo_drawer_decode(rheo_drawer *d, uint32_t n, const uint8_t *labels, const float *codes, void *out, const rheo_watch *watch,
                               rheo_error *err)
{
    const int64_t dims = rheo_dims(d->in->model->data);
    rheo_status st = RHEO_OK;
    for (uint32_t first = 0; first < n && !st; first += (uint32_t)d->batch) {
        const int64_t now = n - first < d->batch ? n - first : d->batch;
        st = rheo_state_write(d->in->state, d->codes, 0, now * dims, codes + first * dims, err);
        if (!st) st = run(d, first, n, labels, out, err);
        if (!st) rheo_watch_tell(watch, first + (uint32_t)now, n);
    }
    return st;
}
