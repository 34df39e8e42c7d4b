/* What the table's walk does not see of pointwise operations and reductions: accuracy over the whole range, NaN, order of
 * summation, what constructors fold, messages. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/table.h"
#include "support.h"

static rheo_value input(test_bench *b, rheo_shape shape, const double *contents)
{
    return rheo_window(b->g, test_storage(b->s, RHEO_F32, rheo_count(shape), contents), 0, shape);
}

static int output(test_bench *b, rheo_value v)
{
    const rheo_spec spec = rheo_spec_of(b->g, v);
    const int k = test_storage(b->s, spec.type, rheo_count(spec.shape), NULL);
    rheo_assign(b->g, rheo_window(b->g, k, 0, spec.shape), v);
    return k;
}

/* ---- accuracy ---------------------------------------------------------------------------------------------------- */

/* Relative, element by element: the op's tolerance in units of the last place. Below FLT_MIN results may be flushed. */
static void check_range(rheo_device *dev, const rheo_op *op, double from, double to)
{
    enum { COUNT = 4001 };
    static double x[COUNT], got[COUNT], expected[COUNT];
    const double *in[1] = { x };
    double *out[1] = { expected };
    for (int i = 0; i < COUNT; i++) x[i] = (double)(float)(from + (to - from) * i / (COUNT - 1));
    test_bench b = test_start(dev);
    const rheo_value v = input(&b, rheo_vector(COUNT), x), y = rheo_apply(b.g, op, 1, &v, NULL, 0);
    const int k = output(&b, y);
    test_run(b.g, b.s);
    test_read(b.s, k, got);
    op->reference(rheo_node_of(b.g, y), in, out);
    for (int i = 0; i < COUNT; i++) {
        const double bound = op->tolerance * FLT_EPSILON * fabs(expected[i]) + FLT_MIN;
        cr_expect(isfinite(got[i]) && fabs(got[i] - expected[i]) <= bound, "%s(%.9g): %.9g, expected %.9g, bound %.3g", op->name, x[i],
                  got[i], expected[i], bound);
        if (!(fabs(got[i] - expected[i]) <= bound)) break;
    }
    test_finish(&b);
}

Test(pointwise, functions_are_accurate_over_their_range)
{
    rheo_device *dev = test_device();
    const rheo_op *const both[] = { &rheo_op_exp, &rheo_op_tanh, &rheo_op_sigmoid, &rheo_op_softplus, &rheo_op_log_sigmoid, &rheo_op_elu };
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        check_range(dev, both[i], -80, 80);
        check_range(dev, both[i], -1, 1);
        check_range(dev, both[i], -1e-5, 1e-5);
    }
    const rheo_op *const positive[] = { &rheo_op_log, &rheo_op_sqrt, &rheo_op_reciprocal };
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) {
        check_range(dev, positive[i], 1e-30, 1e-3);
        check_range(dev, positive[i], 0.5, 2);
        check_range(dev, positive[i], 1, 1e30);
    }
    rheo_device_close(dev);
}

/* ---- NaN and infinities --------------------------------------------------------------------------------------------- */

Test(pointwise, nan_reaches_the_guard)
{
    rheo_device *dev = test_device();
    enum { COUNT = 67 };
    double x[COUNT], y[COUNT];
    test_bench b = test_start(dev);
    for (int i = 0; i < COUNT; i++) x[i] = i == 40 ? NAN : i - 30;
    const rheo_value v = input(&b, rheo_vector(COUNT), x), zero = rheo_constant(b.g, rheo_vector(1), 0);
    const struct { const char *name; rheo_value y; } passes[] = {
        { "relu", rheo_relu(b.g, v) },           { "elu", rheo_elu(b.g, v) },           { "tanh", rheo_tanh(b.g, v) },
        { "sigmoid", rheo_sigmoid(b.g, v) },     { "softplus", rheo_softplus(b.g, v) }, { "maximum", rheo_maximum(b.g, v, zero) },
        { "maximum", rheo_maximum(b.g, zero, v) }, { "minimum", rheo_minimum(b.g, v, zero) }, { "minimum", rheo_minimum(b.g, zero, v) },
        { "sum", rheo_sum(b.g, v, RHEO_AXIS_C) }, { "max", rheo_max(b.g, v, RHEO_AXIS_C) }, { "logsumexp", rheo_logsumexp(b.g, v) },
        { "softmax", rheo_softmax(b.g, v) },
    };
    enum { N = sizeof passes / sizeof *passes };
    int k[N];
    for (int i = 0; i < N; i++) k[i] = output(&b, passes[i].y);
    const int finite = output(&b, rheo_isfinite(b.g, v));
    test_run(b.g, b.s);
    for (int i = 0; i < N; i++) {
        const int64_t count = rheo_storage_at(b.s, k[i])->count;
        test_read(b.s, k[i], y);
        cr_expect(isnan(y[count == 1 ? 0 : 40]), "%s lost a NaN: %g", passes[i].name, y[count == 1 ? 0 : 40]);
    }
    test_read(b.s, finite, y);
    for (int i = 0; i < COUNT; i++) cr_expect_eq(y[i], i != 40);
    test_finish(&b);
    rheo_device_close(dev);
}

Test(pointwise, logsumexp_of_masked_and_of_large_rows)
{
    rheo_device *dev = test_device();
    const double x[6] = { -INFINITY, -INFINITY, -INFINITY, 3, 1e30, 1e30 };
    double y[3];
    test_bench b = test_start(dev);
    const int k = output(&b, rheo_logsumexp(b.g, input(&b, RHEO_SHAPE(1, 1, 3, 2), x)));
    test_run(b.g, b.s);
    test_read(b.s, k, y);
    cr_expect(y[0] == -INFINITY && y[1] == 3 && fabs(y[2] / 1e30 - 1) < 1e-6, "%g %g %g", y[0], y[1], y[2]);
    test_finish(&b);
    rheo_device_close(dev);
}

/* ---- reductions --------------------------------------------------------------------------------------------------------- */

/* Lengths that take several passes; equal bits from run to run. */
Test(reductions, long_sums_are_accurate_and_repeatable)
{
    const struct { rheo_shape shape; int axes; } cases[] = {
        { RHEO_SHAPE(3, 641, 640, 1), 15 },      { RHEO_SHAPE(16, 33, 37, 12), 7 }, { RHEO_SHAPE(16, 64, 64, 16), 7 },
        { RHEO_SHAPE(1, 1, 300000, 3), 7 },      { RHEO_SHAPE(2, 600, 601, 1), 14 }, { RHEO_SHAPE(70000, 1, 1, 5), 1 },
    };
    rheo_device *dev = test_device();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int64_t count = rheo_count(cases[c].shape);
        double *x = malloc((size_t)count * sizeof *x), *got[2] = { NULL, NULL };
        test_fill((rheo_sample_fill){ .shift = 0.5 }, cases[c].shape, 7, x);
        int64_t results = 0;
        for (int run = 0; run < 2; run++) {
            test_bench b = test_start(dev);
            const rheo_value y = rheo_sum(b.g, input(&b, cases[c].shape, x), cases[c].axes);
            const int k = output(&b, y);
            results = rheo_count(rheo_shape_of(b.g, y));
            got[run] = malloc((size_t)results * sizeof(double));
            test_run(b.g, b.s);
            test_read(b.s, k, got[run]);
            test_finish(&b);
        }
        cr_expect_arr_eq(got[0], got[1], (size_t)results * sizeof(double));
        test_bench b = test_start(NULL);
        const int k = output(&b, rheo_sum(b.g, input(&b, cases[c].shape, x), cases[c].axes));
        test_run(b.g, b.s);
        test_read(b.s, k, got[1]);
        test_finish(&b);
        for (int64_t i = 0; i < results; i++) {
            const double bound = rheo_op_sum.tolerance * FLT_EPSILON * fabs(got[1][i]);
            cr_expect(fabs(got[0][i] - got[1][i]) <= bound, "case %zu, sum %lld: %.9g, expected %.9g, bound %.3g", c, (long long)i,
                      got[0][i], got[1][i], bound);
        }
        free(x), free(got[0]), free(got[1]);
    }
    rheo_device_close(dev);
}

/* ---- constructors --------------------------------------------------------------------------------------------------------- */

static const char *name_of(const test_bench *b, rheo_value v) { return rheo_node_of(b->g, v)->op->name; }

Test(constructors, numbers_fold_into_affine)
{
    test_bench b = test_start(NULL);
    const double zeros[30] = { 0 };
    const rheo_shape shape = { 2, 1, 3, 5 };
    const rheo_value x = input(&b, shape, zeros), two = rheo_constant(b.g, shape, 2), row = input(&b, rheo_vector(5), zeros);
    cr_expect_str_eq(name_of(&b, rheo_mul(b.g, x, two)), "affine");
    cr_expect_str_eq(name_of(&b, rheo_sub(b.g, two, x)), "affine");
    cr_expect_eq(rheo_add(b.g, rheo_add(b.g, x, two), rheo_constant(b.g, shape, -2)).node, x.node);
    cr_expect_eq(rheo_affine(b.g, rheo_affine(b.g, x, 2, 1), 3, -1).node, rheo_affine(b.g, x, 6, 2).node);
    cr_expect_eq(rheo_broadcast(b.g, x, shape).node, x.node);
    cr_expect_eq(rheo_sum_to(b.g, x, shape).node, x.node);
    cr_expect_eq(rheo_add(b.g, x, rheo_broadcast(b.g, row, shape)).node, rheo_add(b.g, x, row).node);
    cr_expect_str_eq(name_of(&b, rheo_add(b.g, row, rheo_broadcast(b.g, row, shape))), "add");
    cr_expect(rheo_same_shape(rheo_shape_of(b.g, rheo_add(b.g, row, rheo_broadcast(b.g, row, shape))), shape));
    test_finish(&b);
}

Test(constructors, messages_name_shapes)
{
    test_bench b = test_start(NULL);
    const double zeros[60] = { 0 };
    rheo_add(b.g, input(&b, RHEO_SHAPE(1, 3, 4, 5), zeros), input(&b, rheo_vector(4), zeros));
    const rheo_error *err = rheo_graph_error(b.g);
    cr_expect_eq(err->status, RHEO_EINVAL);
    cr_expect(strstr(err->text, "add: [1 3 4 5] and [1 1 1 4] do not broadcast"), "%s", err->text);
    test_finish(&b);
}
