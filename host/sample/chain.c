#include "sample/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "op/ops.h"

#define QUARTER_TURN 1.57079632679489661923

static bool has_known(rheo_chain_kind kind)
{
    return kind == RHEO_CHAIN_KNOWN || kind == RHEO_CHAIN_KNOWN_V2;
}
static int64_t one_sample(const rheo_chain *c)
{
    return rheo_count(c->shape) / c->shape.n;
}

/* ---- storages -------------------------------------------------------------------------------------------- */

static int float_storage(rheo_chain *c, const char *name, int64_t count)
{
    return rheo_storage_add(c->state, name, RHEO_F32, count);
}

static bool declare(rheo_chain *c)
{
    const int64_t all = rheo_count(c->shape), levels = c->annealing.levels;
    c->x = float_storage(c, "chain.x", all);
    c->labels = rheo_storage_add(c->state, "chain.labels", RHEO_U32, c->shape.n);
    c->sigma = float_storage(c, "chain.sigma", levels);
    c->eta = float_storage(c, "chain.eta", levels);
    c->noise = float_storage(c, "chain.noise", levels);
    c->mask = c->reference = c->known = -1;
    if (has_known(c->kind)) {
        c->mask = float_storage(c, "chain.mask", one_sample(c));
        c->reference = float_storage(c, "chain.reference", all);
        c->known = float_storage(c, "chain.known", all);
        if (c->mask < 0 || c->reference < 0 || c->known < 0) return false;
    }
    return c->x >= 0 && c->labels >= 0 && c->sigma >= 0 && c->eta >= 0 && c->noise >= 0;
}

static rheo_status write_levels(rheo_chain *c, const rheo_annealing *a, rheo_error *err)
{
    const double last = a->sigma[a->levels - 1];
    float *sigma = malloc(3 * (size_t)a->levels * sizeof *sigma), *eta = sigma + a->levels, *noise = eta + a->levels;
    if (!sigma) return rheo_fail(err, RHEO_ENOMEM, "chain: out of memory");
    for (int i = 0; i < a->levels; i++) {
        const double step = a->epsilon * (a->sigma[i] / last) * (a->sigma[i] / last);
        sigma[i] = (float)a->sigma[i];
        eta[i] = (float)step;
        noise[i] = (float)sqrt(2 * step);
    }
    rheo_status st = rheo_state_write(c->state, c->sigma, 0, a->levels, sigma, err);
    if (!st) st = rheo_state_write(c->state, c->eta, 0, a->levels, eta, err);
    if (!st) st = rheo_state_write(c->state, c->noise, 0, a->levels, noise, err);
    free(sigma);
    return st;
}

/* ---- plans ------------------------------------------------------------------------------------------------- */

static rheo_value mask_of(rheo_graph *g, const rheo_chain *c)
{
    return rheo_whole(g, c->mask, RHEO_SHAPE(1, c->shape.h, c->shape.w, c->shape.c));
}

static rheo_value of_level(rheo_graph *g, const rheo_chain *c, int table)
{
    return rheo_gather(g, rheo_whole(g, table, rheo_vector(c->annealing.levels)), rheo_whole(g, c->labels, rheo_vector(1)), 3);
}

static void build_start(rheo_graph *g, const rheo_chain *c)
{
    const bool shared = c->kind == RHEO_CHAIN_INTERPOLATE;
    const rheo_shape drawn = RHEO_SHAPE(shared ? 1 : c->shape.n, c->shape.h, c->shape.w, c->shape.c);
    const rheo_value x = rheo_uniform(g, rheo_key_value(g, &c->key), drawn, RHEO_FOR_START, 0);
    rheo_assign(g, rheo_whole(g, c->x, c->shape), shared ? rheo_broadcast(g, x, c->shape) : x);
}

/* y = reference + sigma z', and x where the mask is set. */
static rheo_value paste(rheo_graph *g, const rheo_chain *c, rheo_value *x)
{
    const rheo_value z = rheo_normal(g, rheo_key_value(g, &c->key), c->shape, RHEO_FOR_INPAINT, 0);
    const rheo_value y = rheo_add(g, rheo_whole(g, c->reference, c->shape), rheo_mul(g, z, of_level(g, c, c->sigma)));
    *x = rheo_select(g, mask_of(g, c), y, *x);
    return y;
}

static void build_paste(rheo_graph *g, const rheo_chain *c)
{
    rheo_value x = rheo_whole(g, c->x, c->shape);
    const rheo_value y = paste(g, c, &x);
    rheo_assign(g, rheo_whole(g, c->known, c->shape), y);
    rheo_assign(g, rheo_whole(g, c->x, c->shape), x);
}

/* cos phi_k z_p + sin phi_k z_q with the same z_p and z_q for all chains k. */
static rheo_value turning_noise(rheo_graph *g, const rheo_chain *c)
{
    const int64_t n = c->shape.n;
    const rheo_shape one = RHEO_SHAPE(1, c->shape.h, c->shape.w, c->shape.c), each = RHEO_SHAPE(n, 1, 1, 1);
    float *turn = malloc(2 * (size_t)n * sizeof *turn);
    if (!turn) return rheo_graph_fail(g, "chain: out of memory");
    for (int64_t k = 0; k < n; k++) {
        const double phi = n > 1 ? QUARTER_TURN * (double)k / (double)(n - 1) : 0;
        turn[k] = (float)cos(phi);
        turn[n + k] = (float)sin(phi);
    }
    const rheo_value key = rheo_key_value(g, &c->key);
    const rheo_value p = rheo_mul(g, rheo_table_f32(g, each, turn), rheo_normal(g, key, one, RHEO_FOR_LANGEVIN_NOISE, 0));
    const rheo_value q = rheo_mul(g, rheo_table_f32(g, each, turn + n), rheo_normal(g, key, one, RHEO_FOR_LANGEVIN_NOISE, 1));
    free(turn);
    return rheo_add(g, p, q);
}

static void build_advance(rheo_graph *g, const rheo_chain *c, rheo_score_builder score, void *ctx)
{
    const rheo_value eta = of_level(g, c, c->eta), noise = of_level(g, c, c->noise), step = rheo_whole(g, c->key.step, rheo_vector(1));
    rheo_value x = rheo_whole(g, c->x, c->shape), mask = RHEO_NONE, known = RHEO_NONE;
    if (c->kind == RHEO_CHAIN_KNOWN_V2) paste(g, c, &x);
    if (c->kind == RHEO_CHAIN_KNOWN) {
        mask = mask_of(g, c);
        known = rheo_whole(g, c->known, c->shape);
    }
    const rheo_value s = score(g, ctx, x, rheo_whole(g, c->labels, rheo_vector(c->shape.n)), of_level(g, c, c->sigma));
    if (c->kind == RHEO_CHAIN_INTERPOLATE)
        x = rheo_add(g, x, rheo_add(g, rheo_mul(g, eta, s), rheo_mul(g, noise, turning_noise(g, c))));
    else
        x = rheo_langevin(g, x, s, eta, noise, mask, known, rheo_key_value(g, &c->key), RHEO_FOR_LANGEVIN_NOISE, 0);
    rheo_assign(g, rheo_whole(g, c->x, c->shape), x);
    rheo_assign(g, step, rheo_add_u32(g, step, 1));
}

static void build_denoise(rheo_graph *g, const rheo_chain *c, rheo_score_builder score, void *ctx)
{
    const rheo_value x = rheo_whole(g, c->x, c->shape), sigma = of_level(g, c, c->sigma);
    const rheo_value s = score(g, ctx, x, rheo_whole(g, c->labels, rheo_vector(c->shape.n)), sigma);
    rheo_value y = rheo_add(g, x, rheo_mul(g, rheo_square(g, sigma), s));
    if (c->kind == RHEO_CHAIN_KNOWN)
        y = rheo_select(g, mask_of(g, c), rheo_whole(g, c->known, c->shape), y);
    rheo_assign(g, rheo_whole(g, c->x, c->shape), y);
}

typedef enum plan_kind { START, PASTE, ADVANCE, DENOISE } plan_kind;

static rheo_status compile(rheo_chain *c, plan_kind kind, rheo_score_builder score, void *ctx, const rheo_plan_options *options,
                           rheo_plan **out, rheo_error *err)
{
    rheo_graph *g = rheo_graph_create(c->state, &rheo_op_arithmetic);
    if (!g) return rheo_fail(err, RHEO_ENOMEM, "chain: out of memory");
    rheo_name_scope(g, "chain");
    switch (kind) {
    case START:
        build_start(g, c);
        break;
    case PASTE:
        build_paste(g, c);
        break;
    case ADVANCE:
        build_advance(g, c, score, ctx);
        break;
    case DENOISE:
        build_denoise(g, c, score, ctx);
        break;
    }
    const rheo_status st = rheo_plan_create(g, c->state, options, out, err);
    rheo_graph_destroy(g);
    return st;
}

rheo_status rheo_chain_create(rheo_state *state, rheo_shape shape, rheo_chain_kind kind, const rheo_annealing *annealing,
                              rheo_score_builder score, void *ctx, const rheo_plan_options *options, rheo_chain *out, rheo_error *err)
{
    rheo_chain c = { .state = state, .shape = shape, .annealing = *annealing, .kind = kind };
    rheo_status st = declare(&c) ? rheo_key_declare(state, &c.key, err) : rheo_fail(err, RHEO_ENOMEM, "chain: out of memory");
    if (!st) st = write_levels(&c, annealing, err);
    c.annealing.sigma = NULL; /* lent for this call only */
    if (!st) st = compile(&c, START, score, ctx, options, &c.start, err);
    if (!st) st = compile(&c, ADVANCE, score, ctx, options, &c.advance, err);
    if (!st && kind == RHEO_CHAIN_KNOWN) st = compile(&c, PASTE, score, ctx, options, &c.paste, err);
    if (!st && annealing->denoise) st = compile(&c, DENOISE, score, ctx, options, &c.denoise, err);
    if (st)
        rheo_chain_free(&c);
    else
        *out = c;
    return st;
}

rheo_status rheo_chain_tune(rheo_chain *c, const rheo_annealing *annealing, int first_level, rheo_error *err)
{
    const int levels = c->annealing.levels;
    if (annealing->levels != levels || first_level < 0 || first_level >= levels)
        return rheo_fail(err, RHEO_EINVAL, "chain: found %d levels from %d on, expected %d", annealing->levels, first_level, levels);
    c->annealing = *annealing;
    c->annealing.sigma = NULL;
    c->first_level = first_level;
    return write_levels(c, annealing, err);
}

size_t rheo_chain_bytes(const rheo_chain *c)
{
    const rheo_plan *const plans[] = { c->start, c->paste, c->advance, c->denoise };
    size_t bytes = rheo_state_bytes(c->state);
    for (int k = 0; k < 4; k++)
        if (plans[k]) bytes += rheo_plan_stats_of(plans[k]).arena_bytes;
    return bytes;
}

void rheo_chain_free(rheo_chain *c)
{
    rheo_plan_destroy(c->start);
    rheo_plan_destroy(c->paste);
    rheo_plan_destroy(c->advance);
    rheo_plan_destroy(c->denoise);
    c->start = c->paste = c->advance = c->denoise = NULL;
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static rheo_status finish(rheo_chain *c, rheo_status st, rheo_error *err)
{
    rheo_device *dev = rheo_state_device(c->state);
    const rheo_status waited = dev ? rheo_finish(dev, err) : RHEO_OK;
    return st ? st : waited;
}

rheo_status rheo_chain_set_known(rheo_chain *c, const float *mask, const float *reference, rheo_error *err)
{
    const rheo_status st = rheo_state_write(c->state, c->mask, 0, one_sample(c), mask, err);
    return st ? st : rheo_state_write(c->state, c->reference, 0, rheo_count(c->shape), reference, err);
}

static rheo_status begin(rheo_chain *c, uint64_t seed, uint32_t first, const float *x0, rheo_error *err)
{
    const rheo_status st = rheo_key_write(c->state, &c->key, seed, 0, first, err);
    if (st) return st;
    return x0 ? rheo_state_write(c->state, c->x, 0, rheo_count(c->shape), x0, err) : rheo_plan_run(c->start, err);
}

/* One step, with the device at most two behind: it always has one to go on with, and what the watch is told is true. */
static rheo_status follow(rheo_chain *c, cl_event *mark, rheo_error *err)
{
    rheo_device *dev = rheo_state_device(c->state);
    rheo_status st = dev ? rheo_wait(dev, mark, err) : RHEO_OK;
    if (!st) st = rheo_plan_run(c->advance, err);
    return !st && dev ? rheo_mark(dev, mark, err) : st;
}

static rheo_status ask(rheo_chain_watch watch, void *user, int level, int step, rheo_error *err)
{
    if (!watch || watch(user, level, step)) return RHEO_OK;
    return rheo_fail(err, RHEO_ESTOPPED, "stopped after step %d of noise level %d", step, level + 1);
}

static rheo_status run_level(rheo_chain *c, int level, uint32_t *labels, rheo_chain_watch watch, void *user, rheo_error *err)
{
    rheo_device *dev = rheo_state_device(c->state);
    cl_event marks[2] = { NULL, NULL };
    for (int64_t i = 0; i < c->shape.n; i++) labels[i] = (uint32_t)level;
    rheo_status st = rheo_state_write(c->state, c->labels, 0, c->shape.n, labels, err);
    if (!st && c->paste) st = rheo_plan_run(c->paste, err);
    for (int t = 0; t < c->annealing.steps && !st; t++) {
        st = watch ? follow(c, &marks[t % 2], err) : rheo_plan_run(c->advance, err);
        if (!st) st = ask(watch, user, level, t + 1, err);
    }
    for (int k = 0; k < 2 && dev; k++) rheo_wait(dev, &marks[k], NULL);
    return finish(c, st, err);
}

rheo_status rheo_chain_run(rheo_chain *c, uint64_t seed, uint32_t first, const float *x0, rheo_chain_watch watch, void *user,
                           rheo_error *err)
{
    uint32_t *labels = malloc((size_t)c->shape.n * sizeof *labels);
    if (!labels) return rheo_fail(err, RHEO_ENOMEM, "chain: out of memory");
    rheo_status st = begin(c, seed, first, x0, err);
    if (!st) st = ask(watch, user, c->first_level, 0, err);
    for (int level = c->first_level; level < c->annealing.levels && !st; level++) st = run_level(c, level, labels, watch, user, err);
    if (!st && c->denoise && c->annealing.denoise) st = finish(c, rheo_plan_run(c->denoise, err), err);
    free(labels);
    return st;
}

rheo_status rheo_chain_read(rheo_chain *c, float *x, rheo_error *err)
{
    return rheo_state_read(c->state, c->x, 0, rheo_count(c->shape), x, err);
}
