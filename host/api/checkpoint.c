/* A trained model, opened for use. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/checkpoint.h"
#include "base/text.h"
#include "train/bands.h"
#include "train/checkpoint.h"
#include "train/classes.h"
#include "train/feed.h"
#include "train/run.h"
#include "train/trainer.h"

static rheo_status upload(rheo_checkpoint *c, const float *theta, const float *fixed, rheo_error *err)
{
    const rheo_params *p = c->in.model->params;
    rheo_status st = rheo_state_write(c->in.state, c->in.theta, 0, rheo_params_flat(p, true), theta, err);
    if (!st) st = rheo_state_write(c->in.state, c->in.fixed, 0, rheo_params_flat(p, false), fixed, err);
    return st;
}

static rheo_status name_columns(rheo_checkpoint *c, rheo_error *err)
{
    const rheo_standard *s = &c->recipe.standard;
    if (!s->columns) return RHEO_OK;
    c->columns = malloc(s->columns * sizeof *c->columns);
    if (!c->columns) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (uint32_t k = 0; k < s->columns; k++) c->columns[k] = s->column[k].name;
    return RHEO_OK;
}

rheo_status rheo_checkpoint_open(const char *path, const char *device, const char *weights, rheo_checkpoint **out, rheo_error *err)
{
    static const char *const kinds[] = { "ema", "raw", NULL };
    rheo_snapshot shot = { .best = NAN };
    rheo_model *model = NULL;
    char *file = NULL;
    int raw = 0;
    rheo_status st = weights ? rheo_choose("weights", weights, kinds, &raw, err) : RHEO_OK;
    const rheo_flat flat = raw ? RHEO_FLAT_THETA : RHEO_FLAT_EMA;
    if (st) return st;
    rheo_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    st = rheo_run_checkpoint(path, false, &file, err);
    if (!st) st = rheo_checkpoint_read(file, 1u << flat, &c->recipe, &model, &shot, err);
    if (!st) st = rheo_instance_create(model, device, &c->in, err);
    if (!st) rheo_instance_choose(&c->in, &c->recipe.variants);
    if (!st && !(c->remarks = rheo_faults_text(&c->recipe.variants.faults))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) rheo_instance_in_units(&c->in, &c->recipe.standard);
    if (!st) st = name_columns(c, err);
    if (!st) st = upload(c, shot.flat[flat], shot.fixed, err);
    c->step = shot.step;
    c->path = file;
    rheo_snapshot_free(&shot);
    if (st) rheo_checkpoint_close(c);
    else *out = c;
    return st;
}

void rheo_checkpoint_close(rheo_checkpoint *c)
{
    if (!c) return;
    if (c->in.dev) rheo_cache_save(c->in.dev);
    rheo_evaluator_free(&c->evaluator);
    rheo_drawer_free(&c->drawer);
    rheo_score_drawer_free(&c->chains);
    rheo_encoder_free(&c->encoder);
    rheo_drawer_free(&c->decoder);
    rheo_instance_free(&c->in);
    rheo_recipe_free(&c->recipe);
    free(c->path);
    free(c->remarks);
    free(c->columns);
    free(c);
}

const char *rheo_checkpoint_remarks(const rheo_checkpoint *c) { return c->remarks; }

void rheo_checkpoint_facts_of(const rheo_checkpoint *c, rheo_checkpoint_facts *out)
{
    const rheo_data_shape s = c->recipe.shape;
    *out = (rheo_checkpoint_facts){
        .model = c->recipe.model, .data = c->recipe.data, .h = (uint32_t)s.h, .w = (uint32_t)s.w, .c = (uint32_t)s.c, .vectors = !s.bytes,
        .columns = c->columns, .score = rheo_is_score(c), .classes = (uint32_t)c->in.model->classes,
        .parameters = (uint64_t)rheo_params_numbers(c->in.model->params), .step = c->step,
    };
}

rheo_status rheo_rows_of(const rheo_checkpoint *c, const void *x, uint32_t n, rheo_rows *rows, float **own, rheo_error *err)
{
    const size_t count = n * (size_t)rheo_dims(c->recipe.shape);
    *rows = (rheo_rows){ .count = n };
    *own = NULL;
    if (c->recipe.shape.bytes) rows->images = (uint8_t *)(uintptr_t)x;          /* read only */
    else if (!c->recipe.standard.columns) rows->vectors = (float *)(uintptr_t)x;
    else if (!(rows->vectors = *own = malloc(count * sizeof **own))) return rheo_fail(err, RHEO_ENOMEM, "no memory for %u rows", n);
    else rheo_standard_apply(&c->recipe.standard, x, count, *own);
    return RHEO_OK;
}

void rheo_in_units(const rheo_checkpoint *c, uint32_t n, void *x)
{
    if (!c->recipe.shape.bytes) rheo_standard_undo(&c->recipe.standard, x, n * (size_t)rheo_dims(c->recipe.shape));
}

void rheo_checkpoint_watch(rheo_checkpoint *c, rheo_batch_progress *progress, void *user)
{
    c->watch = (rheo_watch){ .progress = progress, .user = user };
}

rheo_status rheo_need_evaluator(rheo_checkpoint *c, rheo_error *err)
{
    return c->evaluator.loss ? RHEO_OK : rheo_evaluator_create(&c->in, c->in.theta, RHEO_EVALUATION_BATCH, true, &c->evaluator, err);
}

rheo_status rheo_log_prob(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, double *out, rheo_error *err)
{
    rheo_rows rows;
    float *own = NULL;
    if (!c->in.model->type->likelihood) return rheo_fail(err, RHEO_EINVAL, "log_prob: %s has no likelihood", c->recipe.model);
    if (!n) return rheo_fail(err, RHEO_EINVAL, "log_prob: no images");
    double *each = malloc(n * sizeof *each);
    if (!each) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    const bool mixture = c->in.model->classes > 0;
    rheo_watch_begin(&c->watch);
    rheo_status st = rheo_rows_of(c, x, n, &rows, &own, err);
    if (!st) st = mixture ? rheo_mixture_loss(c, &rows, seed, each, err) : rheo_need_evaluator(c, err);
    for (uint32_t first = 0; first < n && !st && !mixture; first += RHEO_EVALUATION_BATCH) {
        const uint32_t now = n - first < RHEO_EVALUATION_BATCH ? n - first : RHEO_EVALUATION_BATCH;
        st = rheo_evaluator_loss(&c->evaluator, &rows, first, now, seed, each + first, err);
        if (!st) rheo_watch_tell(&c->watch, first + now, n);
    }
    for (uint32_t i = 0; i < n && !st; i++) out[i] = -each[i];
    free(each);
    free(own);
    return st;
}

/* Floats, and bytes of them where the model is of images. */
static rheo_status sample_score(rheo_checkpoint *c, uint32_t n, uint64_t seed, void *out, rheo_error *err)
{
    rheo_langevin_options o;
    rheo_langevin_defaults(&o);
    o.n = n;
    o.seed = seed;
    if (!c->recipe.shape.bytes) return rheo_sample_langevin(c, &o, out, err);
    const size_t count = n * (size_t)rheo_dims(c->recipe.shape);
    float *x = malloc(count * sizeof *x);
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    const rheo_status st = rheo_sample_langevin(c, &o, x, err);
    if (!st) rheo_to_bytes(x, count, out);
    free(x);
    return st;
}

/* labels NULL: of a model of classes, all in turn. */
static rheo_status sample_flow(rheo_checkpoint *c, const unsigned char *labels, uint32_t n, double temperature, uint64_t seed, void *out,
                               rheo_error *err)
{
    const int64_t classes = c->in.model->classes;
    unsigned char *turns = !labels && classes ? malloc(n) : NULL;
    rheo_status st = labels || !classes || turns ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n && turns; i++) turns[i] = (unsigned char)(i % classes);
    if (!st && !c->drawer.plan) st = rheo_drawer_create(&c->in, c->in.theta, c->recipe.config, RHEO_EVALUATION_BATCH, &c->drawer, err);
    if (!st) st = rheo_drawer_draw(&c->drawer, n, labels ? labels : turns, temperature, seed, out, err);
    if (!st) rheo_in_units(c, n, out);
    free(turns);
    return st;
}

rheo_status rheo_sample_classes(rheo_checkpoint *c, const unsigned char *labels, uint32_t n, double temperature, uint64_t seed, void *out,
                                rheo_error *err)
{
    const int64_t classes = c->in.model->classes;
    if (!classes) return rheo_fail(err, RHEO_EINVAL, "sample: found a model that is not conditional on classes");
    if (!n) return rheo_fail(err, RHEO_EINVAL, "sample: none asked for");
    if (!(temperature >= 0 && temperature <= 100))
        return rheo_fail(err, RHEO_EINVAL, "temperature: found %g, expected 0 to 100", temperature);
    for (uint32_t i = 0; i < n; i++)
        if (labels[i] >= classes)
            return rheo_fail(err, RHEO_EINVAL, "sample %u: found class %d, expected 0 to %lld", i, labels[i], (long long)classes - 1);
    return sample_flow(c, labels, n, temperature, seed, out, err);
}

rheo_status rheo_sample(rheo_checkpoint *c, uint32_t n, double temperature, uint64_t seed, void *out, rheo_error *err)
{
    if (!n) return rheo_fail(err, RHEO_EINVAL, "sample: none asked for");
    if (!(temperature >= 0 && temperature <= 100))
        return rheo_fail(err, RHEO_EINVAL, "temperature: found %g, expected 0 to 100", temperature);
    if (rheo_is_score(c) && temperature != 1)
        return rheo_fail(err, RHEO_EINVAL, "temperature: found %g, but %s is a score model and has none; expected 1", temperature,
                         c->recipe.model);
    return rheo_is_score(c) ? sample_score(c, n, seed, out, err) : sample_flow(c, NULL, n, temperature, seed, out, err);
}

/* ---- evaluation ---------------------------------------------------------------------------------------- */

void rheo_evaluate_defaults(rheo_evaluate_options *options)
{
    *options = (rheo_evaluate_options){ .split = "test", .round_trip = 256 };
}

static rheo_status evaluate_rows(rheo_checkpoint *c, const rheo_evaluate_options *o, const rheo_rows *rows, rheo_evaluation *out,
                                 rheo_error *err)
{
    const rheo_data_shape shape = c->recipe.shape;
    const rheo_model *model = c->in.model;
    const bool image = shape.bytes && model->type->likelihood;
    const uint32_t n = o->limit && o->limit < rows->count ? o->limit : rows->count,
                   turned = !model->type->round_trip ? 0 : o->round_trip < n ? o->round_trip : n;
    rheo_average m = { NAN, NAN };
    double worst = 0, first_image = 0;
    double *each = malloc((size_t)n * sizeof *each + 1);
    rheo_status st = each ? rheo_need_evaluator(c, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_evaluator_loss(&c->evaluator, rows, 0, 1, o->seed, &first_image, err);      /* builds kernels: not to be timed */
    const double began = rheo_seconds();
    if (!st) st = rheo_evaluator_mean(&c->evaluator, rows, n, o->seed, NULL, &m, each, err);
    const double took = rheo_seconds() - began;
    for (uint32_t first = 0; first < turned && !st; first += RHEO_EVALUATION_BATCH) {
        double error = 0;
        st = rheo_evaluator_round_trip(&c->evaluator, rows, first, turned - first < RHEO_EVALUATION_BATCH ? turned - first : RHEO_EVALUATION_BATCH, o->seed, &error, err);
        if (error > worst || isnan(error)) worst = error;
    }
    *out = (rheo_evaluation){
        .unit = rheo_unit_name(model), .loss = m.mean * rheo_unit(model), .bits_per_dim = image ? m.mean * rheo_unit(model) : NAN,
        .nats = model->type->likelihood ? m.mean : NAN, .standard_error = m.standard_error * rheo_unit(model), .entropy = NAN,
        .round_trip_error = turned ? worst : NAN, .images_per_second = took > 0 ? n / took : NAN,
        .images = n, .dims = (uint32_t)rheo_dims(shape), .accuracy = NAN, .without_labels = NAN,
    };
    if (!st && model->classes) st = rheo_evaluate_classes(c, rows, n, o->seed, out, err);
    if (!st) out->bands = rheo_bands(model, each, n, o->seed, out->band);
    free(each);
    return st;
}

rheo_status rheo_evaluate(rheo_checkpoint *c, const rheo_evaluate_options *o, rheo_evaluation *out, rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_split split = RHEO_SPLIT_TEST;
    rheo_status st = rheo_split_find(o->split, &split, err);
    const rheo_reading how = rheo_recipe_reading(&c->recipe, o->data);
    if (!st) st = rheo_dataset_read(o->data ? o->data : c->recipe.data, &how, 1u << split, &data, err);
    if (!st) st = rheo_check_data(data, c->recipe.shape, err);
    uint8_t *labels = NULL;
    if (!st) st = rheo_classes_match(&c->recipe, c->in.model->classes, data, split, &labels, err);
    if (!st) {
        rheo_rows rows = data->split[split];
        if (labels) rows.labels = labels;
        st = evaluate_rows(c, o, &rows, out, err);
    }
    free(labels);
    if (!st && c->in.model->type->likelihood) out->entropy = data->entropy;
    rheo_dataset_close(data);
    return st;
}
