#include "train/footprint.h"

#include <stdio.h>
#include <string.h>

#include "train/draw.h"
#include "train/evaluate.h"
#include "train/step.h"

bool rheo_footprint_fits(const rheo_footprint *f, const rheo_device_facts *dev)
{
    return rheo_footprint_bytes(f) <= dev->global_bytes && f->largest <= dev->largest_buffer_bytes;
}

/* All plans of a run, in a state of their own: nothing is ever written to it, so that it has no memory. */
static rheo_status make_all(const rheo_instance *in, const rheo_recipe *r, int64_t rows, rheo_footprint *out, rheo_error *err)
{
    rheo_trainstep step = { .gradient = -1 };
    rheo_evaluator evaluator = { .in = NULL };
    rheo_drawer drawer = { .in = NULL };
    size_t *const bytes = in->trial;
    rheo_status st = rheo_trainstep_create(in, r, &step, err);
    out->inverts = step.inverts;
    out->activations = *bytes;
    *bytes = 0;
    if (!st && in->model->type->data_initialised) st = rheo_trainstep_initialise(in, r->seed, rheo_initial_rows(r->shape, rows), NULL, err);
    const size_t first = *bytes;
    *bytes = 0;
    if (!st) st = rheo_evaluator_create(in, step.ema, r->batch, false, &evaluator, err);
    if (!st && rheo_shows_samples(in->model)) st = rheo_drawer_create(in, step.ema, r->config, RHEO_PICTURE_COUNT, &drawer, err);
    out->beside = first > *bytes ? first : *bytes;
    out->variables = rheo_state_bytes(in->state);
    for (int k = 0; k < rheo_storage_count(in->state); k++) {
        const uint64_t each = 4 * (uint64_t)rheo_storage_at(in->state, k)->count;
        if (each > out->largest) out->largest = each;
    }
    rheo_drawer_free(&drawer);
    rheo_evaluator_free(&evaluator);
    rheo_trainstep_free(&step);
    return st;
}

rheo_status rheo_footprint_measure(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, rheo_footprint *out, rheo_error *err)
{
    size_t bytes = 0;
    rheo_instance trial = { .dev = in->dev, .state = rheo_state_create(), .model = in->model, .choices = in->choices, .trial = &bytes };
    rheo_status st = trial.state ? rheo_state_bind(trial.state, in->dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    *out = (rheo_footprint){ .inverts = false };
    if (!st) st = rheo_params_declare(in->model->params, trial.state, &trial.theta, &trial.fixed, err);
    if (!st) st = make_all(&trial, recipe, rows, out, err);
    rheo_state_destroy(trial.state);
    return st;
}

rheo_status rheo_footprint_check(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, uint64_t step_bytes, rheo_error *err)
{
    const rheo_device_facts *f = in->dev ? rheo_device_facts_of(in->dev) : NULL;
    rheo_footprint all;
    if (!f || step_bytes <= f->global_bytes / 2) return RHEO_OK;
    const rheo_status st = rheo_footprint_measure(in, recipe, rows, &all, err);
    if (st || rheo_footprint_fits(&all, f)) return st;
    return rheo_fail(err, RHEO_ENOMEM, "%s: training takes %.1f MiB, its memory is %.1f MiB", f->name,
                     (double)rheo_footprint_bytes(&all) / 1048576, (double)f->global_bytes / 1048576);
}

/* ---- what would fit ------------------------------------------------------------------------------------------------ */

typedef struct search {
    const rheo_instance *in;
    int64_t rows;
    uint64_t most;           /* bytes in all */
} search;

static bool fits(const search *s, const rheo_recipe *r, uint64_t *bytes)
{
    rheo_footprint f;
    if (rheo_footprint_measure(s->in, r, s->rows, &f, NULL)) return false;
    *bytes = rheo_footprint_bytes(&f);
    return rheo_footprint_fits(&f, rheo_device_facts_of(s->in->dev)) && *bytes <= s->most;
}

/* The largest batch that fits, of halves of the one that was asked for; images a step stay as many where that is possible. */
static bool smaller_batch(const search *s, rheo_recipe *r, uint64_t *bytes)
{
    for (; r->batch > 1;) {
        r->accumulate = r->accumulate * r->batch / (r->batch / 2);
        r->batch /= 2;
        if (fits(s, r, bytes)) return true;
    }
    return false;
}

static void say(rheo_error *err, const rheo_recipe *r, const rheo_recipe *asked, uint64_t bytes)
{
    char batch[64] = "";
    const size_t used = strlen(err->text);
    const char *invert = r->memory != asked->memory ? " --memory invert" : "";
    if (r->batch != asked->batch) snprintf(batch, sizeof batch, " --batch %lld --accumulate %lld", (long long)r->batch, (long long)r->accumulate);
    snprintf(err->text + used, sizeof err->text - used, "%s%s%s (%.1f MiB)", strstr(err->text, "; would fit:") ? " or" : "; would fit:",
             invert, batch, (double)bytes / 1048576);
}

/* Where no setting was found: whether it should have fitted as it was, and whether activations could be rebuilt instead. */
static void say_in_general(rheo_error *err, bool should_fit, bool could_invert)
{
    const size_t used = strlen(err->text);
    const char *advice = !should_fit   ? "; no batch fits: the model needs a smaller width, depth or image"
                         : could_invert ? "; --memory invert takes less, and so does a smaller --batch, with --accumulate for the same step"
                                        : "; a smaller --batch takes less, with --accumulate for the same step";
    snprintf(err->text + used, sizeof err->text - used, "%s", advice);
}

void rheo_footprint_advise(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, rheo_error *err)
{
    rheo_footprint now;
    rheo_recipe inverted = *recipe, smaller = *recipe, both;
    search s = { in, rows, UINT64_MAX };
    uint64_t bytes = 0;
    bool found = false;
    if (!err || !in->dev) return;
    const bool known = !rheo_footprint_measure(in, recipe, rows, &now, NULL), invertible = in->model->type->round_trip != NULL;
    /* It should have fitted, but others use the device as well. */
    if (known && rheo_footprint_fits(&now, rheo_device_facts_of(in->dev))) s.most = rheo_footprint_bytes(&now) / 2;
    inverted.memory = RHEO_MEMORY_INVERT;
    both = inverted;
    if (invertible && !(known && now.inverts) && fits(&s, &inverted, &bytes)) {
        say(err, &inverted, recipe, bytes);
        found = true;
    }
    if (smaller_batch(&s, &smaller, &bytes)) {
        say(err, &smaller, recipe, bytes);
        found = true;
    }
    if (!found && invertible && recipe->memory == RHEO_MEMORY_STORE && smaller_batch(&s, &both, &bytes)) {
        say(err, &both, recipe, bytes);
        found = true;
    }
    if (!found) say_in_general(err, s.most < UINT64_MAX, invertible && !(known && now.inverts));
}
