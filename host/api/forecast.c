/* What training would take, from trial plans and a few of its steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/batches.h"
#include "train/footprint.h"

#define ROUND_SECONDS 0.1   /* steps queued together as training does, so that waiting for the device counts little */
enum { MOST_ROUNDS = 256, LEAST_ROUNDS = 3 };

/* Training about to be repeated, in a state of its own beside `in`. */
typedef struct trial {
    rheo_instance in;
    rheo_trainstep step;
    rheo_batches batches;
    uint64_t steps;     /* done */
} trial;

static void trial_free(trial *t)
{
    rheo_batches_free(&t->batches);
    if (t->in.dev) rheo_finish(t->in.dev, NULL);
    rheo_trainstep_free(&t->step);
    rheo_state_destroy(t->in.state);
}

static rheo_status trial_create(const rheo_instance *in, const rheo_recipe *r, const rheo_dataset *data, trial *t, rheo_error *err)
{
    *t = (trial){ .in = { .dev = in->dev, .state = rheo_state_create(), .model = in->model, .choices = in->choices }, .step = { .gradient = -1 } };
    rheo_status st = t->in.state ? rheo_state_bind(t->in.state, in->dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_params_declare(in->model->params, t->in.state, &t->in.theta, &t->in.fixed, err);
    if (!st) st = rheo_trainstep_create(&t->in, r, &t->step, err);
    if (!st) st = rheo_batches_create(&t->step, r, data, &t->batches, err);
    if (!st) st = rheo_batches_initialise(&t->batches, r->batch, err);
    if (!st) st = rheo_trainstep_write_scalar(&t->step, RHEO_RATE_BASE, (float)r->lr, err);
    return st ? st : rheo_trainstep_write_scalar(&t->step, RHEO_RATE_END, (float)RHEO_END_FAR_OFF, err);
}

/* As training does between two reports. */
static rheo_status run(trial *t, int steps, double *seconds, rheo_error *err)
{
    float scalars[RHEO_SCALARS];
    rheo_status st = RHEO_OK;
    const double start = rheo_seconds();
    for (int k = 0; k < steps && !st; k++) st = rheo_batches_train(&t->batches, t->steps++, err);
    if (!st) st = rheo_trainstep_read_scalars(&t->step, scalars, err);
    if (!st) st = rheo_trainstep_clear_look(&t->step, err);
    *seconds = (rheo_seconds() - start) / steps;
    return st;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rheo_status time_steps(trial *t, double most, rheo_forecast_memory *out, rheo_error *err)
{
    double each[MOST_ROUNDS], now = 0;
    int steps = 1, n = 0;
    rheo_status st = run(t, 1, &now, err);       /* builds kernels */
    if (!st) rheo_cache_save(t->in.dev);
    for (int k = 0; k < 2 && !st; k++) {            /* twice: the first guess still has builds in it */
        st = run(t, steps, &now, err);
        if (now * steps < ROUND_SECONDS) steps = (int)fmin(1000, ceil(ROUND_SECONDS / fmax(now, 1e-6)));
    }
    const double start = rheo_seconds();
    while (!st && n < MOST_ROUNDS && (n < LEAST_ROUNDS || rheo_seconds() - start < most)) st = run(t, steps, &each[n++], err);
    if (st) return st;
    /* The mean, since a run takes as long as all of its steps: where other work interrupts, the median is less. */
    out->seconds = 0;
    for (int k = 0; k < n; k++) out->seconds += each[k] / n;
    qsort(each, (size_t)n, sizeof *each, rising);
    out->low = fmin(each[n / 20], out->seconds);
    out->high = fmax(each[n - 1 - n / 20], out->seconds);
    out->steps = (uint32_t)(n * steps);
    return RHEO_OK;
}

static rheo_status measure(const rheo_instance *in, const rheo_recipe *recipe, const rheo_dataset *data, bool timed, double seconds,
                           rheo_forecast_memory *out, rheo_error *err)
{
    static const char *const names[] = { [RHEO_MEMORY_STORE] = "store", [RHEO_MEMORY_INVERT] = "invert" };
    rheo_footprint f;
    rheo_error inner = RHEO_ERROR_INIT;
    trial t;
    *out = (rheo_forecast_memory){ .memory = names[recipe->memory], .seconds = NAN, .low = NAN, .high = NAN };
    rheo_status st = rheo_footprint_measure(in, recipe, data->split[RHEO_SPLIT_TRAIN].count, &f, &inner);
    if (!st) {
        out->activations = f.activations;
        out->variables = f.variables;
        out->beside = f.beside;
        out->fits = rheo_footprint_fits(&f, rheo_device_facts_of(in->dev));
    }
    if (!st && out->fits && timed) {
        st = trial_create(in, recipe, data, &t, &inner);
        if (!st) st = time_steps(&t, seconds, out, &inner);
        trial_free(&t);
    }
    if (st == RHEO_ENOMEM) {
        out->fits = 0;
        return RHEO_OK;
    }
    if (st && err) *err = inner;
    return st;
}

rheo_status rheo_train_forecast(const rheo_train_options *options, double seconds, rheo_forecast *out, rheo_error *err)
{
    rheo_recipe recipe = { .config = NULL };
    rheo_instance in = { .dev = NULL };
    rheo_dataset *data = NULL;
    rheo_forecast f = { .modes = 1 };
    rheo_footprint chosen;
    rheo_status st = rheo_instance_from_options(options, &recipe, &data, &in, err);
    if (!st) {
        const rheo_device_facts *dev = rheo_device_facts_of(in.dev);
        const rheo_rows *rows = &data->split[RHEO_SPLIT_TRAIN];
        const rheo_memory asked = recipe.memory;
        rheo_instance_choose(&in, &recipe.variants);
        memcpy(f.device, dev->name, sizeof f.device);
        f.device_bytes = dev->global_bytes;
        f.parameters = (uint64_t)rheo_params_numbers(in.model->params);
        f.images = rows->count;
        f.h = data->h, f.w = data->w, f.c = data->c;
        f.batch = recipe.batch, f.accumulate = recipe.accumulate;
        if (in.model->type->round_trip) f.modes = 2;
        recipe.memory = RHEO_MEMORY_AUTO;
        f.chosen = f.modes == 2 && (rheo_footprint_measure(&in, &recipe, rows->count, &chosen, NULL) || chosen.inverts);
        for (int k = 0; k < f.modes && !st; k++) {
            recipe.memory = k ? RHEO_MEMORY_INVERT : RHEO_MEMORY_STORE;
            st = measure(&in, &recipe, data, asked == RHEO_MEMORY_AUTO || asked == recipe.memory, seconds, &f.mode[k], err);
        }
        if (!st && asked == RHEO_MEMORY_INVERT && f.modes == 1)
            st = rheo_fail(err, RHEO_EINVAL, "memory: found invert, but %s is no invertible model", recipe.model);
    }
    if (!st) *out = f;
    rheo_instance_free(&in);
    rheo_recipe_free(&recipe);
    rheo_dataset_close(data);
    return st;
}
