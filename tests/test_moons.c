/* A two-dimensional flow (actnorm, 2x2 LU, affine coupling) trained on the moons: close to their entropy and never below it, and
 * a density that integrates to one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "data/toy.h"
#include "expect.h"
#include "model/glow.h"
#include "support.h"
#include "train/step.h"

enum { BATCH = 256, STEPS = 1000, FRESH = 40000, GRID = 400, CHUNK = 40000 };

static const rheo_data_shape plane = { 1, 1, 2, false };

typedef struct trained {
    rheo_recipe recipe;
    rheo_instance in;
    rheo_trainstep step;
    int points, logp;        /* [CHUNK, 2] and its log-densities */
    rheo_plan *density;
} trained;

static void train(trained *t)
{
    rheo_error err = RHEO_ERROR_INIT;
    float *x = malloc((size_t)STEPS * BATCH * 2 * sizeof *x);
    rheo_toy_points(rheo_toy_find("moons"), 1, 0, STEPS * BATCH, x);
    ASSERT_OK(rheo_params_write_initial(t->in.model->params, t->in.state, t->in.theta, t->in.fixed, 1, &err));
    ASSERT_OK(rheo_trainstep_initialise(&t->in, 1, BATCH, x, &err));
    ASSERT_OK(rheo_trainstep_write_scalar(&t->step, RHEO_RATE_BASE, (float)t->recipe.lr, &err));
    ASSERT_OK(rheo_trainstep_write_scalar(&t->step, RHEO_RATE_END, STEPS, &err));
    ASSERT_OK(rheo_key_write(t->in.state, &t->step.key, 1, 0, 0, &err));
    for (int64_t k = 0; k < STEPS; k++) {
        ASSERT_OK(rheo_state_write(t->in.state, t->step.batch, 0, BATCH * 2, x + k * BATCH * 2, &err));
        ASSERT_OK(rheo_plan_run(t->step.apply, &err));
    }
    float scalar[RHEO_SCALARS];
    ASSERT_OK(rheo_trainstep_read_scalars(&t->step, scalar, &err));
    cr_assert_eq(scalar[RHEO_APPLIED], STEPS, "%g of %d steps changed the parameters", scalar[RHEO_APPLIED], STEPS);
    free(x);
}

static void plan_density(trained *t)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_graph *g = rheo_graph_create(t->in.state, &rheo_op_arithmetic);
    rheo_build b;
    t->points = rheo_storage_add(t->in.state, "points", RHEO_F32, CHUNK * 2);
    t->logp = rheo_storage_add(t->in.state, "log p", RHEO_F32, CHUNK);
    ASSERT_OK(rheo_build_init(&b, g, t->in.model->params, t->in.theta, t->in.fixed, &err));
    const rheo_value logp = rheo_glow_encode(&b, t->in.model, rheo_whole(g, t->points, RHEO_SHAPE(CHUNK, 1, 1, 2)), NULL);
    rheo_assign(g, rheo_whole(g, t->logp, RHEO_SHAPE(CHUNK, 1, 1, 1)), logp);
    rheo_build_finish(&b);
    const rheo_plan_options usual = rheo_usual_plan(&t->in);
    ASSERT_OK(rheo_plan_create(g, t->in.state, &usual, &t->density, &err));
    rheo_graph_destroy(g);
}

static trained trained_make(void)
{
    trained t = { .recipe = { .model = "glow", .shape = plane, .seed = 1, .batch = BATCH, .accumulate = 1, .lr = 4e-3, .warmup = 10,
                              .ema = 0.99, .clip = 5, .schedule = RHEO_SCHEDULE_LINEAR, .memory = RHEO_MEMORY_STORE,
                              .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } } };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_model *model = NULL;
    t.recipe.config = cJSON_Parse("{\"depth\":8,\"width\":64}");
    ASSERT_OK(rheo_recipe_model(&t.recipe, &model, &err));
    ASSERT_OK(rheo_instance_create(model, getenv("RHEO_TEST_DEVICE"), &t.in, &err));
    ASSERT_OK(rheo_trainstep_create(&t.in, &t.recipe, &t.step, &err));
    plan_density(&t);
    return t;
}

static void trained_free(trained *t)
{
    rheo_plan_destroy(t->density);
    rheo_trainstep_free(&t->step);
    rheo_instance_free(&t->in);
    rheo_recipe_free(&t->recipe);
}

/* Sum of f(log p) over n points, a multiple of CHUNK. */
static double sum_over(trained *t, int64_t n, const float *x, double (*f)(double))
{
    rheo_error err = RHEO_ERROR_INIT;
    float *logp = malloc(CHUNK * sizeof *logp);
    double sum = 0;
    for (int64_t k = 0; k < n; k += CHUNK) {
        ASSERT_OK(rheo_state_write(t->in.state, t->points, 0, CHUNK * 2, x + 2 * k, &err));
        ASSERT_OK(rheo_plan_run(t->density, &err));
        ASSERT_OK(rheo_state_read(t->in.state, t->logp, 0, CHUNK, logp, &err));
        for (int i = 0; i < CHUNK; i++) sum += f(logp[i]);
    }
    free(logp);
    return sum;
}

static double negative(double logp) { return -logp; }

/* flows 10: more than 0.02 nats below the entropy means a wrong log-determinant. */
static void check_fresh_points(trained *t)
{
    const rheo_toy *toy = rheo_toy_find("moons");
    float *x = malloc(FRESH * 2 * sizeof *x);
    rheo_toy_points(toy, 2, 0, FRESH, x);
    const double nll = sum_over(t, FRESH, x, negative) / FRESH;
    cr_log_info("%.4f nats, entropy %.3f", nll, toy->entropy);
    cr_expect(nll < toy->entropy + 0.1 && nll > toy->entropy - 0.02, "%.4f nats on fresh points, entropy %.3f", nll, toy->entropy);
    free(x);
}

/* flows 11, T-E1: midpoints of a grid on a box well beyond the data. */
static void check_integral(trained *t)
{
    const double left = -6, bottom = -5, width = 12, height = 10;
    float *x = malloc((size_t)GRID * GRID * 2 * sizeof *x);
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++) {
            x[2 * (i * GRID + j)] = (float)(left + width * (j + 0.5) / GRID);
            x[2 * (i * GRID + j) + 1] = (float)(bottom + height * (i + 0.5) / GRID);
        }
    const double integral = sum_over(t, GRID * GRID, x, exp) * width * height / (GRID * GRID);
    cr_log_info("the density integrates to %.5f", integral);
    cr_expect(fabs(integral - 1) < 5e-3, "the density integrates to %.5f", integral);
    free(x);
}

Test(moons, a_trained_flow_reaches_the_entropy_and_stays_normalised)
{
    trained t = trained_make();
    train(&t);
    check_fresh_points(&t);
    check_integral(&t);
    trained_free(&t);
}
