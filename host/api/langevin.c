/* Samples of score models: from the caller's arguments to jobs of host/sample/draw_score.h. */
#include <stdlib.h>
#include <string.h>

#include "api/checkpoint.h"
#include "data/png.h"
#include "train/feed.h"

void rheo_langevin_defaults(rheo_langevin_options *options) { *options = (rheo_langevin_options){ .n = 64 }; }

static rheo_status check(const rheo_checkpoint *c, const rheo_langevin_options *o, const char *call, rheo_error *err)
{
    if (!rheo_is_score(c))
        return rheo_fail(err, RHEO_EINVAL, "%s: found a model of kind %s, expected a score model (ncsn)", c->path, c->recipe.model);
    if (!o->n) return rheo_fail(err, RHEO_EINVAL, "%s: no samples asked for", call);
    return RHEO_OK;
}

rheo_status rheo_langevin_complete(const rheo_checkpoint *c, rheo_langevin_options *o, rheo_error *err)
{
    rheo_score_schedule schedule;
    rheo_status st = check(c, o, "langevin", err);
    if (!st) st = rheo_score_schedule_from((const rheo_ncsn *)c->in.model, c->recipe.config, o, &schedule, err);
    if (st) return st;
    if (!o->step_convention) {
        const char *own = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->recipe.config, "step_convention"));
        o->step_convention = own && !strcmp(own, "alpha") ? "alpha" : "eta";
    }
    if (!o->method) o->method = "annealed";
    if (!o->epsilon) o->epsilon = schedule.annealing.epsilon * (!strcmp(o->step_convention, "alpha") ? 2 : 1);
    o->steps = schedule.annealing.steps;
    o->denoise = schedule.annealing.denoise ? "on" : "off";
    return RHEO_OK;
}

static void clamp(float *x, size_t count)
{
    for (size_t k = 0; k < count; k++) x[k] = x[k] < 0 ? 0 : x[k] > 1 ? 1 : x[k];
}

static rheo_status draw(rheo_checkpoint *c, rheo_chain_kind kind, const float *mask, const float *reference, const rheo_langevin_options *o,
                        float *out, rheo_error *err)
{
    rheo_score_job job = { .kind = kind, .options = o, .mask = mask, .reference = reference };
    rheo_dataset *data = NULL;
    rheo_status st = rheo_score_schedule_from((const rheo_ncsn *)c->in.model, c->recipe.config, o, &job.schedule, err);
    const rheo_reading how = rheo_recipe_reading(&c->recipe, NULL);
    if (!st && o->data_init) st = rheo_dataset_read(c->recipe.data, &how, 1u << RHEO_SPLIT_TRAIN, &data, err);
    if (!st && data) st = rheo_check_data(data, c->recipe.shape, err);
    if (!st && data) job.data = &data->split[RHEO_SPLIT_TRAIN];
    if (!st) st = rheo_score_draw(&c->chains, &c->in, &job, out, err);
    if (!st && c->recipe.shape.bytes) clamp(out, o->n * (size_t)rheo_dims(c->recipe.shape));
    if (!st) rheo_in_units(c, o->n, out);
    rheo_dataset_close(data);
    return st;
}

rheo_status rheo_sample_langevin(rheo_checkpoint *c, const rheo_langevin_options *o, float *out, rheo_error *err)
{
    const rheo_status st = check(c, o, "sample_langevin", err);
    return st ? st : draw(c, RHEO_CHAIN_FREE, NULL, NULL, o, out, err);
}

rheo_status rheo_interpolate(rheo_checkpoint *c, const rheo_langevin_options *o, float *out, rheo_error *err)
{
    rheo_status st = check(c, o, "interpolate", err);
    if (!st && o->n < 2) st = rheo_fail(err, RHEO_EINVAL, "interpolate: 1 chain, expected 2 at least");
    if (!st && o->data_init) st = rheo_fail(err, RHEO_EINVAL, "interpolate: its chains share one uniform start, data_init cannot be had");
    return st ? st : draw(c, RHEO_CHAIN_INTERPOLATE, NULL, NULL, o, out, err);
}

/* ---- inpainting ------------------------------------------------------------------------------------------------ */

rheo_status rheo_inpaint(rheo_checkpoint *c, const uint8_t *image, const uint8_t *mask, const rheo_inpaint_options *how,
                         const rheo_langevin_options *o, float *out, rheo_error *err)
{
    const size_t dims = (size_t)rheo_dims(c->recipe.shape), channels = (size_t)c->recipe.shape.c;
    int second = 0, noisy = 0;
    rheo_status st = check(c, o, "inpaint", err);
    if (!st && !c->recipe.shape.bytes) st = rheo_fail(err, RHEO_EINVAL, "inpaint: found a model of vectors, expected one of images");
    if (!st && how) st = rheo_score_choose("variant", how->variant, "v1", "v2", &second, err);
    if (!st && how) st = rheo_score_choose("finish", how->finish, "restore", "noisy", &noisy, err);
    if (st) return st;
    float *known = malloc(2 * dims * sizeof *known), *reference = known + dims;
    if (!known) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (size_t k = 0; k < dims; k++) known[k] = mask[k / channels] != 0;
    rheo_from_bytes(image, dims, reference);
    st = draw(c, second ? RHEO_CHAIN_KNOWN_V2 : RHEO_CHAIN_KNOWN, known, reference, o, out, err);
    for (size_t k = 0; !st && !noisy && k < o->n * dims; k++)
        if (known[k % dims] > 0) out[k] = reference[k % dims];
    free(known);
    return st;
}
