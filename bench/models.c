/* The models that are compared, and the plan of each phase: with no data set, no recipe and no tuning to choose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "model/ncsn.h"
#include "op/ops.h"
#include "op/product.h"
#include "tool.h"

static const struct { const char *name, *model, *config; rheo_data_shape shape; int64_t batch; } models[] = {
    { "glow-cifar", "glow", "{\"levels\":3,\"depth\":32,\"width\":512}", { 32, 32, 3, true }, 8 },
    { "glow-small", "glow", "{\"levels\":3,\"depth\":8,\"width\":128}", { 32, 32, 1, true }, 64 },
    { "ncsn-cifar", "ncsn", "{\"network\":\"v1\",\"width\":128}", { 32, 32, 3, true }, 8 },
    { "ncsn-small", "ncsn", "{\"network\":\"v1\",\"width\":32}", { 28, 28, 1, true }, 32 },
};
enum { MODELS = sizeof models / sizeof *models };

const char *bench_model_names(void) { return "glow-cifar, glow-small, ncsn-cifar, ncsn-small"; }

static const char *const phases[] = { [BENCH_TRAIN] = "train", [BENCH_SAMPLE] = "sample", [BENCH_EVAL] = "eval" };
enum { PHASES = sizeof phases / sizeof *phases };

const char *bench_phase_name(bench_phase phase) { return phases[phase]; }

int bench_take_phase(const char *command, const char *name, bench_phase *out)
{
    int k = 0;
    while (k < PHASES && strcmp(phases[k], name)) k++;
    if (k == PHASES) return tool_misused(command, "--phase: found '%.40s', expected train, sample or eval", name);
    *out = (bench_phase)k;
    return BENCH_OK;
}

/* ---- phases ------------------------------------------------------------------------------------------------- */

/* x [batch, h, w, c]: bytes without a pattern. */
static rheo_status prepare_training(bench_model *m, const float *x, rheo_error *err)
{
    rheo_status st = rheo_trainstep_create(&m->in, &m->recipe, &m->step, err);
    if (!st) st = rheo_state_write(m->in.state, m->step.batch, 0, m->recipe.batch * rheo_dims(m->recipe.shape), x, err);
    if (!st) st = rheo_trainstep_write_scalar(&m->step, RHEO_RATE_BASE, 1e-5f, err);
    if (!st) st = rheo_trainstep_write_scalar(&m->step, RHEO_RATE_END, 1e9f, err);
    m->plan = m->step.apply;
    return st;
}

static rheo_status prepare_evaluation(bench_model *m, const float *x, rheo_error *err)
{
    rheo_status st = rheo_evaluator_create(&m->in, m->in.theta, m->recipe.batch, false, &m->evaluator, err);
    if (!st) st = rheo_state_write(m->in.state, m->evaluator.x, 0, m->recipe.batch * rheo_dims(m->recipe.shape), x, err);
    m->plan = m->evaluator.loss;
    return st;
}

static rheo_status prepare_drawing(bench_model *m, rheo_error *err)
{
    const float temperature = 0.7f;
    rheo_status st = rheo_drawer_create(&m->in, m->in.theta, m->recipe.config, m->recipe.batch, &m->drawer, err);
    if (!st) st = rheo_state_write(m->in.state, m->drawer.temperature, 0, 1, &temperature, err);
    m->plan = m->drawer.plan;
    return st;
}

static rheo_value score_of(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    const rheo_instance *in = ctx;
    rheo_build b = { 0 };
    if (rheo_build_init(&b, g, in->model->params, in->theta, in->fixed, NULL)) return rheo_graph_fail(g, "score: out of memory");
    const rheo_value s = rheo_ncsn_score(&b, (const rheo_ncsn *)in->model, x, labels, sigma);
    rheo_build_finish(&b);
    return s;
}

/* Steps at the last level, the smallest: chains of an untrained network stay where they are. */
static rheo_status prepare_chain(bench_model *m, rheo_error *err)
{
    const rheo_ncsn *ncsn = (const rheo_ncsn *)m->in.model;
    const rheo_plan_options usual = rheo_usual_plan(&m->in);
    const rheo_annealing annealing = { .levels = (int)ncsn->levels, .sigma = ncsn->sigma, .steps = 1, .epsilon = ncsn->epsilon };
    uint32_t *labels = malloc((size_t)m->recipe.batch * sizeof *labels);
    if (!labels) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < m->recipe.batch; i++) labels[i] = (uint32_t)ncsn->levels - 1;
    rheo_status st = rheo_chain_create(m->in.state, rheo_batch_shape(m->recipe.shape, m->recipe.batch), RHEO_CHAIN_FREE, &annealing, score_of,
                                       &m->in, &usual, &m->chain, err);
    if (!st) st = rheo_state_write(m->in.state, m->chain.labels, 0, m->recipe.batch, labels, err);
    if (!st) st = rheo_plan_run(m->chain.start, err);
    m->plan = m->chain.advance;
    free(labels);
    return st;
}

static rheo_status prepare(bench_model *m, rheo_error *err)
{
    const rheo_recipe *r = &m->recipe;
    const int64_t count = r->batch * rheo_dims(r->shape);
    float *x = malloc((size_t)count * sizeof *x);
    uint32_t h = 1;
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        h ^= h << 13, h ^= h >> 17, h ^= h << 5;     /* Marsaglia 2003, xorshift */
        x[i] = (float)(h >> 24);
    }
    rheo_status st = rheo_params_write_initial(m->in.model->params, m->in.state, m->in.theta, m->in.fixed, r->seed, err);
    if (!st) st = rheo_trainstep_initialise(&m->in, r->seed, r->batch, x, err);
    if (!st && m->phase == BENCH_TRAIN) st = prepare_training(m, x, err);
    if (!st && m->phase == BENCH_EVAL) st = prepare_evaluation(m, x, err);
    if (!st && m->phase == BENCH_SAMPLE) st = m->in.model->type->sample ? prepare_drawing(m, err) : prepare_chain(m, err);
    free(x);
    return st;
}

/* ---- creation -------------------------------------------------------------------------------------------------- */

rheo_status bench_choose(rheo_instance *in, rheo_recipe *recipe, const bench_model_options *o, rheo_error *err)
{
    static const char *const stacks[] = { "conv2d_stack", "conv2d_stack_backward" };
    bool ok = !o->f43 || rheo_product_prefer_f43(&recipe->variants);
    for (int k = 0; o->apart && ok && k < 2; k++) ok = rheo_choices_set(&recipe->variants, stacks[k], RHEO_EXPANDED, false);
    if (!ok) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_instance_choose(in, &recipe->variants);
    return RHEO_OK;
}

rheo_status bench_model_create(const char *name, const bench_model_options *o, bench_model *out, rheo_error *err)
{
    bench_model *m = out;
    rheo_model *model = NULL;
    int k = 0;
    if (bench_is_sizes(name)) return bench_product_create(name, o, m, err);
    while (k < MODELS && strcmp(models[k].name, name)) k++;
    if (k == MODELS) return rheo_fail(err, RHEO_EINVAL, "model: found '%.40s', expected %s, or for ops sizes MxKxN or NxHxWxI:KxO", name,
                                      bench_model_names());
    m->phase = o->phase;
    m->recipe = (rheo_recipe){ .shape = models[k].shape, .seed = 1, .batch = o->batch ? o->batch : models[k].batch, .accumulate = 1, .lr = 1e-5,
                               .warmup = 1, .ema = 0.999, .memory = o->invert ? RHEO_MEMORY_INVERT : RHEO_MEMORY_STORE,
                               .config = cJSON_Parse(models[k].config),
                               .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } };
    snprintf(m->recipe.model, sizeof m->recipe.model, "%s", models[k].model);
    rheo_status st = rheo_recipe_model(&m->recipe, &model, err);
    if (!st) st = rheo_instance_create(model, o->device, &m->in, err);
    if (!st && !m->in.dev) st = rheo_fail(err, RHEO_EINVAL, "device: the host executor is not to be timed");
    if (!st) st = bench_choose(&m->in, &m->recipe, o, err);
    return st ? st : prepare(m, err);
}

void bench_model_free(bench_model *m)
{
    if (m->step.apply) rheo_trainstep_free(&m->step);
    rheo_evaluator_free(&m->evaluator);
    rheo_drawer_free(&m->drawer);
    rheo_chain_free(&m->chain);
    rheo_plan_destroy(m->product);
    rheo_instance_free(&m->in);
    rheo_recipe_free(&m->recipe);
}
