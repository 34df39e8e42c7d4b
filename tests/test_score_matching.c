/* Sliced score matching (score 1.4): second-order gradients, and a forward tangent made of two reverse ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "support.h"

/* J v = d(w^T J) / dw v. w is held by a window full of NaN: what the tangent does not need must not be run. */
static rheo_value tangent(rheo_graph *g, rheo_value y, rheo_value x, rheo_value v, rheo_value w)
{
    rheo_value wj, jv;
    rheo_gradients(g, 1, &y, &w, 1, &x, &wj);
    rheo_gradients(g, 1, &wj, &v, 1, &w, &jv);
    return jv;
}

/* Per sample v^T (grad s) v + |s|^2 / 2, or with (v^T s)^2 / 2 where not variance-reduced. */
static rheo_value sliced_loss(rheo_graph *g, rheo_value s, rheo_value x, rheo_value v, rheo_value w, bool reduced)
{
    const rheo_value trace = rheo_sum(g, rheo_mul(g, v, tangent(g, s, x, v, w)), RHEO_AXIS_C);
    const rheo_value square = reduced ? rheo_sum(g, rheo_square(g, s), RHEO_AXIS_C)
                                      : rheo_square(g, rheo_sum(g, rheo_mul(g, v, s), RHEO_AXIS_C));
    return rheo_add(g, trace, rheo_affine(g, square, 0.5, 0));
}

/* ---- the toy network (score 3.7): 2 -> 128 -> 128 -> 2, softplus ---------------------------------------------------- */

enum { BATCH = 16, WIDTH = 128, NUMBERS = 2 * WIDTH + WIDTH + WIDTH * WIDTH + WIDTH + WIDTH * 2 + 2, PARAMS = 6 };
static const rheo_shape points = { BATCH, 1, 1, 2 };
static const rheo_shape param_shape[PARAMS] = { { 1, 1, 2, WIDTH },     { 1, 1, 1, WIDTH }, { 1, 1, WIDTH, WIDTH },
                                                { 1, 1, 1, WIDTH }, { 1, 1, WIDTH, 2 }, { 1, 1, 1, 2 } };

/* theta holds the parameters one after another, each from a multiple of 128 elements on. */
typedef struct network {
    rheo_state *state;
    int theta, gradient, loss, x, v, w, jv, s;
    int64_t offset[PARAMS], flat;
    rheo_plan *plan;
} network;

static rheo_value mlp(rheo_graph *g, rheo_value x, const rheo_value *p)
{
    for (int k = 0; k < 3; k++) {
        x = rheo_add(g, rheo_conv2d(g, x, p[2 * k], 0, 1), p[2 * k + 1]);
        if (k < 2) x = rheo_softplus(g, x);
    }
    return x;
}

static int normal_storage(rheo_state *s, rheo_shape shape, double scale, uint64_t seed)
{
    double *contents = malloc((size_t)rheo_count(shape) * sizeof *contents);
    test_fill((rheo_sample_fill){ .scale = scale }, shape, seed, contents);
    const int k = test_storage(s, RHEO_F32, rheo_count(shape), contents);
    free(contents);
    return k;
}

static int nan_storage(rheo_state *s, int64_t count)
{
    double *contents = malloc((size_t)count * sizeof *contents);
    for (int64_t i = 0; i < count; i++) contents[i] = NAN;
    const int k = test_storage(s, RHEO_F32, count, contents);
    free(contents);
    return k;
}

static network network_make(rheo_device *dev, bool reduced)
{
    network n = { .state = rheo_state_create() };
    rheo_error err = RHEO_ERROR_INIT;
    int64_t numbers = 0;
    cr_assert_eq(rheo_state_bind(n.state, dev, &err), RHEO_OK);
    for (int k = 0; k < PARAMS; k++) {
        n.offset[k] = n.flat;
        n.flat += (rheo_count(param_shape[k]) + 127) / 128 * 128;
        numbers += rheo_count(param_shape[k]);
    }
    cr_assert_eq(numbers, NUMBERS);
    cr_assert_eq(NUMBERS, 17154);
    n.theta = normal_storage(n.state, rheo_vector(n.flat), 0.1, 1);
    n.gradient = test_storage(n.state, RHEO_F32, n.flat, NULL);
    n.loss = test_storage(n.state, RHEO_F32, 1, NULL);
    n.x = normal_storage(n.state, points, 3, 2);
    n.v = normal_storage(n.state, points, 1, 3);
    n.w = nan_storage(n.state, rheo_count(points));
    n.jv = test_storage(n.state, RHEO_F32, rheo_count(points), NULL);
    n.s = test_storage(n.state, RHEO_F32, rheo_count(points), NULL);

    rheo_graph *g = rheo_graph_create(n.state, &rheo_op_arithmetic);
    rheo_value p[PARAMS], dp[PARAMS];
    for (int k = 0; k < PARAMS; k++) p[k] = rheo_window(g, n.theta, n.offset[k], param_shape[k]);
    const rheo_value x = rheo_window(g, n.x, 0, points), v = rheo_window(g, n.v, 0, points), w = rheo_window(g, n.w, 0, points);
    const rheo_value s = mlp(g, x, p);
    const rheo_value loss = rheo_mean(g, sliced_loss(g, s, x, v, w, reduced), RHEO_AXIS_N);
    rheo_gradients(g, 1, &loss, NULL, PARAMS, p, dp);
    rheo_assign(g, rheo_window(g, n.gradient, 0, rheo_vector(n.flat)), rheo_pack(g, PARAMS, dp, n.offset, n.flat));
    rheo_assign(g, rheo_window(g, n.loss, 0, rheo_vector(1)), loss);
    rheo_assign(g, rheo_window(g, n.jv, 0, points), tangent(g, s, x, v, w));
    rheo_assign(g, rheo_window(g, n.s, 0, points), s);
    cr_assert_eq(rheo_plan_create(g, n.state, NULL, &n.plan, &err), RHEO_OK, "%s", err.text);
    rheo_graph_destroy(g);
    return n;
}

static void network_free(network *n)
{
    rheo_plan_destroy(n->plan);
    rheo_state_destroy(n->state);
}

static void run(network *n)
{
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_run(n->plan, &err), RHEO_OK, "%s", err.text);
}

/* f at -2, -1, 1, 2 steps: the derivative to fourth order. */
static double derivative(const double f[4], double step) { return (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * step); }
static const double at[4] = { -2, -1, 1, 2 };

static void check_tangent(network *n)
{
    const double step = 1e-4;
    double x[2 * BATCH], v[2 * BATCH], moved[2 * BATCH], s[4][2 * BATCH], jv[2 * BATCH];
    test_read(n->state, n->x, x);
    test_read(n->state, n->v, v);
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 2 * BATCH; i++) moved[i] = x[i] + at[k] * step * v[i];
        test_write(n->state, n->x, moved);
        run(n);
        test_read(n->state, n->s, s[k]);
    }
    test_write(n->state, n->x, x);
    run(n);
    test_read(n->state, n->jv, jv);
    for (int i = 0; i < 2 * BATCH; i++) {
        const double expected = derivative((const double[]){ s[0][i], s[1][i], s[2][i], s[3][i] }, step);
        cr_assert(fabs(jv[i] - expected) < 1e-9 * (1 + fabs(expected)), "J v [%d]: %.12g, differences %.12g", i, jv[i], expected);
    }
}

/* Along random directions of the parameters; the bound, relative to the typical size of such a sum, covers the rounding of the
 * differences, eps / step. */
static void check_gradient(network *n)
{
    const double step = 1e-4;
    double *theta = malloc((size_t)n->flat * sizeof(double)), *direction = malloc((size_t)n->flat * sizeof(double));
    double *moved = malloc((size_t)n->flat * sizeof(double)), *gradient = malloc((size_t)n->flat * sizeof(double)), f[4];
    run(n);
    test_read(n->state, n->theta, theta);
    test_read(n->state, n->gradient, gradient);
    for (int trial = 0; trial < 8; trial++) {
        double expected = 0, squares = 0;
        test_fill((rheo_sample_fill){ 0 }, rheo_vector(n->flat), 100 + (uint64_t)trial, direction);
        for (int k = 0; k < 4; k++) {
            for (int64_t i = 0; i < n->flat; i++) moved[i] = theta[i] + at[k] * step * direction[i];
            test_write(n->state, n->theta, moved);
            run(n);
            test_read(n->state, n->loss, &f[k]);
        }
        for (int64_t i = 0; i < n->flat; i++) {
            expected += gradient[i] * direction[i];
            squares += gradient[i] * gradient[i] * direction[i] * direction[i];
        }
        const double got = derivative(f, step);
        cr_assert(squares > 0 && isfinite(got) && fabs(got - expected) < 1e-8 * sqrt(squares),
                  "direction %d: differences %.12g, gradient %.12g", trial, got, expected);
    }
    free(theta), free(direction), free(moved), free(gradient);
}

Test(score_matching, gradients_agree_with_differences_in_double)
{
    for (int reduced = 0; reduced < 2; reduced++) {
        network n = network_make(NULL, reduced);
        check_tangent(&n);
        check_gradient(&n);
        network_free(&n);
    }
}

/* score N5's bound for whole networks. */
Test(score_matching, device_gradients_equal_those_in_double)
{
    rheo_device *dev = test_device();
    for (int reduced = 0; reduced < 2; reduced++) {
        network n[2] = { network_make(NULL, reduced), network_make(dev, reduced) };
        double *gradient[2], largest = 0;
        for (int k = 0; k < 2; k++) {
            gradient[k] = malloc((size_t)n[k].flat * sizeof(double));
            run(&n[k]);
            test_read(n[k].state, n[k].gradient, gradient[k]);
        }
        for (int64_t i = 0; i < n[0].flat; i++) largest = fmax(largest, fabs(gradient[0][i]));
        for (int64_t i = 0; i < n[0].flat; i++)
            cr_assert(fabs(gradient[0][i] - gradient[1][i]) <= 2e-4 * largest, "%lld: %.9g, expected %.9g of %.3g", (long long)i,
                      gradient[1][i], gradient[0][i], largest);
        for (int k = 0; k < 2; k++) {
            free(gradient[k]);
            network_free(&n[k]);
        }
    }
    rheo_device_close(dev);
}
