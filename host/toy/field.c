/* A score learned from samples (score 7, figure 2): right where there are many, wrong between the modes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/toy.h"
#include "model/ncsn.h"
#include "toy/mixture.h"
#include "train/step.h"

/* POINTS: samples in which the error is measured, and behind them those of the mesh. WINDOW: steps that are queued at once. */
enum {
    BATCH = 128,
    STEPS = 10000,
    LAST = 1000,
    WINDOW = 250,
    SAMPLES = 10000,
    MESH = RHEO_TOY_MESH * RHEO_TOY_MESH,
    POINTS = SAMPLES + MESH
};

typedef struct experiment {
    rheo_recipe recipe;
    rheo_instance in;
    rheo_trainstep step;
    int points, score; /* storages [POINTS, 2] */
    rheo_plan *evaluate;
} experiment;

static rheo_status plan_evaluation(experiment *e, rheo_error *err)
{
    const rheo_shape shape = { POINTS, 1, 1, 2 };
    const rheo_plan_options usual = rheo_usual_plan(&e->in);
    rheo_build b = { 0 };
    rheo_graph *g = rheo_graph_create(e->in.state, &rheo_op_arithmetic);
    e->points = rheo_storage_add(e->in.state, "toy.points", RHEO_F32, rheo_count(shape));
    e->score = rheo_storage_add(e->in.state, "toy.score", RHEO_F32, rheo_count(shape));
    rheo_status st = g && e->points >= 0 && e->score >= 0 ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "toy: out of memory");
    if (!st) st = rheo_build_init(&b, g, e->in.model->params, e->in.theta, e->in.fixed, err);
    if (!st) {
        const rheo_value x = rheo_whole(g, e->points, shape);
        rheo_assign(g, rheo_whole(g, e->score, shape), rheo_ncsn_score(&b, (const rheo_ncsn *)e->in.model, x, RHEO_NONE, RHEO_NONE));
        rheo_build_finish(&b);
        st = rheo_plan_create(g, e->in.state, &usual, &e->evaluate, err);
    }
    rheo_graph_destroy(g);
    return st;
}

/* The published recipe: 2 -> 128 -> 128 -> 2, variance-reduced sliced score matching with one Gaussian projection, no noise. */
static rheo_status create(experiment *e, const char *device, uint64_t seed, rheo_error *err)
{
    rheo_model *model = NULL;
    *e = (experiment){ .recipe = { .model = "ncsn",
                                   .config = cJSON_Parse("{\"network\":\"mlp\",\"objective\":\"ssm-vr\"}"),
                                   .shape = { 1, 1, 2, false },
                                   .seed = seed,
                                   .batch = BATCH,
                                   .accumulate = 1,
                                   .lr = 1e-3,
                                   .memory = RHEO_MEMORY_STORE,
                                   .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } },
                       .in = { .theta = -1, .fixed = -1 } };
    rheo_status st = e->recipe.config ? rheo_recipe_model(&e->recipe, &model, err) : rheo_fail(err, RHEO_ENOMEM, "toy: out of memory");
    if (!st) st = rheo_instance_create(model, device, &e->in, err);
    if (!st) rheo_instance_choose(&e->in, &e->recipe.variants);
    if (!st) st = rheo_trainstep_create(&e->in, &e->recipe, &e->step, err);
    if (!st) st = plan_evaluation(e, err);
    if (!st) st = rheo_params_write_initial(e->in.model->params, e->in.state, e->in.theta, e->in.fixed, seed, err);
    if (!st) st = rheo_trainstep_write_scalar(&e->step, RHEO_RATE_BASE, (float)e->recipe.lr, err);
    if (!st) st = rheo_key_write(e->in.state, &e->step.key, seed, 0, 0, err);
    return st;
}

static void destroy(experiment *e)
{
    rheo_plan_destroy(e->evaluate);
    rheo_trainstep_free(&e->step);
    rheo_instance_free(&e->in);
    rheo_recipe_free(&e->recipe);
}

/* Mean loss of the last steps into *loss. */
static rheo_status train(experiment *e, double *loss, rheo_error *err)
{
    enum { FLOATS = BATCH * 2 };
    float scalar[RHEO_SCALARS], *x = malloc((size_t)WINDOW * FLOATS * sizeof *x);
    rheo_status st = x ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "toy: out of memory");
    for (uint32_t done = 0; done < STEPS && !st; done += WINDOW) {
        if (done == STEPS - LAST) st = rheo_trainstep_clear_look(&e->step, err);
        rheo_toy_points(rheo_toy_find(RHEO_MIXTURE_NAME), e->recipe.seed, done * BATCH, WINDOW * BATCH, x);
        for (uint32_t k = 0; k < WINDOW && !st; k++) {
            st = rheo_state_upload(e->in.state, e->step.batch, 0, FLOATS, x + (size_t)k * FLOATS, err);
            if (!st) st = rheo_plan_run(e->step.apply, err);
        }
        const rheo_status waited = rheo_instance_finish(&e->in, err); /* x is read until then */
        if (!st) st = waited;
    }
    free(x);
    if (!st) st = rheo_trainstep_read_scalars(&e->step, scalar, err);
    if (st) return st;
    if (scalar[RHEO_APPLIED] < STEPS)
        return rheo_fail(err, RHEO_ENONFINITE, "toy: %g of %d steps changed the parameters", (double)scalar[RHEO_APPLIED], STEPS);
    *loss = (double)(scalar[RHEO_LOSS_SUM] / scalar[RHEO_LOSS_COUNT]);
    return RHEO_OK;
}

/* ---- comparison ------------------------------------------------------------------------------------------------ */

static void place_points(uint64_t seed, float *x)
{
    rheo_toy_points(rheo_toy_find(RHEO_MIXTURE_NAME), seed, STEPS * BATCH, SAMPLES, x);
    for (int k = 0; k < MESH; k++) {
        x[2 * (SAMPLES + k)] = (float)(16.0 * (k % RHEO_TOY_MESH) / (RHEO_TOY_MESH - 1) - 8);
        x[2 * (SAMPLES + k) + 1] = (float)(16.0 * (k / RHEO_TOY_MESH) / (RHEO_TOY_MESH - 1) - 8);
    }
}

static double nearest_mode(const double x[2])
{
    return fmin(hypot(x[0] - RHEO_MIXTURE_MODE, x[1] - RHEO_MIXTURE_MODE), hypot(x[0] + RHEO_MIXTURE_MODE, x[1] + RHEO_MIXTURE_MODE));
}

static void compare(const float *x, const float *learned, double loss, float *field, rheo_toy_number *numbers)
{
    double squares = 0, near = 0, far = 0;
    int n_near = 0, n_far = 0;
    for (int k = 0; k < POINTS; k++) {
        const double at[2] = { x[2 * k], x[2 * k + 1] };
        double s[2];
        rheo_mixture_score(at, 1, s);
        const double error = hypot((double)learned[2 * k] - s[0], (double)learned[2 * k + 1] - s[1]), distance = nearest_mode(at);
        if (k < SAMPLES) {
            squares += error * error / SAMPLES;
            continue;
        }
        const float row[6] = { x[2 * k], x[2 * k + 1], (float)s[0], (float)s[1], learned[2 * k], learned[2 * k + 1] };
        memcpy(field + 6 * (size_t)(k - SAMPLES), row, sizeof row);
        if (distance < 2) near += error, n_near++;
        if (distance > 5) far += error, n_far++;
    }
    near /= n_near;
    far /= n_far;
    const rheo_toy_number all[RHEO_TOY_FIELD_NUMBERS] = {
        { "loss", "sliced score matching loss, last 1,000 steps", loss, -1, -1.03, -0.97 },
        { "error_on_samples", "E |s - s*|^2 over the mixture", squares, 0.026, 0, 0.1 },
        { "error_near", "mean |s - s*| within 2 of a mode", near, 0.15, 0, 0.35 },
        { "error_far", "mean |s - s*| farther than 5 from both", far, 3.3, 8 * near, INFINITY },
    };
    memcpy(numbers, all, sizeof all);
}

rheo_status rheo_toy_field(const char *device, uint64_t seed, float *field, rheo_toy_number *numbers, rheo_error *err)
{
    experiment e;
    double loss = 0;
    float *x = malloc(2 * (size_t)POINTS * 2 * sizeof *x), *learned = x + 2 * POINTS;
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "toy: out of memory");
    rheo_status st = create(&e, device, seed, err);
    if (!st) st = train(&e, &loss, err);
    place_points(seed, x);
    if (!st) st = rheo_state_write(e.in.state, e.points, 0, 2 * POINTS, x, err);
    if (!st) st = rheo_plan_run(e.evaluate, err);
    if (!st) st = rheo_state_read(e.in.state, e.score, 0, 2 * POINTS, learned, err);
    if (!st) compare(x, learned, loss, field, numbers);
    destroy(&e);
    free(x);
    return st;
}
