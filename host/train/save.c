/* What a run leaves: checkpoints, the best of them by the validation split, pictures of samples, its configuration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "train/bands.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

/* Looks at the validation split always dequantise it alike, so that they can be compared. */
#define LOOK_SEED 0
#define PICTURE_TEMPERATURE 0.8

rheo_status rheo_trainer_write(const rheo_trainer *t, rheo_error *err)
{
    return rheo_checkpoint_write(t->run.last, &t->recipe, t->in.model->params, &t->good, err);
}

rheo_status rheo_trainer_save(rheo_trainer *t, rheo_error *err)
{
    const double began = rheo_seconds();
    rheo_status st = rheo_snapshot_read(&t->good, &t->step, err);
    t->good.step = t->steps;
    t->good.seconds = rheo_trainer_seconds(t);
    if (!st) st = rheo_trainer_write(t, err);
    if (t->steps > t->bad_step) t->returns = 0;
    t->last_save = rheo_seconds();
    t->save_seconds = t->last_save - began;
    return st;
}

/* best.safetensors is for use, not for going on: it has no moments. */
static rheo_status write_best(rheo_trainer *t, rheo_error *err)
{
    rheo_snapshot best = t->good;
    best.flat[RHEO_FLAT_M] = best.flat[RHEO_FLAT_V] = NULL;
    return rheo_checkpoint_write(t->run.best, &t->recipe, t->in.model->params, &best, err);
}

/* What could not be written is not the best so far: the next look may be. */
static rheo_status keep_best(rheo_trainer *t, rheo_error *err)
{
    const double best = t->good.best;
    const uint64_t best_step = t->good.best_step;
    t->good.best = t->valid;
    t->good.best_step = t->steps;
    rheo_status st = rheo_trainer_save(t, err);
    if (!st) st = write_best(t, err);
    if (!st) return st;
    t->good.best = best;
    t->good.best_step = best_step;
    return st;
}

static cJSON *bands_json(const rheo_trainer *t, const double *each)
{
    rheo_band band[RHEO_BANDS];
    const int n = rheo_bands(t->in.model, each, t->n_valid, LOOK_SEED, band);
    cJSON *list = n ? cJSON_CreateArray() : NULL;
    for (int k = 0; k < n; k++) {
        const double row[] = { band[k].first, band[k].last, band[k].loss, band[k].standard_error, (double)band[k].images };
        cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(row, 5));
    }
    return list;
}

/* Bands as [first deviation, last, loss, standard error, images]. */
static rheo_status log_look(rheo_trainer *t, rheo_average m, const double *each, rheo_error *err)
{
    const double unit = rheo_unit(t->in.model);
    cJSON *line = cJSON_CreateObject(), *bands = line ? bands_json(t, each) : NULL;
    bool ok = line && cJSON_AddNumberToObject(line, "step", (double)t->steps);
    ok = ok && cJSON_AddNumberToObject(line, "seconds", rheo_trainer_seconds(t));
    ok = ok && cJSON_AddNumberToObject(line, "valid", m.mean * unit);           /* NaN is written as null */
    ok = ok && cJSON_AddNumberToObject(line, "standard_error", m.standard_error * unit);
    ok = ok && cJSON_AddNumberToObject(line, "images", t->n_valid);
    ok = ok && cJSON_AddStringToObject(line, "weights", "ema");
    if (bands && !(ok && cJSON_AddItemToObject(line, "bands", bands))) cJSON_Delete(bands);
    char *text = ok ? cJSON_PrintUnformatted(line) : NULL;
    const rheo_status st = text ? rheo_run_log(&t->run, text, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    cJSON_free(text);
    cJSON_Delete(line);
    return st;
}

rheo_status rheo_trainer_look(rheo_trainer *t, rheo_error *err)
{
    const double began = rheo_seconds();
    rheo_average m = { NAN, NAN };
    double *each = malloc((size_t)t->n_valid * sizeof *each + 1);
    rheo_status st = each ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st && !t->evaluator.loss) st = rheo_evaluator_create(&t->in, t->step.ema, t->recipe.batch, false, &t->evaluator, err);
    if (!st) st = rheo_evaluator_mean(&t->evaluator, &t->data->split[RHEO_SPLIT_VALID], t->n_valid, LOOK_SEED, NULL, &m, each, err);
    if (!st) {
        t->valid = m.mean * rheo_unit(t->in.model);
        const bool better = t->valid < t->good.best || (isnan(t->good.best) && isfinite(t->valid));
        if (better) st = keep_best(t, err);
        rheo_trainer_say(t, "step %llu: validation %.4f %s%s", (unsigned long long)t->steps, t->valid,
                         rheo_unit_name(t->in.model), better ? ", the best so far" : "");
    }
    if (!st) st = log_look(t, m, each, err);
    free(each);
    t->last_look = rheo_seconds();
    t->look_seconds = t->last_look - began;
    return st;
}

static char *picture_origin(const rheo_trainer *t, uint32_t n)
{
    cJSON *o = cJSON_CreateObject();
    bool ok = o && cJSON_AddStringToObject(o, "rheo", rheo_version()) && cJSON_AddStringToObject(o, "command", "train");
    ok = ok && cJSON_AddStringToObject(o, "model", t->recipe.model) && cJSON_AddNumberToObject(o, "step", (double)t->steps);
    ok = ok && cJSON_AddStringToObject(o, "data", rheo_base_name(t->recipe.data));
    cJSON *options = cJSON_AddObjectToObject(o, "options");
    ok = ok && cJSON_AddNumberToObject(options, "n", n) && cJSON_AddNumberToObject(options, "temperature", PICTURE_TEMPERATURE);
    ok = ok && cJSON_AddNumberToObject(options, "seed", 0) && cJSON_AddStringToObject(options, "weights", "ema");
    char *text = ok ? cJSON_PrintUnformatted(o) : NULL;
    cJSON_Delete(o);
    return text;
}

/* Of a model of classes a row each, as many rows and columns as there is room for. */
static rheo_status write_picture(rheo_trainer *t, rheo_error *err)
{
    const rheo_data_shape s = t->recipe.shape;
    const uint32_t classes = (uint32_t)t->in.model->classes, rows = classes < RHEO_PICTURE_COUNT ? classes : RHEO_PICTURE_COUNT;
    const uint32_t columns = rows ? RHEO_PICTURE_COUNT / rows : 0, n = rows ? rows * columns : RHEO_PICTURE_COUNT;
    uint8_t classes_of[RHEO_PICTURE_COUNT];
    char about[96], label[RHEO_PICTURE_COUNT][8];
    const char *labels[RHEO_PICTURE_COUNT];
    char *path = rheo_run_sample_path(&t->run, t->steps), *made_by = picture_origin(t, n);
    uint8_t *images = malloc((size_t)(RHEO_PICTURE_COUNT * rheo_dims(s)));
    for (uint32_t i = 0; i < n; i++) classes_of[i] = (uint8_t)(rows ? i / columns : 0);
    for (uint32_t k = 0; k < rows; k++) {
        snprintf(label[k], sizeof label[k], "%u", k);
        labels[k] = label[k];
    }
    snprintf(about, sizeof about, "%s, step %llu, temperature %g, seed 0", t->recipe.model, (unsigned long long)t->steps,
             PICTURE_TEMPERATURE);
    const rheo_grid_text text = { .about = about, .made_by = made_by, .labels = rows ? labels : NULL };
    rheo_status st = path && made_by && images ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_drawer_draw(&t->drawer, n, classes_of, PICTURE_TEMPERATURE, 0, images, err);
    if (!st) st = rheo_grid_write(path, images, n, (uint32_t)s.h, (uint32_t)s.w, (uint32_t)s.c, columns, &text, err);
    free(path);
    cJSON_free(made_by);
    free(images);
    return st;
}

rheo_status rheo_trainer_draw(rheo_trainer *t, rheo_error *err)
{
    const double began = rheo_seconds();
    rheo_status st = RHEO_OK;
    if (!rheo_shows_samples(t->in.model)) return RHEO_OK;
    if (!t->drawer.plan) st = rheo_drawer_create(&t->in, t->step.ema, t->recipe.config, RHEO_PICTURE_COUNT, &t->drawer, err);
    if (!st) st = write_picture(t, err);
    t->next_picture = t->steps + t->steps / 8 + 1;      /* a long run leaves dozens, not thousands */
    t->draw_seconds = rheo_seconds() - began;
    return st;
}

double rheo_trainer_reserve(const rheo_trainer *t)
{
    /* Before the first look: plans to be made, and forward passes at three times the speed of training. */
    const double guess = t->images_per_second > 0 ? t->n_valid / (3 * t->images_per_second) + 0.5 : 1;
    const double look = t->look_seconds > 0 ? t->look_seconds : guess + 2 * t->save_seconds;
    const double draw = !rheo_shows_samples(t->in.model) ? 0 : t->draw_seconds > 0 ? t->draw_seconds : guess / 4 + 0.5;
    return 0.1 + 1.1 * (look + draw + t->save_seconds);
}

rheo_status rheo_trainer_write_config(rheo_trainer *t, rheo_error *err)
{
    cJSON *json = rheo_recipe_to_json(&t->recipe);
    const char *name = t->in.dev ? rheo_device_facts_of(t->in.dev)->name : "host";
    bool ok = json && cJSON_AddStringToObject(json, "ran_on", name);
    ok = ok && cJSON_AddStringToObject(json, "activations", t->step.inverts ? "inverted" : "stored");
    ok = ok && cJSON_AddNumberToObject(json, "parameters", (double)rheo_params_numbers(t->in.model->params));
    ok = ok && cJSON_AddStringToObject(json, "rheo", rheo_version());
    char *text = ok ? cJSON_Print(json) : NULL;
    const rheo_status st = text ? rheo_run_write_config(&t->run, text, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    cJSON_free(text);
    cJSON_Delete(json);
    return st;
}
