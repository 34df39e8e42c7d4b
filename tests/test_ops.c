/* Walks the op table: what is registered is compared with its reference, gradient-checked twice and merged. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/contents.h"
#include "op/table.h"
#include "support.h"

/* ---- devices and expansions against references ------------------------------------------------------------------ */

static void compare(const rheo_op *op, const char *variant, int sample, int k, int64_t count, const double *got, const double *expected, double tolerance)
{
    const rheo_difference d = rheo_compare(count, got, expected, tolerance);
    cr_expect(d.part <= 1, "%s %s: sample %d, output %d, element %lld of %lld: %.9g, expected %.9g, bound %.3g", op->name, variant, sample, k,
              (long long)d.at, (long long)count, d.got, d.expected, d.bound);
}

/* RHEO_TEST_TINY=1 is for a simulator that watches accesses (oclgrind): small samples only, and each tensor its own buffer,
 * since an arena hides what runs over a tensor's end. */
static bool is_tiny(const rheo_op_sample *s)
{
    enum { TINY = 2000 };
    int64_t count = 0;
    for (int i = 0; i < s->n_in; i++) count += rheo_count(s->in[i].shape);
    return count <= TINY;
}

/* A sample that the variant is not offered for runs the default once more. */
static void check_variant(const rheo_op *op, int sample, int variant, rheo_device *dev, bool tiny, const test_result *expected)
{
    rheo_choices choices = { 0 };
    const rheo_plan_options options = { .separate_buffers = tiny, .choices = &choices };
    const char *name = op->variants ? op->variants[variant] : NULL;
    if (tiny && name && strcmp(name, "clblast") == 0) return;      /* minutes, to watch kernels that are not ours */
    if (name) cr_assert(rheo_choices_set(&choices, op->name, name, false));
    test_result got = test_op(op, &op->samples[sample], dev, 1, &options);
    for (int i = 0; i < got.n_out; i++)
        compare(op, name ? name : "", sample, i, got.count[i], got.out[i], expected->out[i], op->tolerance * rheo_looseness(op, variant) * FLT_EPSILON);
    test_result_free(&got);
    rheo_choices_free(&choices);
}

Test(ops, device_gives_what_the_reference_gives, .timeout = 280)
{
    const char *variable = getenv("RHEO_TEST_TINY");
    const bool tiny = variable && strcmp(variable, "1") == 0;
    rheo_device *dev = test_device();
    for (int o = 0; o < rheo_op_count; o++) {
        const rheo_op *op = rheo_ops[o];
        cr_expect(op->n_samples > 0, "%s: has no samples", op->name);
        for (int k = 0; k < op->n_samples; k++) {
            if (tiny && !is_tiny(&op->samples[k])) continue;
            test_result expected = test_op(op, &op->samples[k], NULL, 1, NULL);
            for (int v = 0; v == 0 || (op->variants && op->variants[v]); v++) check_variant(op, k, v, dev, tiny, &expected);
            test_result_free(&expected);
        }
    }
    rheo_cache_save(dev);
    rheo_device_close(dev);
}

/* A fused op and the plain ops it stands for, both in double. */
Test(ops, expansions_equal_the_reference)
{
    const rheo_rule *const rules[] = { &rheo_rule_expand, NULL };
    const rheo_plan_options expanded = { .rules = rules };
    for (int o = 0; o < rheo_op_count; o++) {
        const rheo_op *op = rheo_ops[o];
        for (int k = 0; k < (op->expand ? op->n_samples : 0); k++) {
            test_result got = test_op(op, &op->samples[k], NULL, 1, &expanded), expected = test_op(op, &op->samples[k], NULL, 1, NULL);
            for (int i = 0; i < got.n_out; i++) compare(op, "", k, i, got.count[i], got.out[i], expected.out[i], 1e-12);
            test_result_free(&got);
            test_result_free(&expected);
        }
    }
}

/* ---- gradients ---------------------------------------------------------------------------------------------------- */

enum { MAX_VARIABLES = RHEO_SAMPLE_IN + RHEO_MAX_OUT };

/* A scalar function of several arrays, and its gradients. */
typedef struct checked {
    rheo_state *s;
    rheo_graph *g;
    int n;                          /* variables */
    int storage[MAX_VARIABLES], gradient[MAX_VARIABLES], value;
    rheo_value x[MAX_VARIABLES];
} checked;

static rheo_value random_window(rheo_state *s, rheo_graph *g, rheo_sample_fill fill, rheo_spec spec, uint64_t seed, int *storage)
{
    const int64_t count = rheo_count(spec.shape);
    double *contents = malloc((size_t)count * sizeof *contents);
    test_fill(fill, spec.shape, seed, contents);
    *storage = test_storage(s, spec.type, count, contents);
    free(contents);
    return rheo_window(g, *storage, 0, spec.shape);
}

static rheo_value weighted_sum(rheo_graph *g, rheo_value sum, rheo_value a, rheo_value w)
{
    const rheo_value term = rheo_sum(g, rheo_mul(g, a, w), 15);
    return rheo_is_none(sum) ? term : rheo_add(g, sum, term);
}

static void watch(checked *c, rheo_value f)
{
    rheo_value d[MAX_VARIABLES];
    rheo_gradients(c->g, 1, &f, NULL, c->n, c->x, d);
    for (int i = 0; i < c->n; i++) {
        const rheo_shape shape = rheo_shape_of(c->g, c->x[i]);
        c->gradient[i] = test_storage(c->s, RHEO_F32, rheo_count(shape), NULL);
        rheo_assign(c->g, rheo_window(c->g, c->gradient[i], 0, shape), d[i]);
    }
    c->value = test_storage(c->s, RHEO_F32, 1, NULL);
    rheo_assign(c->g, rheo_window(c->g, c->value, 0, rheo_vector(1)), f);
}

/* f along a random direction: central differences of fourth order against the gradients, 1e-6 of the typical size of such a
 * sum. The step keeps clear of kinks, which test_fill keeps 0.01 away. */
static void check_direction(checked *c, const char *what, const rheo_op *op, int sample)
{
    const double step = 1e-5, at[5] = { -2, -1, 1, 2, 0 };
    double f[5], expected = 0, squares = 0;
    double *x[MAX_VARIABLES], *v[MAX_VARIABLES], *moved[MAX_VARIABLES];
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_create(c->g, c->s, NULL, &plan, &err), RHEO_OK, "%s: %s", op->name, err.text);
    for (int i = 0; i < c->n; i++) {
        const int64_t count = rheo_storage_at(c->s, c->storage[i])->count;
        x[i] = malloc((size_t)count * sizeof(double)), v[i] = malloc((size_t)count * sizeof(double));
        moved[i] = malloc((size_t)count * sizeof(double));
        test_read(c->s, c->storage[i], x[i]);
        test_fill((rheo_sample_fill){ 0 }, rheo_vector(count), 1000 + (uint64_t)i, v[i]);
    }
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < c->n; i++) {
            for (int64_t j = 0; j < rheo_storage_at(c->s, c->storage[i])->count; j++) moved[i][j] = x[i][j] + at[k] * step * v[i][j];
            test_write(c->s, c->storage[i], moved[i]);
        }
        cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
        test_read(c->s, c->value, &f[k]);
    }
    for (int i = 0; i < c->n; i++) {
        test_read(c->s, c->gradient[i], moved[i]);
        for (int64_t j = 0; j < rheo_storage_at(c->s, c->storage[i])->count; j++) {
            expected += moved[i][j] * v[i][j];
            squares += moved[i][j] * v[i][j] * moved[i][j] * v[i][j];
        }
        free(x[i]), free(v[i]), free(moved[i]);
    }
    const double got = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * step), bound = 1e-6 * fmax(sqrt(squares), 1e-3);
    cr_expect(isfinite(got) && isfinite(expected) && fabs(got - expected) <= bound,
              "%s: sample %d, %s: differences %.12g, gradient %.12g, bound %.3g", op->name, sample, what, got, expected, bound);
    rheo_plan_destroy(plan);
}

/* L = sum y u, and then S = sum dL/dx w over all x: u counts as a variable of S, so the gradient with respect to dy
 * is checked as well. */
static void check_sample(const rheo_op *op, int sample)
{
    const rheo_op_sample *at = &op->samples[sample];
    const rheo_sample_fill normal = { 0 };
    for (int order = 1; order <= 2; order++) {
        checked c = { .s = rheo_state_create() };
        rheo_value in[RHEO_SAMPLE_IN], d[RHEO_SAMPLE_IN], f = RHEO_NONE;
        int unused;
        cr_assert_eq(rheo_state_bind(c.s, NULL, NULL), RHEO_OK);
        c.g = rheo_graph_create(c.s, &rheo_op_arithmetic);
        for (int i = 0; i < at->n_in; i++) {
            int storage;
            in[i] = random_window(c.s, c.g, at->fill[i], at->in[i], 1 + (uint64_t)i, &storage);
            if (at->in[i].type == RHEO_F32 && !at->fill[i].permutation && !at->fill[i].fixed) c.x[c.n] = in[i], c.storage[c.n++] = storage;
        }
        const int n_in = c.n;
        const rheo_value y = rheo_apply(c.g, op, at->n_in, in, at->attr, at->attr_bytes);
        for (int k = 0; k < rheo_node_of(c.g, y)->n_out; k++) {
            if (rheo_spec_of(c.g, rheo_output(y, k)).type != RHEO_F32) continue;
            const rheo_value u = random_window(c.s, c.g, normal, rheo_spec_of(c.g, rheo_output(y, k)), 50 + (uint64_t)k, &c.storage[c.n]);
            f = weighted_sum(c.g, f, rheo_output(y, k), u);
            if (order == 2) c.x[c.n++] = u;
        }
        if (order == 2) {
            const rheo_value first = f;
            f = RHEO_NONE;
            rheo_gradients(c.g, 1, &first, NULL, n_in, c.x, d);
            for (int i = 0; i < n_in; i++)
                f = weighted_sum(c.g, f, d[i], random_window(c.s, c.g, normal, rheo_spec_of(c.g, d[i]), 70 + (uint64_t)i, &unused));
        }
        watch(&c, f);
        check_direction(&c, order == 1 ? "gradient" : "gradient of the gradient", op, sample);
        rheo_graph_destroy(c.g);
        rheo_state_destroy(c.s);
    }
}

static bool has_float_input(const rheo_op_sample *s)
{
    for (int i = 0; i < s->n_in; i++)
        if (s->in[i].type == RHEO_F32) return true;
    return false;
}

Test(ops, gradients_agree_with_differences_twice, .timeout = 280)
{
    for (int o = 0; o < rheo_op_count; o++) {
        const rheo_op *op = rheo_ops[o];
        if (op->flags & RHEO_OP_NO_GRADIENT || !(op->gradient || op->expand)) continue;
        for (int k = 0; k < op->n_samples; k++)
            if (has_float_input(&op->samples[k])) check_sample(op, k);
    }
}

/* ---- the table itself ------------------------------------------------------------------------------------------------ */

Test(ops, names_are_unique_and_equal_nodes_merge)
{
    for (int o = 0; o < rheo_op_count; o++) {
        const rheo_op *op = rheo_ops[o];
        for (int p = 0; p < o; p++) cr_expect_str_neq(op->name, rheo_ops[p]->name);
        cr_expect(op->infer && (op->flags & RHEO_OP_LITERAL || (op->launch && op->reference)), "%s lacks a part", op->name);
        cr_expect(op->variants || !op->offers || op->expand, "%s: what is one way on some devices needs an expansion for the others", op->name);
        for (int k = 0; k < op->n_samples; k++) {
            const rheo_op_sample *s = &op->samples[k];
            rheo_state *state = rheo_state_create();
            rheo_graph *g = rheo_graph_create(state, &rheo_op_arithmetic);
            rheo_value in[RHEO_SAMPLE_IN];
            for (int i = 0; i < s->n_in; i++)
                in[i] = rheo_window(g, rheo_storage_add(state, "x", s->in[i].type, rheo_count(s->in[i].shape)), 0, s->in[i].shape);
            const rheo_value a = rheo_apply(g, op, s->n_in, in, s->attr, s->attr_bytes);
            const rheo_value b = rheo_apply(g, op, s->n_in, in, s->attr, s->attr_bytes);
            cr_expect(!rheo_is_none(a) && a.node == b.node, "%s: sample %d: %s", op->name, k, rheo_graph_error(g)->text);
            rheo_graph_destroy(g);
            rheo_state_destroy(state);
        }
    }
}
