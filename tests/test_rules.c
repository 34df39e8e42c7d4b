/* Each rewriting rule: what it makes gives the numbers that the graph gave without it, and it leaves alone what it must. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/conv2d.h"
#include "op/rules.h"
#include "op/table.h"
#include "support.h"

/* ---- graphs ------------------------------------------------------------------------------------------------------ */

/* Channels of x, those a convolution takes, and those it gives. */
enum { C = 9, TAKEN = 4, OUT = 7, WIDE = 16, MANY = 64 };
static const rheo_shape origin = { 0, 0, 0, 0 }, whole = { 2, 5, 6, C }, weights = { 3, 3, TAKEN, OUT },
                        act_shape = { 2, 5, 6, WIDE };

typedef struct inputs {
    rheo_value x, w, dy, b, l, h; /* x and dy of the convolution; b and l of what follows it; h of an additive coupling */
    rheo_value y, wide, scale;    /* what an affine_act of many channels gave, weights that follow it, and its l */
    rheo_value square, own;       /* a matrix and a number for the channels of x */
    rheo_value many, next, each;  /* weights to many channels, others of no window between those, a number for each */
    rheo_value back;              /* weights from those to what b and l are for */
} inputs;

static rheo_value channels(rheo_graph *g, rheo_value x, int64_t from)
{
    return rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, from), RHEO_SHAPE(whole.n, whole.h, whole.w, TAKEN));
}
static rheo_value first(rheo_graph *g, rheo_value x)
{
    return channels(g, x, 0);
}
static rheo_value everything(rheo_graph *g, rheo_value x)
{
    return rheo_sum(g, x, RHEO_AXIS_N | RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C);
}

static rheo_value conv(rheo_graph *g, const inputs *in)
{
    return rheo_conv2d(g, first(g, in->x), in->w, 1, 1);
}
static rheo_value conv_of_later_channels(rheo_graph *g, const inputs *in)
{
    return rheo_conv2d(g, channels(g, in->x, 1), in->w, 1, 1);
}
static rheo_value conv_of_fewer_rows(rheo_graph *g, const inputs *in)
{
    return rheo_conv2d(g, rheo_slice(g, in->x, origin, RHEO_SHAPE(2, 4, 6, TAKEN)), in->w, 1, 1);
}
static rheo_value slice_read_again(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, conv(g, in), everything(g, first(g, in->x)));
}
static rheo_value act(rheo_graph *g, const inputs *in)
{
    return rheo_affine_act(g, conv(g, in), in->b, in->l, RHEO_NONE, (rheo_affine_attr){ 1, 3 });
}
static rheo_value hidden(rheo_graph *g, const inputs *in)
{
    return rheo_affine_act(g, rheo_conv2d(g, first(g, in->x), in->many, 1, 1), in->each, in->each, RHEO_NONE, (rheo_affine_attr){ 1, 3 });
}
static rheo_value next(rheo_graph *g, const inputs *in)
{
    return rheo_affine_act(g, rheo_conv2d(g, hidden(g, in), in->next, 0, 1), in->each, in->each, RHEO_NONE, (rheo_affine_attr){ 0, 1 });
}
static rheo_value stack(rheo_graph *g, const inputs *in)
{
    return rheo_affine_act(g, rheo_conv2d(g, next(g, in), in->back, 1, 1), in->b, in->l, RHEO_NONE, (rheo_affine_attr){ 0, 3 });
}
static rheo_value stack_read_between(rheo_graph *g, const inputs *in)
{
    const rheo_value read = everything(g, next(g, in));
    return rheo_add(g, stack(g, in), read);
}
static rheo_value stack_read_before(rheo_graph *g, const inputs *in)
{
    const rheo_value read = everything(g, hidden(g, in));
    return rheo_add(g, stack(g, in), read);
}
static rheo_value stack_read_after(rheo_graph *g, const inputs *in)
{
    const rheo_value y = stack(g, in), read = everything(g, hidden(g, in));
    return rheo_add(g, rheo_mul(g, y, read), everything(g, next(g, in)));
}
/* dx and the square sums of all other gradients of a stack whose hidden layers have these b and l, and of x x. */
static rheo_value stack_gradients(rheo_graph *g, const inputs *in, const rheo_value of[4], bool dx)
{
    const rheo_affine_attr relu = { 1, 3 }, none = { 0, 1 };
    const rheo_value h = rheo_affine_act(g, rheo_conv2d(g, first(g, in->x), in->many, 1, 1), of[0], of[1], RHEO_NONE, relu);
    const rheo_value h2 = rheo_affine_act(g, rheo_conv2d(g, h, in->next, 0, 1), of[2], of[3], RHEO_NONE, none);
    const rheo_value last = rheo_affine_act(g, rheo_conv2d(g, h2, in->back, 1, 1), in->b, in->l, RHEO_NONE, none);
    const rheo_value y[2] = { last, rheo_mul(g, in->x, in->x) };
    const rheo_value x[8] = { in->many, in->next, in->back, of[0], of[1], of[2], of[3], in->x };
    rheo_value d[8], sum = rheo_constant(g, rheo_vector(1), 0);
    rheo_gradients(g, 2, y, NULL, dx ? 8 : 7, x, d);
    for (int k = 0; k < 7; k++) sum = rheo_add(g, sum, everything(g, rheo_mul(g, d[k], d[k])));
    return dx ? rheo_add(g, d[7], sum) : sum;
}
static rheo_value trained(rheo_graph *g, const inputs *in, bool dx)
{
    rheo_value of[4];
    for (int k = 0; k < 4; k++) of[k] = rheo_affine(g, in->each, 0.5 - 0.4 * k, 0);
    return stack_gradients(g, in, of, dx);
}
static rheo_value stack_backward(rheo_graph *g, const inputs *in) { return trained(g, in, true); }
static rheo_value stack_without_dx(rheo_graph *g, const inputs *in) { return trained(g, in, false); }
/* Both layers' db are added up before dx is made. */
static rheo_value stack_of_shared_b(rheo_graph *g, const inputs *in)
{
    const rheo_value l = rheo_affine(g, in->each, 0.5, 0), l2 = rheo_affine(g, in->each, -1, 0);
    return stack_gradients(g, in, (const rheo_value[]){ in->each, l, in->each, l2 }, true);
}
static rheo_value solve(rheo_graph *g, const inputs *in, rheo_value y)
{
    const rheo_value ones = rheo_constant(g, rheo_vector(C), 1);
    return rheo_lu_solve(g, y, (const rheo_value[]){ rheo_diagonal_matrix(g, ones), in->square, in->square, in->own, ones });
}
static rheo_value solve_actnorm(rheo_graph *g, const inputs *in)
{
    return rheo_affine_inverse(g, solve(g, in, in->x), in->own, in->own, 3);
}
static rheo_value solve_read_again(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, solve_actnorm(g, in), solve(g, in, in->x));
}
static rheo_value uncoupled(rheo_graph *g, const inputs *in)
{
    return rheo_coupling_inverse(g, in->x, rheo_concat(g, 3, 2, (const rheo_value[]){ in->h, in->h }), true);
}
static rheo_value step_inverse(rheo_graph *g, const inputs *in)
{
    return rheo_affine_inverse(g, solve(g, in, uncoupled(g, in)), in->own, in->own, 3);
}
static rheo_value step_read_between(rheo_graph *g, const inputs *in)
{
    const rheo_value x = uncoupled(g, in);
    return rheo_add(g, rheo_affine_inverse(g, solve(g, in, x), in->own, in->own, 3), x);
}
static rheo_value additive_step_inverse(rheo_graph *g, const inputs *in)
{
    return rheo_affine_inverse(g, solve(g, in, rheo_coupling_inverse(g, in->x, in->h, false)), in->own, in->own, 3);
}
static rheo_value bias(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, conv(g, in), in->b);
}
static rheo_value bias_first(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, in->b, conv(g, in));
}
static rheo_value bias_before_it_is_read_again(rheo_graph *g, const inputs *in)
{
    const rheo_value y = conv(g, in);
    return rheo_mul(g, rheo_add(g, y, in->b), y);
}
static rheo_value bias_of_another_shape(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, conv(g, in), in->dy);
}
static rheo_value dw(rheo_graph *g, const inputs *in)
{
    return rheo_conv2d_dw(g, first(g, in->x), in->dy, weights, 1, 1);
}
static rheo_value dw_beside_coupling(rheo_graph *g, const inputs *in)
{
    const rheo_value y = rheo_coupling(g, in->x, in->h, RHEO_NONE, false);
    return rheo_add(g, everything(g, y), dw(g, in));
}

static rheo_value padded(rheo_graph *g, const inputs *in, int64_t at)
{
    const rheo_value dx = rheo_conv2d_dx(g, in->dy, in->w, RHEO_SHAPE(whole.n, whole.h, whole.w, TAKEN), 1, 1);
    return rheo_pad(g, dx, RHEO_SHAPE(0, 0, 0, at), whole);
}
static rheo_value add_pad(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, in->x, padded(g, in, 0));
}
static rheo_value pad_add(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, padded(g, in, 0), in->x);
}
static rheo_value add_pad_of_later_channels(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, in->x, padded(g, in, 1));
}
static rheo_value pad_read_again(rheo_graph *g, const inputs *in)
{
    return rheo_mul(g, add_pad(g, in), everything(g, rheo_exp(g, padded(g, in, 0))));
}
static rheo_value add_one_number(rheo_graph *g, const inputs *in)
{
    return rheo_add(g, everything(g, in->x), padded(g, in, 0));
}

/* Every output takes part. */
static rheo_value backward_of(rheo_graph *g, rheo_value dx, rheo_value y, rheo_value l)
{
    const rheo_value dz = rheo_affine_act_backward(g, dx, y, l, RHEO_NONE, (rheo_affine_attr){ 1, 3 });
    return rheo_add(g, rheo_mul(g, dz, rheo_output(dz, 1)), rheo_output(dz, 2));
}
static rheo_value dx_act(rheo_graph *g, const inputs *in)
{
    return backward_of(g, rheo_conv2d_dx(g, in->dy, in->wide, act_shape, 1, 1), in->y, in->scale);
}
static rheo_value dx_act_read_again(rheo_graph *g, const inputs *in)
{
    const rheo_value dx = rheo_conv2d_dx(g, in->dy, in->wide, act_shape, 1, 1);
    return rheo_add(g, backward_of(g, dx, in->y, in->scale), dx);
}
static rheo_value dx_act_of_few_channels(rheo_graph *g, const inputs *in)
{
    const rheo_value dx = rheo_conv2d_dx(g, in->dy, in->w, RHEO_SHAPE(whole.n, whole.h, whole.w, TAKEN), 1, 1);
    return backward_of(g, dx, first(g, in->x), rheo_slice(g, in->b, origin, rheo_vector(TAKEN)));
}

/* How many nodes of `op` there are without the rules and with them. */
static const struct rule_case {
    const char *name;
    rheo_value (*build)(rheo_graph *g, const inputs *in);
    const char *op;
    int before, after;
} cases[] = {
    { "conv", conv, "slice", 1, 0 },
    { "conv_of_later_channels", conv_of_later_channels, "slice", 1, 1 },
    { "conv_of_fewer_rows", conv_of_fewer_rows, "slice", 1, 1 },
    { "slice_read_again", slice_read_again, "slice", 1, 1 },
    { "act", act, "conv2d_act", 0, 1 },
    { "act", act, "slice", 1, 0 },
    { "solve_actnorm", solve_actnorm, "affine_inverse", 1, 0 },
    { "solve_read_again", solve_read_again, "affine_inverse", 1, 1 },
    { "step_inverse", step_inverse, "coupling_inverse", 1, 0 },
    { "step_inverse", step_inverse, "lu_solve", 1, 1 },
    { "step_read_between", step_read_between, "coupling_inverse", 1, 1 },
    { "additive_step_inverse", additive_step_inverse, "coupling_inverse", 1, 1 },
    { "stack", stack, "conv2d_stack", 0, 1 },
    { "stack", stack, "conv2d_act", 0, 0 },
    { "stack_read_between", stack_read_between, "conv2d_stack", 0, 0 },
    { "stack_read_before", stack_read_before, "conv2d_stack", 0, 0 },
    { "stack_read_before", stack_read_before, "conv2d_act", 0, 3 },
    { "stack_read_after", stack_read_after, "conv2d_stack", 0, 1 },
    { "stack_read_after", stack_read_after, "conv2d_act", 0, 0 },
    { "stack_backward", stack_backward, "conv2d_stack", 0, 1 },
    { "stack_backward", stack_backward, "conv2d_stack_backward", 0, 1 },
    { "stack_backward", stack_backward, "conv2d_dw", 3, 0 },
    { "stack_backward", stack_backward, "conv2d_dx_act", 0, 0 },
    { "stack_without_dx", stack_without_dx, "conv2d_stack_backward", 0, 0 },
    { "stack_of_shared_b", stack_of_shared_b, "conv2d_stack_backward", 0, 0 },
    { "stack_of_shared_b", stack_of_shared_b, "conv2d_dx_act", 0, 2 },
    { "bias", bias, "conv2d_act", 0, 1 },
    { "bias", bias, "add", 1, 0 },
    { "bias_first", bias_first, "conv2d_act", 0, 1 },
    { "bias_before_it_is_read_again", bias_before_it_is_read_again, "conv2d_act", 0, 0 },
    { "bias_of_another_shape", bias_of_another_shape, "conv2d_act", 0, 0 },
    { "dw", dw, "slice", 1, 0 },
    { "dw_beside_coupling", dw_beside_coupling, "slice", 1, 0 },
    { "add_pad", add_pad, "pad", 1, 0 },
    { "add_pad", add_pad, "add", 1, 0 },
    { "pad_add", pad_add, "pad", 1, 0 },
    { "add_pad_of_later_channels", add_pad_of_later_channels, "pad", 1, 1 },
    { "pad_read_again", pad_read_again, "pad", 1, 1 },
    { "add_one_number", add_one_number, "add", 1, 1 },
    { "dx_act", dx_act, "conv2d_dx_act", 0, 1 },
    { "dx_act", dx_act, "affine_act_backward", 1, 0 },
    { "dx_act_read_again", dx_act_read_again, "conv2d_dx_act", 0, 0 },
    { "dx_act_of_few_channels", dx_act_of_few_channels, "conv2d_dx_act", 0, 0 },
};

/* ---- run with and without ---------------------------------------------------------------------------------------- */

static rheo_value normals(test_bench *b, rheo_shape shape, uint64_t seed)
{
    double *contents = malloc((size_t)rheo_count(shape) * sizeof *contents);
    test_fill((rheo_sample_fill){ .scale = 0.3 }, shape, seed, contents);
    const int storage = test_storage(b->s, RHEO_F32, rheo_count(shape), contents);
    free(contents);
    return rheo_window(b->g, storage, 0, shape);
}

/* The case's result, in double; the caller frees it. */
static double *run(const struct rule_case *c, const rheo_rule *const *rules, int64_t *count, int *nodes)
{
    test_bench b = test_start(NULL);
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    const inputs in = { normals(&b, whole, 1),
                        normals(&b, weights, 2),
                        normals(&b, RHEO_SHAPE(2, 5, 6, OUT), 3),
                        normals(&b, rheo_vector(OUT), 4),
                        normals(&b, rheo_vector(OUT), 5),
                        normals(&b, RHEO_SHAPE(2, 5, 6, C - C / 2), 6),
                        normals(&b, act_shape, 7),
                        normals(&b, RHEO_SHAPE(3, 3, WIDE, OUT), 8),
                        normals(&b, rheo_vector(WIDE), 9),
                        normals(&b, RHEO_SHAPE(1, 1, C, C), 13),
                        normals(&b, rheo_vector(C), 14),
                        normals(&b, RHEO_SHAPE(3, 3, TAKEN, MANY), 10),
                        normals(&b, RHEO_SHAPE(1, 1, MANY, MANY), 11),
                        normals(&b, rheo_vector(MANY), 12),
                        normals(&b, RHEO_SHAPE(3, 3, MANY, OUT), 15) };
    const rheo_value y = c->build(b.g, &in);
    *count = rheo_count(rheo_shape_of(b.g, y));
    const int out = test_storage(b.s, RHEO_F32, *count, NULL);
    rheo_assign(b.g, rheo_window(b.g, out, 0, rheo_shape_of(b.g, y)), y);
    cr_assert_eq(rheo_plan_create(b.g, b.s, &(rheo_plan_options){ .rules = rules }, &plan, &err), RHEO_OK, "%s: %s", c->name, err.text);
    *nodes = rheo_plan_count_op(plan, c->op);
    cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s: %s", c->name, err.text);
    double *result = malloc((size_t)*count * sizeof *result);
    test_read(b.s, out, result);
    rheo_plan_destroy(plan);
    test_finish(&b);
    return result;
}

Test(rules, results_stay_and_nodes_go)
{
    for (const struct rule_case *c = cases; c < cases + sizeof cases / sizeof *cases; c++) {
        int64_t count, same;
        int before, after;
        double *expected = run(c, NULL, &count, &before), *got = run(c, rheo_rules, &same, &after);
        cr_assert_eq(count, same);
        cr_expect_eq(before, c->before, "%s: %d %s before", c->name, before, c->op);
        cr_expect_eq(after, c->after, "%s: %d %s after", c->name, after, c->op);
        for (int64_t i = 0; i < count; i++)
            cr_assert(fabs(got[i] - expected[i]) <= 1e-12 * (1 + fabs(expected[i])), "%s: element %lld: %.15g, expected %.15g", c->name,
                      (long long)i, got[i], expected[i]);
        free(expected), free(got);
    }
}

static bool gradients_fit(int64_t n, int64_t i, int kernel)
{
    const rheo_conv2d_attr same = { kernel / 2, 1, 0 }, none = { 0, 1, 0 }, three = { 1, 1, 0 };
    const rheo_shape h = RHEO_SHAPE(n, 8, 8, MANY);
    const rheo_conv layer[3] = { rheo_conv2d_describe(RHEO_SHAPE(n, 8, 8, i), RHEO_SHAPE(kernel, kernel, i, MANY), same),
                                 rheo_conv2d_describe(h, RHEO_SHAPE(1, 1, MANY, MANY), none),
                                 rheo_conv2d_describe(h, RHEO_SHAPE(3, 3, MANY, 4), three) };
    cr_expect(rheo_conv_stack_fits(layer));
    return rheo_conv_stack_backward_fits(layer);
}

/* The kernels' arrays hold 48 channels and 49 taps of what dx is summed up from, and count its products in int. */
Test(rules, gradients_of_a_stack_are_left_apart_where_dx_is_too_large)
{
    cr_expect(gradients_fit(2, 48, 3));
    cr_expect_not(gradients_fit(2, 49, 3));
    cr_expect_not(gradients_fit(2, 200, 1));
    cr_expect(gradients_fit(2, 8, 7));
    cr_expect_not(gradients_fit(2, 4, 9));
    cr_expect(gradients_fit(1 << 15, 48, 3));
    cr_expect_not(gradients_fit(1 << 16, 48, 3));
}

/* Only rules let a tensor have more channels than the weights take. */
Test(rules, channels_that_do_not_match_stay_an_error)
{
    test_bench b = test_start(NULL);
    const rheo_value x = normals(&b, whole, 1), w = normals(&b, weights, 2);
    cr_assert(rheo_is_none(rheo_conv2d(b.g, x, w, 1, 1)));
    cr_assert(strstr(rheo_graph_error(b.g)->text, "has 9 channels"), "%s", rheo_graph_error(b.g)->text);
    test_finish(&b);
}
