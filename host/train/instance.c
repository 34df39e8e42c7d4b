#include "train/instance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "op/rules.h"
#include "train/classes.h"
#include "train/feed.h"

static void take_defaults(rheo_recipe *r, rheo_training_defaults d)
{
    if (!r->batch) r->batch = d.batch;
    if (isnan(r->lr)) r->lr = d.lr;
    if (isnan(r->warmup)) r->warmup = d.warmup;
    if (isnan(r->ema)) r->ema = d.ema;
    if (isnan(r->clip)) r->clip = d.clip;
    /* A run that ends by the clock cannot be repeated step for step anyway, so it may spend its end on a falling rate. */
    if (r->schedule == RHEO_SCHEDULES) r->schedule = d.falling && !r->iterations ? RHEO_SCHEDULE_LINEAR : RHEO_SCHEDULE_CONSTANT;
}

rheo_status rheo_recipe_model(rheo_recipe *recipe, rheo_model **out, rheo_error *err)
{
    int kind = 0;
    rheo_status st = rheo_choose("model", recipe->model, rheo_model_names(), &kind, err);
    if (st) return st;
    const rheo_model_type *type = rheo_model_find(recipe->model);
    st = type->create(recipe->config, recipe->shape, recipe->seed, out, err);
    if (!st) take_defaults(recipe, type->defaults(*out));
    return st;
}

void rheo_model_destroy(rheo_model *m)
{
    if (m) m->type->destroy(m);
}

rheo_status rheo_instance_create(rheo_model *model, const char *device, rheo_instance *out, rheo_error *err)
{
    rheo_instance in = { .model = model, .theta = -1, .fixed = -1 };
    rheo_status st = RHEO_OK;
    if (!device || strcmp(device, "host")) st = rheo_device_open(device, &in.dev, err);
    if (!st && !(in.state = rheo_state_create())) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_state_bind(in.state, in.dev, err);
    if (!st) st = rheo_params_declare(in.model->params, in.state, &in.theta, &in.fixed, err);
    if (st) rheo_instance_free(&in);
    else *out = in;
    return st;
}

static rheo_status unsaid(void *user, const char *option, double value, const char *why, rheo_error *err)
{
    (void)user, (void)option, (void)value, (void)why, (void)err;
    return RHEO_OK;
}

rheo_status rheo_instance_from_options(const rheo_train_options *options, rheo_recipe *recipe, rheo_dataset **data, rheo_instance *in,
                                       rheo_error *err)
{
    rheo_train_options o = *options;
    rheo_model *model = NULL;
    if (!o.iterations && o.minutes <= 0) o.iterations = 1;
    rheo_status st = rheo_recipe_from_options(&o, recipe, err);
    const rheo_reading how = { .size = recipe->size, .columns = o.columns };
    if (!st) st = rheo_dataset_read(recipe->data, &how, 1u << RHEO_SPLIT_TRAIN, data, err);
    if (st) return st;
    recipe->shape = rheo_shape_of_data(*data);
    const rheo_model_type *type = rheo_model_find(recipe->model);
    if (type && type->choose && cJSON_GetObjectItemCaseSensitive(recipe->config, "auto"))
        st = type->choose(recipe->config, recipe->shape, &(*data)->split[RHEO_SPLIT_TRAIN], unsaid, NULL, err);
    if (!st) st = rheo_classes_choose(recipe, *data, err);
    if (!st) st = rheo_recipe_model(recipe, &model, err);
    if (!st) st = rheo_instance_create(model, recipe->device, in, err);
    if (!st && !in->dev) st = rheo_fail(err, RHEO_EINVAL, "device: the host executor is not to be timed");
    return st;
}

void rheo_instance_free(rheo_instance *in)
{
    rheo_state_destroy(in->state);
    rheo_device_close(in->dev);
    rheo_model_destroy(in->model);
    *in = (rheo_instance){ .theta = -1, .fixed = -1 };
}

void rheo_instance_in_units(rheo_instance *in, const rheo_standard *s)
{
    in->units = in->model->type->likelihood ? rheo_standard_nats(s, rheo_dims(in->model->data)) : 0;
}

void rheo_instance_choose(rheo_instance *in, rheo_choices *choices)
{
    in->choices = choices;
    if (in->dev) rheo_choices_recall(choices, in->dev);
}

rheo_plan_options rheo_usual_plan(const rheo_instance *in)
{
    const char *arena = getenv("RHEO_ARENA");
    return (rheo_plan_options){ .rules = rheo_rules, .separate_buffers = arena && !strcmp(arena, "0"), .choices = in->choices,
                                .trial = in->trial };
}

rheo_status rheo_instance_finish(const rheo_instance *in, rheo_error *err)
{
    return in->dev ? rheo_finish(in->dev, err) : RHEO_OK;
}

double rheo_unit(const rheo_model *m) { return m->type->likelihood && m->data.bytes ? 1 / ((double)rheo_dims(m->data) * log(2)) : 1; }

const char *rheo_unit_name(const rheo_model *m) { return !m->type->likelihood ? "loss" : m->data.bytes ? "bits/dim" : "nats"; }
