/* How training starts: a new run, or the next part of one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "train/checkpoint.h"
#include "train/classes.h"
#include "train/footprint.h"
#include "train/trainer.h"

enum { LOOK_IMAGES = 512, LOOK_VECTORS = 5000, ALL_FLATS = (1 << RHEO_FLATS) - 1 };

static void start_clock(const rheo_train_options *options, rheo_trainer *t)
{
    memset(t, 0, sizeof *t);
    t->options = options;
    t->start = t->last_save = t->last_look = t->report_time = rheo_seconds();
    t->deadline = INFINITY;
    t->valid = t->good.best = NAN;
}

/* Begins to read the data: rows take longer than all the rest before the first step. */
static rheo_status begin_data(rheo_trainer *t, const rheo_reading *how, rheo_error *err)
{
    const uint32_t size = t->recipe.size;
    const rheo_status st = rheo_dataset_begin_read(t->recipe.data, how, 1u << RHEO_SPLIT_TRAIN | 1u << RHEO_SPLIT_VALID, &t->data, err);
    if (st || !size || (t->data->h == size && t->data->w == size)) return st;
    return rheo_fail(err, RHEO_EINVAL, "size: %s has %u x %u, only folders of PNG and JPEG images are resized", t->recipe.data, t->data->h,
                     t->data->w);
}

static rheo_status check_augment(const rheo_recipe *r, rheo_error *err)
{
    const int64_t least = r->shape.h < r->shape.w ? r->shape.h : r->shape.w;
    if (!r->shape.bytes && (r->flip || r->shift))
        return rheo_fail(err, RHEO_EINVAL, "%s: found vectors in %s, only images are flipped and shifted", r->flip ? "flip" : "shift", r->data);
    if (r->shift >= least)
        return rheo_fail(err, RHEO_EINVAL, "shift: found %u pixels, expected fewer than the %lld of %s", r->shift, (long long)least, r->data);
    return RHEO_OK;
}

/* Everything that a new run and a resumed one need alike, over a model that is taken over. Kernels are loaded and plans made
 * while the data are read. */
static rheo_status assemble(rheo_trainer *t, rheo_model *model, rheo_error *err)
{
    const rheo_rows *train = &t->data->split[RHEO_SPLIT_TRAIN], *valid = &t->data->split[RHEO_SPLIT_VALID];
    const uint32_t most = t->recipe.shape.bytes ? LOOK_IMAGES : LOOK_VECTORS;
    rheo_status st = rheo_instance_create(model, t->recipe.device, &t->in, err);
    if (!st) rheo_instance_choose(&t->in, &t->recipe.variants);
    if (!st) rheo_instance_in_units(&t->in, &t->recipe.standard);
    if (!st) st = rheo_trainstep_create(&t->in, &t->recipe, &t->step, err);
    if (!st) st = rheo_dataset_wait(t->data, err);
    if (!st)
        st = rheo_footprint_check(&t->in, &t->recipe, train->count, rheo_plan_stats_of(t->step.apply).arena_bytes + rheo_state_bytes(t->in.state),
                                  err);
    if (!st) st = rheo_classes_check(&t->recipe, t->in.model->classes, t->data, err);
    if (!st) st = rheo_batches_create(&t->step, &t->recipe, t->data, &t->batches, err);
    t->n_valid = valid->count < most ? valid->count : most;
    return st;
}

static rheo_status announce(rheo_trainer *t, rheo_error *err)
{
    const char *device = t->in.dev ? rheo_device_facts_of(t->in.dev)->name : "host, double precision";
    const rheo_plan_stats stats = rheo_plan_stats_of(t->step.apply);
    char line[200];
    rheo_trainer_say(t, "%s, %lld parameters, on %s; activations %s (%.0f MiB)", t->recipe.model,
                     (long long)rheo_params_numbers(t->in.model->params), device, t->step.inverts ? "rebuilt by inversion" : "stored",
                     (double)stats.arena_bytes / 1048576);
    for (int k = 0; k < t->recipe.variants.faults.count; k++) {
        char text[RHEO_FAULT_TEXT];
        rheo_fault_text(&t->recipe.variants.faults, &t->recipe.variants.faults.list[k], text);
        rheo_trainer_say(t, "%s", text);
    }
    if (t->recipe.variants.unknown)
        rheo_trainer_say(t, "variants of %d operations are not in this build: it takes the defaults, and other roundings",
                         t->recipe.variants.unknown);
    snprintf(line, sizeof line, "{\"parameters\":%lld,\"launches\":%d,\"arena_bytes\":%zu,\"state_bytes\":%zu}",
             (long long)rheo_params_numbers(t->in.model->params), stats.launches, stats.arena_bytes, rheo_state_bytes(t->in.state));
    return rheo_run_log(&t->run, line, err);
}

/* What the model chose from the data: said now, and kept for the log of the run to be made. */
static rheo_status note_choice(void *user, const char *option, double value, const char *why, rheo_error *err)
{
    rheo_trainer *t = user;
    const size_t used = strlen(t->choices);
    const int n = snprintf(t->choices + used, sizeof t->choices - used, "%s{\"chosen\":\"%s\",\"value\":%.9g,\"why\":\"%s\"}",
                           used ? "\n" : "", option, value, why);
    if (n < 0 || (size_t)n >= sizeof t->choices - used) return rheo_fail(err, RHEO_ENOMEM, "%s: no room for what was chosen", option);
    rheo_trainer_say(t, "%s %.4g: %s", option, value, why);
    return RHEO_OK;
}

/* Not wrong, but seldom meant. */
static void warn_of_constants(rheo_trainer *t)
{
    uint8_t value = 0;
    for (uint32_t k = rheo_constant_channel(t->data, 0, &value); k < t->data->c; k = rheo_constant_channel(t->data, k + 1, &value))
        rheo_trainer_say(t, "%s: channel %u (from 0) is %u in all training images: it costs next to nothing and lowers bits/dim", t->recipe.data, k,
                         value);
}

/* Options that are to be chosen from the training rows. */
static rheo_status choose_options(rheo_trainer *t, rheo_error *err)
{
    const rheo_model_type *type = rheo_model_find(t->recipe.model);
    if (rheo_classes_wanted(&t->recipe)) {
        rheo_status st = rheo_dataset_wait(t->data, err);
        if (!st) st = rheo_classes_choose(&t->recipe, t->data, err);
        if (st) return st;
    }
    if (!type || !type->choose || !cJSON_GetObjectItemCaseSensitive(t->recipe.config, "auto")) return RHEO_OK;
    const rheo_status st = rheo_dataset_wait(t->data, err);
    return st ? st : type->choose(t->recipe.config, t->recipe.shape, &t->data->split[RHEO_SPLIT_TRAIN], note_choice, t, err);
}

/* The state at step 0: moments zero, averages equal to the parameters. */
static rheo_status first_state(rheo_trainer *t, rheo_error *err)
{
    const size_t bytes = (size_t)rheo_params_flat(t->in.model->params, true) * sizeof(float);
    rheo_status st = rheo_snapshot_create(t->in.model->params, ALL_FLATS, &t->good, err);
    if (!st) st = rheo_snapshot_read(&t->good, &t->step, err);
    if (st) return st;
    memcpy(t->good.flat[RHEO_FLAT_EMA], t->good.flat[RHEO_FLAT_THETA], bytes);
    t->good.rate = t->recipe.lr;
    return rheo_snapshot_write(&t->good, &t->step, t->recipe.seed, err);
}

/* Where the schedule reaches zero: known for iterations; by the clock as the pace of earlier sessions has it. */
static rheo_status set_end(rheo_trainer *t, rheo_error *err)
{
    const double end = t->recipe.iterations ? (double)t->recipe.iterations : RHEO_END_FAR_OFF;
    const rheo_status st = rheo_trainstep_write_scalar(&t->step, RHEO_RATE_END, (float)end, err);
    return st ? st : rheo_trainer_aim(t, t->good.applied, err);
}

rheo_status rheo_trainer_create(const rheo_train_options *options, rheo_trainer *t, rheo_error *err)
{
    rheo_model *model = NULL;
    start_clock(options, t);
    rheo_status st = rheo_recipe_from_options(options, &t->recipe, err);
    const rheo_reading how = { .size = t->recipe.size, .columns = options->columns };
    if (!st) st = rheo_run_check(options->run, options->force, err);
    if (!st) st = begin_data(t, &how, err);
    if (!st) st = rheo_standard_copy(&t->data->standard, &t->recipe.standard, err);
    if (st) return st;
    t->recipe.shape = rheo_shape_of_data(t->data);
    if (t->recipe.minutes > 0) t->deadline = t->start + t->recipe.minutes * 60;
    st = check_augment(&t->recipe, err);
    if (!st) st = choose_options(t, err);
    if (!st) st = rheo_recipe_model(&t->recipe, &model, err);
    if (!st) st = assemble(t, model, err);
    t->recipe.fingerprint = t->data->split[RHEO_SPLIT_TRAIN].fingerprint;
    if (!st) st = rheo_run_create(options->run, options->force, &t->run, err);
    if (!st && *t->choices) st = rheo_run_log(&t->run, t->choices, err);
    if (!st) st = rheo_trainer_write_config(t, err);
    if (!st) st = announce(t, err);
    if (!st) warn_of_constants(t);
    if (!st) st = rheo_batches_initialise(&t->batches, rheo_initial_rows(t->recipe.shape, t->batches.feed.rows->count), err);
    if (!st) st = first_state(t, err);
    return st ? st : set_end(t, err);
}

/* When a resumed run ends: as asked for now, or as it was meant to. */
static rheo_status choose_end(const rheo_train_options *o, rheo_trainer *t, rheo_error *err)
{
    rheo_recipe *r = &t->recipe;
    const unsigned long long done = (unsigned long long)t->steps;
    if (o->iterations > 0 && o->minutes > 0) return rheo_fail(err, RHEO_EINVAL, "iters and minutes: only one of them can end a run");
    if (o->iterations > 0 || o->minutes > 0) {
        r->iterations = o->iterations;
        r->minutes = o->minutes > 0 ? t->seconds_before / 60 + o->minutes : 0;
    }
    if (r->iterations && (uint64_t)r->iterations <= t->steps)
        return rheo_fail(err, RHEO_EINVAL, "%s: has done %llu of %lld steps; give more by --iters or --minutes", o->run, done,
                         (long long)r->iterations);
    if (!r->iterations && r->minutes * 60 <= t->seconds_before)
        return rheo_fail(err, RHEO_EINVAL, "%s: has trained its %.3g minutes, %llu steps; give more by --iters or --minutes", o->run,
                         r->minutes, done);
    if (!r->iterations) t->deadline = t->start + r->minutes * 60 - t->seconds_before;
    return RHEO_OK;
}

/* The best and the last checkpoint are not replaced in one moment: the best is what its own file says it is. */
static void recall_best(rheo_trainer *t)
{
    cJSON *config = NULL, *progress = NULL;
    t->good.best = NAN;
    if (!rheo_file_exists(t->run.best) || rheo_checkpoint_notes(t->run.best, &config, &progress, NULL, NULL)) return;
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(progress, "best"), *step = cJSON_GetObjectItemCaseSensitive(progress, "best_step");
    if (cJSON_IsNumber(best) && cJSON_IsNumber(step) && step->valuedouble >= 0) {
        t->good.best = best->valuedouble;
        t->good.best_step = (uint64_t)step->valuedouble;
    }
    cJSON_Delete(config);
    cJSON_Delete(progress);
}

rheo_status rheo_trainer_resume(const rheo_train_options *options, rheo_trainer *t, rheo_error *err)
{
    rheo_model *model = NULL;
    start_clock(options, t);
    rheo_status st = rheo_run_open(options->run, &t->run, err);
    if (!st) st = rheo_checkpoint_read(t->run.last, ALL_FLATS, &t->recipe, &model, &t->good, err);
    if (st) return st;
    recall_best(t);
    t->steps = t->reported = t->report_at = t->good.step;
    t->skipped = t->good.skipped;
    t->seconds_before = t->good.seconds;
    if (options->device && strlen(options->device) < sizeof t->recipe.device) strcpy(t->recipe.device, options->device);
    st = choose_end(options, t, err);
    const rheo_reading how = rheo_recipe_reading(&t->recipe, NULL);
    if (!st) st = begin_data(t, &how, err);
    if (!st) st = rheo_check_data(t->data, t->recipe.shape, err);
    if (st) rheo_model_destroy(model);
    else st = assemble(t, model, err);
    if (!st && t->data->split[RHEO_SPLIT_TRAIN].fingerprint != t->recipe.fingerprint)
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found training data of fingerprint %08x, this run began with %08x", t->recipe.data,
                       t->data->split[RHEO_SPLIT_TRAIN].fingerprint, t->recipe.fingerprint);
    if (!st) st = rheo_snapshot_write(&t->good, &t->step, t->recipe.seed, err);
    if (!st) st = set_end(t, err);
    if (!st) st = rheo_trainer_write_config(t, err);
    if (!st) st = announce(t, err);
    return st;
}
