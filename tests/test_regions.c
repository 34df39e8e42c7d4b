/* Back-propagation by inversion over a deep chain: memory that does not grow with depth, gradients equal to those of stored
 * activations, no network evaluated more often than twice. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "flow/flow.h"
#include "op/rules.h"
#include "support.h"

/* Of a block's four convolutions three are the conditioner's and one is the reversal, forward as well as inverse. */
enum { SHALLOW = 8, DEEP = 64, LAYERS = 3, CONVOLUTIONS = 4 };
static const rheo_shape data = { 4, 6, 6, 6 };

/* Blocks of actnorm, reversal and affine coupling with a convolutional conditioner; the gradient of the mean of
 * sum(y^2) / 2 - logdet over all parameters goes to a storage. */
typedef struct chain {
    rheo_params *params;
    rheo_flow *layer[DEEP][LAYERS];
    rheo_state *state;
    int blocks, theta, fixed, x, gradient;
    bool twice;                 /* the gradient of the squared norm of the gradient instead */
} chain;

static chain chain_make(int blocks, rheo_device *dev)
{
    chain c = { .params = rheo_params_create(), .state = rheo_state_create(), .blocks = blocks };
    const rheo_coupling_options options = { .affine = true, .width = 8, .kernel = 3 };
    rheo_error err = RHEO_ERROR_INIT;
    for (int k = 0; k < blocks; k++) {
        rheo_params_enter(c.params, "block%d", k);
        c.layer[k][0] = rheo_actnorm_create(c.params, data.c);
        c.layer[k][1] = rheo_permutation_create(c.params, data.c, false, 1);
        c.layer[k][2] = rheo_coupling_create(c.params, data.c, &options);
        rheo_params_leave(c.params);
    }
    cr_assert(rheo_params_ok(c.params));
    cr_assert_eq(rheo_state_bind(c.state, dev, &err), RHEO_OK);
    cr_assert_eq(rheo_params_declare(c.params, c.state, &c.theta, &c.fixed, &err), RHEO_OK);
    cr_assert_eq(rheo_params_write_initial(c.params, c.state, c.theta, c.fixed, 3, &err), RHEO_OK, "%s", err.text);
    const int64_t flat = rheo_params_flat(c.params, true);
    double *theta = malloc((size_t)(flat + rheo_count(data)) * sizeof *theta), *noise = malloc((size_t)flat * sizeof *noise);
    test_read(c.state, c.theta, theta);
    test_fill((rheo_sample_fill){ .scale = 0.05 }, rheo_vector(flat), 5, noise);
    for (int64_t k = 0; k < flat; k++) theta[k] += noise[k];
    test_write(c.state, c.theta, theta);
    test_fill((rheo_sample_fill){ 0 }, data, 7, theta);
    c.x = test_storage(c.state, RHEO_F32, rheo_count(data), theta);
    c.gradient = test_storage(c.state, RHEO_F32, flat, NULL);
    free(theta), free(noise);
    return c;
}

static void chain_free(chain *c)
{
    for (int k = 0; k < c->blocks; k++)
        for (int j = 0; j < LAYERS; j++) rheo_flow_destroy(c->layer[k][j]);
    rheo_params_destroy(c->params);
    rheo_state_destroy(c->state);
}

static rheo_plan *chain_plan(chain *c, bool invert, const rheo_rule *const *rules)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_graph *g = rheo_graph_create(c->state, &rheo_op_arithmetic);
    rheo_build b;
    cr_assert_eq(rheo_build_init(&b, g, c->params, c->theta, c->fixed, &err), RHEO_OK);
    b.invert = invert;
    rheo_value y = rheo_window(g, c->x, 0, data), logdet = rheo_constant(g, RHEO_SHAPE(data.n, 1, 1, 1), 0);
    for (int k = 0; k < c->blocks; k++)
        for (int j = 0; j < LAYERS; j++) rheo_flow_apply(&b, c->layer[k][j], y, &y, &logdet);
    const rheo_value half = rheo_affine(g, rheo_sum(g, rheo_square(g, y), RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C), 0.5, 0);
    rheo_value loss = rheo_mean(g, rheo_sub(g, half, logdet), RHEO_AXIS_N);
    if (c->twice) loss = rheo_sum(g, rheo_square(g, test_packed_gradient(&b, loss)), RHEO_AXIS_C);
    /* Nobody reads the packed gradient in this run: it is written where it is assigned to, outside the arena. */
    rheo_assign(g, rheo_window(g, c->gradient, 0, rheo_vector(rheo_params_flat(c->params, true))), test_packed_gradient(&b, loss));
    rheo_plan *plan = NULL;
    cr_assert_eq(rheo_plan_create(g, c->state, &(rheo_plan_options){ .rules = rules }, &plan, &err), RHEO_OK, "%s", err.text);
    rheo_build_finish(&b);
    rheo_graph_destroy(g);
    return plan;
}

static double *chain_gradient(chain *c, bool invert, const rheo_rule *const *rules)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = chain_plan(c, invert, rules);
    cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
    double *out = malloc((size_t)rheo_params_flat(c->params, true) * sizeof *out);
    test_read(c->state, c->gradient, out);
    rheo_plan_destroy(plan);
    return out;
}

/* Within `bound` of the largest gradient of each parameter. */
static void expect_equal_gradients(int blocks, bool twice, rheo_device *dev, const rheo_rule *const *rules, double bound)
{
    chain c = chain_make(blocks, dev);
    c.twice = twice;
    double *stored = chain_gradient(&c, false, rules), *inverted = chain_gradient(&c, true, rules);
    for (int k = 0; k < rheo_params_count(c.params); k++) {
        const rheo_param *p = rheo_params_at(c.params, k);
        double largest = 0;
        for (int64_t i = 0; p->trained && i < rheo_count(p->shape); i++) largest = fmax(largest, fabs(stored[p->offset + i]));
        cr_assert(!p->trained || (largest > 0 && isfinite(largest)), "%s: %g", p->name, largest);
        for (int64_t i = 0; p->trained && i < rheo_count(p->shape); i++) {
            const double a = stored[p->offset + i], b = inverted[p->offset + i];
            cr_assert(fabs(a - b) <= bound * largest, "%s[%lld]: stored %.9g, inverted %.9g, bound %.3g", p->name, (long long)i, a, b,
                      bound * largest);
        }
    }
    free(stored), free(inverted);
    chain_free(&c);
}

Test(regions, rebuilt_gradients_equal_stored_ones_in_double) { expect_equal_gradients(DEEP, false, NULL, NULL, 1e-10); }

Test(regions, rebuilt_gradients_equal_stored_ones_on_the_device)
{
    rheo_device *dev = test_device();
    expect_equal_gradients(DEEP, false, dev, rheo_rules, 1e-4);
    rheo_device_close(dev);
}

/* A rebuilt block is a function of its output, and differentiated as one. */
Test(regions, gradients_of_rebuilt_gradients_equal_stored_ones) { expect_equal_gradients(SHALLOW / 2, true, NULL, NULL, 1e-10); }

static size_t arena_bytes(rheo_device *dev, int blocks, bool invert, const rheo_rule *const *rules)
{
    chain c = chain_make(blocks, dev);
    rheo_plan *plan = chain_plan(&c, invert, rules);
    const size_t bytes = rheo_plan_stats_of(plan).arena_bytes;
    rheo_plan_destroy(plan);
    chain_free(&c);
    return bytes;
}

Test(regions, memory_does_not_grow_with_depth)
{
    rheo_device *dev = test_device();
    for (int fused = 0; fused < 2; fused++) {
        const rheo_rule *const *rules = fused ? rheo_rules : NULL;
        const size_t shallow = arena_bytes(dev, SHALLOW, true, rules), deep = arena_bytes(dev, DEEP, true, rules);
        cr_assert_eq(shallow, deep, "%d blocks: %zu bytes, %d blocks: %zu", SHALLOW, shallow, DEEP, deep);
        cr_assert_gt(arena_bytes(dev, DEEP, false, rules), 10 * deep);
    }
    rheo_device_close(dev);
}

static int convolutions(const rheo_plan *p) { return rheo_plan_count_op(p, "conv2d") + rheo_plan_count_op(p, "conv2d_act"); }

Test(regions, a_conditioner_is_evaluated_twice_a_block)
{
    chain c = chain_make(DEEP, NULL);
    for (int fused = 0; fused < 2; fused++) {
        const rheo_rule *const *rules = fused ? rheo_rules : NULL;
        rheo_plan *stored = chain_plan(&c, false, rules), *inverted = chain_plan(&c, true, rules);
        cr_assert_eq(convolutions(stored), DEEP * CONVOLUTIONS, "%d", convolutions(stored));
        cr_assert_eq(convolutions(inverted), 2 * DEEP * CONVOLUTIONS, "%d", convolutions(inverted));
        cr_assert_eq(rheo_plan_count_op(inverted, "coupling_inverse"), DEEP);
        rheo_plan_destroy(stored);
        rheo_plan_destroy(inverted);
    }
    chain_free(&c);
}
