#include "train/step.h"

#include <math.h>
#include <stdlib.h>

/* Part of a run with a linear schedule in which the rate falls. */
#define FALLING_PART 0.4

/* ---- storages ------------------------------------------------------------------------------------ */

static rheo_status declare(rheo_trainstep *s, const rheo_recipe *r, rheo_error *err)
{
    rheo_state *state = s->in->state;
    const int64_t flat = rheo_params_flat(s->in->model->params, true);
    s->m = rheo_storage_add(state, "adam.m", RHEO_F32, flat);
    s->v = rheo_storage_add(state, "adam.v", RHEO_F32, flat);
    s->ema = rheo_storage_add(state, "ema", RHEO_F32, flat);
    s->batch = rheo_storage_add(state, "batch", RHEO_F32, r->batch * rheo_dims(r->shape));
    s->packed = rheo_storage_add(state, "packed", RHEO_F32, flat);
    s->scalars = rheo_storage_add(state, "scalars", RHEO_F32, (int64_t)RHEO_SCALARS * RHEO_SCALAR_STRIDE);
    bool ok = s->m >= 0 && s->v >= 0 && s->ema >= 0 && s->batch >= 0 && s->packed >= 0 && s->scalars >= 0;
    if (s->in->model->classes) {
        s->classes = rheo_storage_add(state, "batch.classes", RHEO_F32, r->batch * s->in->model->classes);
        ok = ok && s->classes >= 0;
    }
    if (r->accumulate > 1) {
        s->gradient = rheo_storage_add(state, "gradient", RHEO_F32, flat);
        s->loss = rheo_storage_add(state, "loss", RHEO_F32, 1);
        ok = ok && s->gradient >= 0 && s->loss >= 0;
    }
    return ok ? rheo_key_declare(state, &s->key, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
}

static rheo_value scalar(rheo_graph *g, const rheo_trainstep *s, rheo_scalar which)
{
    return rheo_window(g, s->scalars, (int64_t)which * RHEO_SCALAR_STRIDE, rheo_vector(1));
}

rheo_status rheo_trainstep_read_scalars(rheo_trainstep *s, float out[RHEO_SCALARS], rheo_error *err)
{
    float all[RHEO_SCALARS * RHEO_SCALAR_STRIDE];
    const rheo_status st = rheo_state_read(s->in->state, s->scalars, 0, RHEO_SCALARS * RHEO_SCALAR_STRIDE, all, err);
    for (int k = 0; k < RHEO_SCALARS && !st; k++) out[k] = all[k * RHEO_SCALAR_STRIDE];
    return st;
}

rheo_status rheo_trainstep_write_scalar(rheo_trainstep *s, rheo_scalar which, float value, rheo_error *err)
{
    return rheo_state_write(s->in->state, s->scalars, (int64_t)which * RHEO_SCALAR_STRIDE, 1, &value, err);
}

rheo_status rheo_trainstep_clear_look(rheo_trainstep *s, rheo_error *err)
{
    static const float zeros[(RHEO_SCALARS - RHEO_LOSS_SUM) * RHEO_SCALAR_STRIDE];
    const int64_t first = (int64_t)RHEO_LOSS_SUM * RHEO_SCALAR_STRIDE;
    return rheo_state_write(s->in->state, s->scalars, first, sizeof zeros / sizeof *zeros, zeros, err);
}

rheo_status rheo_trainstep_clear_sums(rheo_trainstep *s, rheo_error *err)
{
    const int64_t flat = rheo_params_flat(s->in->model->params, true);
    if (s->gradient < 0) return RHEO_OK;
    float *zeros = calloc((size_t)flat, sizeof *zeros);
    if (!zeros) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_status st = rheo_state_write(s->in->state, s->gradient, 0, flat, zeros, err);
    if (!st) st = rheo_state_write(s->in->state, s->loss, 0, 1, zeros, err);
    free(zeros);
    return st;
}

/* ---- the graph ------------------------------------------------------------------------------------- */

static rheo_value total(rheo_graph *g, const rheo_model *m, rheo_value each)
{
    return rheo_reshape(g, rheo_affine(g, rheo_sum(g, each, RHEO_AXIS_N), rheo_unit(m), 0), rheo_vector(1));
}

/* Sum over the batch of the loss in the unit shown, and its gradient (with that of a penalty) over all trained parameters as one flat
 * array. */
static void build_loss(rheo_build *b, const rheo_trainstep *s, const rheo_recipe *r, rheo_value *loss, rheo_value *gradient,
                       rheo_error *err)
{
    rheo_graph *g = b->g;
    const rheo_model *model = s->in->model;
    const int n = rheo_params_count(b->params);
    rheo_value *param = malloc((size_t)n * sizeof *param + 1), *d = malloc((size_t)n * sizeof *d + 1);
    int64_t *offset = malloc((size_t)n * sizeof *offset + 1);
    int trained = 0;
    *loss = *gradient = RHEO_NONE;
    if (!param || !d || !offset) {
        rheo_fail(err, RHEO_ENOMEM, "out of memory");
        goto done;
    }
    for (int k = 0; k < n; k++) {
        const rheo_param *p = rheo_params_at(b->params, k);
        if (!p->trained) continue;
        param[trained] = rheo_param_value(b, k);
        offset[trained++] = p->offset;
    }
    rheo_name_scope(g, "loss");
    const rheo_value key = rheo_key_value(g, &s->key);
    if (model->classes) b->classes = rheo_whole(g, s->classes, RHEO_SHAPE(r->batch, 1, 1, model->classes));
    const rheo_value each = model->type->loss(b, model, rheo_whole(g, s->batch, rheo_batch_shape(r->shape, r->batch)), key);
    rheo_name_scope(g, "loss");
    *loss = total(g, model, each);
    const rheo_value minimised[2] = { *loss, rheo_is_none(b->penalty) ? RHEO_NONE : total(g, model, b->penalty) };
    rheo_gradients(g, rheo_is_none(b->penalty) ? 1 : 2, minimised, NULL, trained, param, d);
    rheo_name_scope(g, "gradient");
    *gradient = rheo_pack(g, trained, d, offset, rheo_params_flat(b->params, true));
    /* Where it is written as it is computed: of the parameters' size, so no part of the arena. */
    rheo_assign(g, rheo_whole(g, s->packed, rheo_vector(rheo_params_flat(b->params, true))), *gradient);
done:
    free(param);
    free(d);
    free(offset);
}

/* lr min(1, t / warmup), and towards the end max(0, (end - t) / (part end)). */
static rheo_value build_rate(rheo_graph *g, const rheo_trainstep *s, const rheo_recipe *r, rheo_value t)
{
    const rheo_value one = rheo_constant(g, rheo_vector(1), 1), zero = rheo_constant(g, rheo_vector(1), 0);
    rheo_value rate = scalar(g, s, RHEO_RATE_BASE);
    if (r->warmup > 1) rate = rheo_mul(g, rate, rheo_minimum(g, rheo_affine(g, t, 1 / r->warmup, 0), one));
    if (r->schedule == RHEO_SCHEDULE_LINEAR) {
        const rheo_value end = scalar(g, s, RHEO_RATE_END);
        const rheo_value left = rheo_div(g, rheo_sub(g, end, t), rheo_affine(g, end, FALLING_PART, 0));
        rate = rheo_mul(g, rate, rheo_maximum(g, rheo_minimum(g, left, one), zero));
    }
    return rate;
}

/* gate ? value : old, whatever value holds: a weightless average. */
static rheo_value choose(rheo_graph *g, rheo_value old, rheo_value value, rheo_value gate)
{
    return rheo_ema(g, old, value, rheo_constant(g, rheo_vector(1), 0), gate);
}

static void build_counters(rheo_graph *g, const rheo_trainstep *s, rheo_value loss, rheo_value gate, rheo_value t)
{
    const rheo_value bad = rheo_affine(g, gate, -1, 1), sum = scalar(g, s, RHEO_LOSS_SUM), count = scalar(g, s, RHEO_LOSS_COUNT);
    const rheo_value first = scalar(g, s, RHEO_FIRST_BAD), none = rheo_affine(g, rheo_step(g, first), -1, 1);
    const rheo_value row = rheo_affine(g, scalar(g, s, RHEO_SKIPPED_ROW), 1, 1);
    rheo_assign(g, scalar(g, s, RHEO_APPLIED), rheo_sub(g, t, bad));
    rheo_assign(g, scalar(g, s, RHEO_SKIPPED_ROW), rheo_mul(g, row, bad));
    rheo_assign(g, scalar(g, s, RHEO_SKIPPED), rheo_add(g, scalar(g, s, RHEO_SKIPPED), bad));
    rheo_assign(g, scalar(g, s, RHEO_LOSS_SUM), choose(g, sum, rheo_add(g, sum, loss), gate));
    rheo_assign(g, scalar(g, s, RHEO_LOSS_COUNT), rheo_add(g, count, gate));
    /* All steps before the first bad one were good. */
    const rheo_value now = rheo_mul(g, rheo_mul(g, bad, none), rheo_affine(g, count, 1, 1));
    rheo_assign(g, scalar(g, s, RHEO_FIRST_BAD), rheo_add(g, first, now));
}

/* Clip, gate, optimizer, average, counters; loss and gradient are sums over `images`. */
static void build_update(rheo_build *b, const rheo_trainstep *s, const rheo_recipe *r, rheo_value loss_sum, rheo_value gradient)
{
    rheo_graph *g = b->g;
    const rheo_shape one = rheo_vector(1), flat = rheo_vector(rheo_params_flat(b->params, true));
    const double images = (double)(r->batch * r->accumulate);
    rheo_name_scope(g, "update");
    const rheo_value norm2 = rheo_norm2(g, gradient);
    const rheo_value squares = rheo_slice(g, norm2, RHEO_SHAPE(0, 0, 0, 0), one);
    const rheo_value broken = rheo_slice(g, norm2, RHEO_SHAPE(0, 0, 0, 1), one);
    const rheo_value norm = rheo_affine(g, rheo_sqrt(g, squares), 1 / images, 0), loss = rheo_affine(g, loss_sum, 1 / images, 0);
    const rheo_value whole = rheo_affine(g, rheo_step(g, broken), -1, 1);
    const rheo_value gate = rheo_mul(g, whole, rheo_mul(g, rheo_isfinite(g, norm), rheo_isfinite(g, loss)));

    /* The mean's 1 / images rides on the clipping factor: one pass less over the gradient. */
    rheo_value scale = rheo_constant(g, one, (float)(1 / images));
    if (r->clip > 0) {
        const rheo_value factor = rheo_affine(g, rheo_reciprocal(g, rheo_affine(g, norm, 1, 1e-6)), r->clip / images, 0);
        scale = rheo_minimum(g, factor, scale);
    }
    const rheo_value t = rheo_affine(g, scalar(g, s, RHEO_APPLIED), 1, 1), rate = build_rate(g, s, r, t);
    const rheo_value theta = rheo_whole(g, s->in->theta, flat), m = rheo_whole(g, s->m, flat), v = rheo_whole(g, s->v, flat);
    const rheo_value adam = rheo_adam(g, theta, m, v, gradient, rate, scale, gate, t, &r->optimizer);
    rheo_assign(g, theta, adam);
    rheo_assign(g, m, rheo_output(adam, 1));
    rheo_assign(g, v, rheo_output(adam, 2));

    const rheo_value average = rheo_whole(g, s->ema, flat);
    const rheo_value early = rheo_div(g, rheo_affine(g, t, 1, 1), rheo_affine(g, t, 1, 10));
    const rheo_value decay = rheo_minimum(g, rheo_constant(g, one, (float)r->ema), early);
    rheo_assign(g, average, rheo_ema(g, average, adam, decay, gate));

    build_counters(g, s, loss, gate, t);
    rheo_assign(g, scalar(g, s, RHEO_LOSS), loss);
    rheo_assign(g, scalar(g, s, RHEO_GRADIENT_NORM), norm);
    rheo_assign(g, scalar(g, s, RHEO_RATE), rate);
    const rheo_value step = rheo_whole(g, s->key.step, one);
    rheo_assign(g, step, rheo_add_u32(g, step, 1));
}

/* Adds this micro-step to the sums; after the last one the update follows and the sums start anew. */
static void build_accumulation(rheo_build *b, const rheo_trainstep *s, const rheo_recipe *r, bool last, rheo_value *loss,
                               rheo_value *gradient)
{
    rheo_graph *g = b->g;
    const rheo_shape one = rheo_vector(1), flat = rheo_vector(rheo_params_flat(b->params, true));
    const rheo_value sum = rheo_whole(g, s->gradient, flat), loss_sum = rheo_whole(g, s->loss, one);
    const rheo_value first = rheo_whole(g, s->key.first, one);
    static const uint32_t none = 0;
    *loss = rheo_add(g, loss_sum, *loss);
    *gradient = rheo_add(g, sum, *gradient);
    if (last) build_update(b, s, r, *loss, *gradient);
    rheo_assign(g, sum, last ? rheo_constant(g, flat, 0) : *gradient);
    rheo_assign(g, loss_sum, last ? rheo_constant(g, one, 0) : *loss);
    rheo_assign(g, first, last ? rheo_table_u32(g, one, &none) : rheo_add_u32(g, first, (uint32_t)r->batch));
}

static rheo_status build(const rheo_trainstep *s, const rheo_recipe *r, bool invert, bool last, rheo_graph **out, rheo_error *err)
{
    const rheo_instance *in = s->in;
    rheo_build b = { 0 };
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    if (!g) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_status st = rheo_build_init(&b, g, in->model->params, in->theta, in->fixed, err);
    if (!st) {
        rheo_value loss, gradient;
        b.invert = invert;
        build_loss(&b, s, r, &loss, &gradient, err);
        if (r->accumulate > 1) build_accumulation(&b, s, r, last, &loss, &gradient);
        else build_update(&b, s, r, loss, gradient);
        rheo_build_finish(&b);
        const rheo_error *bad = rheo_graph_error(g);
        if (bad->status) st = rheo_fail(err, bad->status, "%s", bad->text);
        else if (rheo_is_none(gradient)) st = RHEO_ENOMEM;
    }
    if (st) rheo_graph_destroy(g);
    else *out = g;
    return st;
}

/* ---- store or invert ----------------------------------------------------------------------------------- */

/* Activations may take a third of the device's memory, on a CPU (whose memory is everyone's) at most 4 GiB. */
static uint64_t arena_budget(const rheo_device_facts *f)
{
    const uint64_t third = f->global_bytes / 3, most = (uint64_t)4 << 30;
    return f->kind == RHEO_CPU && third > most ? most : third;
}

/* Builds the graph of the step, choosing for memory auto: stored activations where they fit. */
static rheo_status choose_memory(rheo_trainstep *s, const rheo_recipe *r, rheo_graph **out, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(s->in);
    rheo_plan_stats stats = { 0 };
    const bool invertible = s->in->model->type->round_trip != NULL;
    s->inverts = r->memory == RHEO_MEMORY_INVERT;
    if (s->inverts && !invertible) return rheo_fail(err, RHEO_EINVAL, "memory: found invert, but %s is no invertible model", r->model);
    rheo_status st = build(s, r, s->inverts, true, out, err);
    if (st || r->memory != RHEO_MEMORY_AUTO || !s->in->dev || !invertible) return st;
    const rheo_device_facts *facts = rheo_device_facts_of(s->in->dev);
    const rheo_status fits = rheo_plan_measure(*out, &usual, facts, &stats, NULL);
    if (!fits && stats.arena_bytes <= arena_budget(facts)) return RHEO_OK;
    rheo_graph_destroy(*out);
    *out = NULL;
    s->inverts = true;
    return build(s, r, true, true, out, err);
}

rheo_status rheo_trainstep_create(const rheo_instance *in, const rheo_recipe *recipe, rheo_trainstep *out, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(in);
    rheo_trainstep s = { .in = in, .gradient = -1, .loss = -1, .classes = -1 };
    rheo_graph *apply = NULL, *micro = NULL;
    rheo_status st = declare(&s, recipe, err);
    if (!st) st = choose_memory(&s, recipe, &apply, err);
    if (!st) st = rheo_plan_create(apply, in->state, &usual, &s.apply, err);
    if (!st && recipe->accumulate > 1) st = build(&s, recipe, s.inverts, false, &micro, err);
    if (!st && micro) st = rheo_plan_create(micro, in->state, &usual, &s.micro, err);
    rheo_graph_destroy(apply);
    rheo_graph_destroy(micro);
    if (st) rheo_trainstep_free(&s);
    else *out = s;
    return st;
}

void rheo_trainstep_free(rheo_trainstep *s)
{
    rheo_plan_destroy(s->apply);
    rheo_plan_destroy(s->micro);
    s->apply = s->micro = NULL;
}
