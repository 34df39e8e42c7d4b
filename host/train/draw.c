#include "train/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rheo_status rheo_drawer_create(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, rheo_drawer *out, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(in);
    const cJSON *bits = cJSON_GetObjectItemCaseSensitive(config, "bits");
    const int64_t dims = rheo_dims(in->model->data);
    rheo_build b = { 0 };
    rheo_drawer d = { .in = in, .batch = batch, .levels = cJSON_IsNumber(bits) ? 1 << bits->valueint : 256 };
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    d.temperature = rheo_storage_add(in->state, "temperature", RHEO_F32, 1);
    d.out = rheo_storage_add(in->state, "samples", RHEO_F32, batch * dims);
    d.results = malloc((size_t)(batch * dims) * sizeof *d.results);
    rheo_status st = RHEO_OK;
    if (!g || d.temperature < 0 || d.out < 0 || !d.results)
        st = rheo_fail(err, RHEO_ENOMEM, "no memory for %lld samples", (long long)batch);
    if (!st) st = rheo_key_declare(in->state, &d.key, err);
    if (!st) st = rheo_build_init(&b, g, in->model->params, theta, in->fixed, err);
    if (!st) {
        const rheo_value key = rheo_key_value(g, &d.key), temperature = rheo_whole(g, d.temperature, rheo_vector(1));
        const rheo_value x = in->model->type->sample(&b, in->model, batch, key, temperature);
        rheo_assign(g, rheo_whole(g, d.out, rheo_batch_shape(in->model->data, batch)), x);
        rheo_build_finish(&b);
        st = rheo_plan_create(g, in->state, &usual, &d.plan, err);
    }
    rheo_graph_destroy(g);
    if (st) rheo_drawer_free(&d);
    else *out = d;
    return st;
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

rheo_status rheo_drawer_draw(rheo_drawer *d, uint32_t n, double temperature, uint64_t seed, void *out, rheo_error *err)
{
    rheo_state *state = d->in->state;
    const rheo_data_shape shape = d->in->model->data;
    const int64_t dims = rheo_dims(shape);
    const float t = (float)temperature;
    rheo_status st = rheo_state_write(state, d->temperature, 0, 1, &t, err);
    for (uint32_t first = 0; first < n && !st; first += (uint32_t)d->batch) {
        const int64_t now = n - first < d->batch ? n - first : d->batch;
        st = rheo_key_write(state, &d->key, seed, 0, first, err);
        if (!st) st = rheo_plan_run(d->plan, err);
        if (!st) st = rheo_state_read(state, d->out, 0, d->batch * dims, d->results, err);
        if (st) break;
        if (!shape.bytes) memcpy((float *)out + first * dims, d->results, (size_t)(now * dims) * sizeof(float));
        else
            for (int64_t i = 0; i < now * dims; i++) ((uint8_t *)out)[first * dims + i] = to_byte(d->results[i], d->levels);
    }
    return st;
}
