/* Building: merging, regions, errors. Assigns: what is read is what was there before the run. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "expect.h"
#include "support.h"

enum { COUNT = 256 };           /* elements of a storage: windows on its halves can be sub-buffers */

typedef struct fixture {
    rheo_state *state;
    rheo_graph *g;
    int a, b, c;                /* storages: 0, 1, 2, ..; 1000, 1001, ..; zeros */
} fixture;

static fixture make(rheo_device *dev)
{
    fixture f = { .state = rheo_state_create() };
    double contents[COUNT];
    cr_assert_eq(rheo_state_bind(f.state, dev, NULL), RHEO_OK);
    f.g = rheo_graph_create(f.state, &rheo_op_arithmetic);
    for (int i = 0; i < COUNT; i++) contents[i] = i;
    f.a = test_storage(f.state, RHEO_F32, COUNT, contents);
    for (int i = 0; i < COUNT; i++) contents[i] = 1000 + i;
    f.b = test_storage(f.state, RHEO_F32, COUNT, contents);
    f.c = test_storage(f.state, RHEO_F32, COUNT, NULL);
    return f;
}

static void finish(fixture *f)
{
    rheo_graph_destroy(f->g);
    rheo_state_destroy(f->state);
}

static rheo_value whole(const fixture *f, int storage) { return rheo_window(f->g, storage, 0, rheo_vector(COUNT)); }
static rheo_value half(const fixture *f, int storage, int which)
{
    return rheo_window(f->g, storage, which * COUNT / 2, rheo_vector(COUNT / 2));
}

static bool same(rheo_value a, rheo_value b) { return a.node == b.node && a.out == b.out; }

static rheo_plan *compiled(fixture *f)
{
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_plan_create(f->g, f->state, NULL, &plan, &err));
    return plan;
}

/* ---- merging and regions --------------------------------------------------------------------------------- */

Test(graph, equal_nodes_merge_and_others_do_not)
{
    fixture f = make(NULL);
    const uint32_t key[4] = { 1, 0, 0, 0 };
    const rheo_value a = whole(&f, f.a), k = rheo_table_u32(f.g, rheo_vector(4), key);
    cr_assert(same(rheo_exp(f.g, a), rheo_exp(f.g, whole(&f, f.a))));
    cr_assert(!same(rheo_exp(f.g, a), rheo_exp(f.g, whole(&f, f.b))));
    cr_assert(!same(rheo_affine(f.g, a, 2, 0), rheo_affine(f.g, a, 2, 1)));
    /* Random nodes merge only when all of their address is equal. */
    const rheo_value z = rheo_normal(f.g, k, rheo_vector(8), 3, 4);
    cr_assert(same(z, rheo_normal(f.g, k, rheo_vector(8), 3, 4)));
    cr_assert(!same(z, rheo_normal(f.g, k, rheo_vector(8), 3, 5)));
    cr_assert(!same(z, rheo_normal(f.g, k, rheo_vector(8), 2, 4)));
    cr_assert(!same(z, rheo_normal(f.g, rheo_table_u32(f.g, rheo_vector(4), (const uint32_t[]){ 1, 0, 1, 0 }), rheo_vector(8), 3, 4)));
    cr_assert(!same(z, rheo_uniform(f.g, k, rheo_vector(8), 3, 4)));
    finish(&f);
}

static void scale_forward(rheo_graph *g, void *ctx, rheo_value x, rheo_value *out)
{
    out[0] = rheo_mul(g, x, rheo_exp(g, *(const rheo_value *)ctx));
}

static rheo_value scale_inverse(rheo_graph *g, void *ctx, rheo_value y) { return rheo_div(g, y, rheo_exp(g, *(const rheo_value *)ctx)); }

/* y = exp(w) exp(w) x as two blocks that share one exp: rebuilt, each has its own, shared by its inverse and its re-run. */
Test(graph, nothing_merges_across_regions)
{
    for (int invert = 0; invert < 2; invert++) {
        fixture f = make(NULL);
        rheo_value w = rheo_affine(f.g, whole(&f, f.a), 1.0 / COUNT, 0), y = whole(&f, f.b), dw;
        const rheo_block block = { .inverse = scale_inverse, .forward = scale_forward, .ctx = &w, .n_out = 1 };
        for (int k = 0; k < 2; k++) rheo_apply_block(f.g, &block, invert, y, &y);
        rheo_gradients(f.g, 1, &y, NULL, 1, &w, &dw);
        rheo_assign(f.g, whole(&f, f.c), dw);
        rheo_plan *plan = compiled(&f);
        cr_assert_eq(rheo_plan_count_op(plan, "exp"), invert ? 3 : 1, "%d", rheo_plan_count_op(plan, "exp"));
        rheo_error err = RHEO_ERROR_INIT;
        double d[COUNT];
        ASSERT_OK(rheo_plan_run(plan, &err));
        test_read(f.state, f.c, d);
        for (int i = 0; i < COUNT; i++) {
            const double expected = 2 * exp(2.0 * i / COUNT) * (1000 + i);
            cr_assert(fabs(d[i] - expected) < 1e-11 * expected, "%d: %.15g, expected %.15g", i, d[i], expected);
        }
        rheo_plan_destroy(plan);
        finish(&f);
    }
}

Test(graph, what_no_assign_needs_is_not_run)
{
    fixture f = make(NULL);
    rheo_exp(f.g, whole(&f, f.a));
    rheo_assign(f.g, whole(&f, f.c), rheo_neg(f.g, whole(&f, f.a)));
    rheo_plan *plan = compiled(&f);
    cr_assert_eq(rheo_plan_count_op(plan, "exp"), 0);
    rheo_plan_destroy(plan);
    finish(&f);
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

Test(graph, the_first_error_reaches_compiling_with_op_layer_and_shapes)
{
    fixture f = make(NULL);
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    const rheo_value x = rheo_reshape(f.g, whole(&f, f.a), RHEO_SHAPE(2, 8, 8, 2));
    rheo_name_scope(f.g, "level0.step3.coupling");
    const rheo_value bad = rheo_conv2d(f.g, x, rheo_reshape(f.g, half(&f, f.b, 0), RHEO_SHAPE(1, 1, 16, 8)), 0, 1);
    cr_assert(rheo_is_none(bad));
    rheo_name_scope(f.g, "elsewhere");
    rheo_value dx;
    cr_assert(rheo_is_none(rheo_exp(f.g, bad)));
    cr_assert(rheo_is_none(rheo_exp(f.g, x)));       /* nothing is built any more */
    rheo_gradients(f.g, 1, &bad, NULL, 1, &x, &dx);
    cr_assert(rheo_is_none(dx));
    rheo_assign(f.g, whole(&f, f.c), bad);
    cr_assert(rheo_is_none(rheo_window(f.g, 99, 0, rheo_vector(1))));
    ASSERT_FAILS(rheo_plan_create(f.g, f.state, NULL, &plan, &err), RHEO_EINVAL, "level0.step3.coupling: conv2d");
    cr_assert(strstr(err.text, "[2 8 8 2]") && strstr(err.text, "[1 1 16 8]"), "%s", err.text);
    cr_assert_null(plan);
    finish(&f);
}

static void expect_failure(fixture *f, const char *words)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    ASSERT_FAILS(rheo_plan_create(f->g, f->state, NULL, &plan, &err), RHEO_EINVAL, words);
    finish(f);
}

Test(graph, wrong_windows_and_assigns_are_refused)
{
    fixture f = make(NULL);
    rheo_window(f.g, f.a, COUNT - 1, rheo_vector(2));
    expect_failure(&f, "elements 255 to 257 of storage 'test', which has 256");

    f = make(NULL);
    rheo_reshape(f.g, whole(&f, f.a), rheo_vector(COUNT + 1));
    expect_failure(&f, "[1 1 1 256] to [1 1 1 257]");

    f = make(NULL);
    rheo_assign(f.g, half(&f, f.a, 0), whole(&f, f.b));
    expect_failure(&f, "assign: 256 elements to a window of 128");

    f = make(NULL);
    rheo_assign(f.g, rheo_exp(f.g, whole(&f, f.a)), whole(&f, f.b));
    expect_failure(&f, "the target is a exp, expected a window");

    f = make(NULL);
    rheo_assign(f.g, half(&f, f.a, 0), half(&f, f.b, 0));
    rheo_assign(f.g, half(&f, f.a, 1), half(&f, f.b, 0));
    cr_assert_eq(rheo_graph_error(f.g)->status, RHEO_OK);
    rheo_assign(f.g, rheo_window(f.g, f.a, COUNT / 2 - 1, rheo_vector(2)), rheo_window(f.g, f.b, 0, rheo_vector(2)));
    expect_failure(&f, "elements from 127 on of 'test' are assigned twice");
}

/* ---- assigns, on both executors --------------------------------------------------------------------------------- */

/* Runs the graph twice; expects the storages to hold a(i), b(i), c(i) afterwards. */
static void expect_contents(fixture *f, double (*a)(int), double (*b)(int), double (*c)(int))
{
    double (*const expected[3])(int) = { a, b, c };
    const int storage[3] = { f->a, f->b, f->c };
    rheo_plan *plan = compiled(f);
    rheo_error err = RHEO_ERROR_INIT;
    for (int k = 0; k < 2; k++) ASSERT_OK(rheo_plan_run(plan, &err));
    for (int s = 0; s < 3; s++) {
        double out[COUNT];
        test_read(f->state, storage[s], out);
        for (int i = 0; i < COUNT; i++)
            cr_expect_eq(out[i], expected[s](i), "%c[%d]: %g, expected %g", "abc"[s], i, out[i], expected[s](i));
    }
    rheo_plan_destroy(plan);
    finish(f);
}

static double original_a(int i) { return i; }
static double original_b(int i) { return 1000 + i; }
static double zero(int i) { (void)i; return 0; }
static double plus_two(int i) { return i + 2; }
static double twice_second(int i) { return 2 * (i + 1); }        /* of what a was before the second run */
static double plus_one(int i) { return i + 1; }
static double rotated_a(int i) { return i < COUNT / 2 ? 0 : i; }
static double rotated_b(int i) { return i < COUNT / 2 ? i : 1000 + i; }
static double rotated_c(int i) { return i < COUNT / 2 ? 1000 + i : 0; }

static void check_assigns(rheo_device *dev)
{
    /* Two windows exchanged; twice, so that everything is as before. */
    fixture f = make(dev);
    rheo_assign(f.g, whole(&f, f.a), whole(&f, f.b));
    rheo_assign(f.g, whole(&f, f.b), whole(&f, f.a));
    expect_contents(&f, original_a, original_b, zero);

    f = make(dev);
    rheo_assign(f.g, half(&f, f.a, 0), half(&f, f.a, 1));
    rheo_assign(f.g, half(&f, f.a, 1), half(&f, f.a, 0));
    expect_contents(&f, original_a, original_b, zero);

    /* First halves rotated among three. */
    f = make(dev);
    rheo_assign(f.g, half(&f, f.c, 0), half(&f, f.a, 0));
    rheo_assign(f.g, half(&f, f.a, 0), half(&f, f.b, 0));
    rheo_assign(f.g, half(&f, f.b, 0), half(&f, f.c, 0));
    expect_contents(&f, rotated_a, rotated_b, rotated_c);

    /* a = a + 1 is known before 2 a is read: the reader still sees the old a. */
    f = make(dev);
    rheo_assign(f.g, whole(&f, f.a), rheo_affine(f.g, whole(&f, f.a), 1, 1));
    rheo_assign(f.g, whole(&f, f.c), rheo_affine(f.g, whole(&f, f.a), 2, 0));
    expect_contents(&f, plus_two, original_b, twice_second);

    /* The same where a itself is assigned elsewhere. */
    f = make(dev);
    rheo_assign(f.g, whole(&f, f.a), rheo_affine(f.g, whole(&f, f.a), 1, 1));
    rheo_assign(f.g, whole(&f, f.c), whole(&f, f.a));
    expect_contents(&f, plus_two, original_b, plus_one);

    /* A pack is written from its first part on: the second part is computed from what the first replaces. */
    f = make(dev);
    const rheo_value parts[2] = { rheo_affine(f.g, half(&f, f.a, 1), 1, 1), rheo_affine(f.g, half(&f, f.a, 0), 1, 1) };
    rheo_assign(f.g, whole(&f, f.a), rheo_pack(f.g, 2, parts, (const int64_t[]){ 0, COUNT / 2 }, COUNT));
    expect_contents(&f, plus_two, original_b, zero);

    /* One value to two places, one of which it is itself computed from. */
    f = make(dev);
    const rheo_value next = rheo_affine(f.g, whole(&f, f.a), 1, 1);
    rheo_assign(f.g, whole(&f, f.a), next);
    rheo_assign(f.g, whole(&f, f.c), next);
    expect_contents(&f, plus_two, original_b, plus_two);

    /* Computed from itself, but not element by element: halves exchanged by a copy. */
    f = make(dev);
    const rheo_value first = rheo_slice(f.g, whole(&f, f.a), RHEO_SHAPE(0, 0, 0, 0), rheo_vector(COUNT / 2));
    const rheo_value second = rheo_slice(f.g, whole(&f, f.a), RHEO_SHAPE(0, 0, 0, COUNT / 2), rheo_vector(COUNT / 2));
    rheo_assign(f.g, whole(&f, f.a), rheo_concat(f.g, 3, 2, (const rheo_value[]){ second, first }));
    expect_contents(&f, original_a, original_b, zero);
}

Test(graph, assigns_read_what_was_there_before_in_double) { check_assigns(NULL); }

Test(graph, assigns_read_what_was_there_before_on_the_device)
{
    rheo_device *dev = test_device();
    check_assigns(dev);
    rheo_device_close(dev);
}
