/* Glow as a graph: invertible, its log-determinant right, memory-saving gradients equal to stored ones. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"
#include "model/glow.h"
#include "op/rules.h"
#include "op/table.h"
#include "support.h"

/* A model over a state bound to the host, its parameters moved off their initial values. */
typedef struct glow_case {
    rheo_model *model;
    rheo_state *state;
    int theta, fixed, x, key, out;
    int64_t batch;
} glow_case;

static glow_case glow_make(const char *json, rheo_data_shape data, int64_t batch, int64_t n_out)
{
    glow_case c = { .batch = batch };
    rheo_error err = RHEO_ERROR_INIT;
    cJSON *config = cJSON_Parse(json);
    cr_assert_eq(rheo_model_glow.create(config, data, 7, &c.model, &err), RHEO_OK, "%s", err.text);
    cJSON_Delete(config);
    c.state = rheo_state_create();
    cr_assert_eq(rheo_params_declare(c.model->params, c.state, &c.theta, &c.fixed, &err), RHEO_OK);
    const int64_t size = batch * data.h * data.w * data.c;
    c.x = rheo_storage_add(c.state, "x", RHEO_F32, size);
    c.key = rheo_storage_add(c.state, "key", RHEO_U32, 4);
    c.out = rheo_storage_add(c.state, "out", RHEO_F32, n_out);
    cr_assert_eq(rheo_params_write_initial(c.model->params, c.state, c.theta, c.fixed, 7, &err), RHEO_OK, "%s", err.text);
    double *theta = NULL, *x = NULL;
    cr_assert_eq(rheo_state_values(c.state, c.theta, &theta, &err), RHEO_OK);
    cr_assert_eq(rheo_state_values(c.state, c.x, &x, &err), RHEO_OK);
    const int64_t n_theta = rheo_storage_at(c.state, c.theta)->count;
    double *noise = malloc((size_t)(n_theta + size) * sizeof *noise);
    test_fill((rheo_sample_fill){ .scale = 0.05 }, rheo_vector(n_theta), 3, noise);
    for (int64_t i = 0; i < n_theta; i++) theta[i] += noise[i];
    test_fill((rheo_sample_fill){ .scale = data.bytes ? 0 : 1, .below = data.bytes ? 256 : 0 }, rheo_vector(size), 5, x);
    free(noise);
    return c;
}

static void glow_free(glow_case *c)
{
    rheo_state_destroy(c->state);
    rheo_model_glow.destroy(c->model);
}

static rheo_build glow_build(glow_case *c, rheo_graph *g)
{
    rheo_build b;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_build_init(&b, g, c->model->params, c->theta, c->fixed, &err), RHEO_OK);
    return b;
}

static rheo_value data_of(const glow_case *c, rheo_graph *g)
{
    const rheo_data_shape d = c->model->data;
    return rheo_window(g, c->x, 0, RHEO_SHAPE(c->batch, d.h, d.w, d.c));
}

static const rheo_data_shape small = { 8, 8, 1, true }, plane = { 1, 1, 2, false };
static const char *const configs[] = {
    "{\"levels\":2,\"depth\":2,\"width\":6}",
    "{\"levels\":1,\"depth\":2,\"width\":5,\"coupling\":\"additive\",\"permutation\":\"shuffle\"}",
    "{\"levels\":2,\"depth\":1,\"width\":5,\"padding\":\"edge\",\"permutation\":\"reverse\",\"bits\":5}",
};

Test(glow, round_trip_is_exact_in_double)
{
    for (size_t k = 0; k < sizeof configs / sizeof *configs; k++) {
        glow_case c = glow_make(configs[k], small, 2, 2);
        rheo_graph *g = rheo_graph_create(c.state, &rheo_op_arithmetic);
        rheo_build b = glow_build(&c, g);
        const rheo_value error = rheo_model_glow.round_trip(&b, c.model, data_of(&c, g), rheo_window(g, c.key, 0, rheo_vector(4)));
        rheo_assign(g, rheo_window(g, c.out, 0, RHEO_SHAPE(2, 1, 1, 1)), error);
        test_run(g, c.state);
        double out[2];
        test_read(c.state, c.out, out);
        cr_assert(out[0] < 1e-12 && out[1] < 1e-12, "config %zu: %g %g", k, out[0], out[1]);
        rheo_build_finish(&b);
        rheo_graph_destroy(g);
        glow_free(&c);
    }
}

/* All parameter gradients of the mean loss, flat, to c->out. */
static rheo_plan *gradient_plan(glow_case *c, bool invert, const rheo_rule *const *rules)
{
    rheo_graph *g = rheo_graph_create(c->state, &rheo_op_arithmetic);
    rheo_build b = glow_build(c, g);
    b.invert = invert;
    const rheo_params *p = c->model->params;
    const int n = rheo_params_count(p);
    rheo_value *x = malloc((size_t)n * sizeof *x), *dx = malloc((size_t)n * sizeof *dx);
    int64_t *offset = malloc((size_t)n * sizeof *offset);
    int n_x = 0;
    const rheo_value loss = rheo_model_glow.loss(&b, c->model, data_of(c, g), rheo_window(g, c->key, 0, rheo_vector(4)));
    const rheo_value mean = rheo_mean(g, loss, RHEO_AXIS_N);
    for (int k = 0; k < n; k++)
        if (rheo_params_at(p, k)->trained) {
            offset[n_x] = rheo_params_at(p, k)->offset;
            x[n_x++] = rheo_param_value(&b, k);
        }
    rheo_gradients(g, 1, &mean, NULL, n_x, x, dx);
    const int64_t count = rheo_params_flat(p, true);
    rheo_assign(g, rheo_window(g, c->out, 0, rheo_vector(count)), rheo_pack(g, n_x, dx, offset, count));
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    cr_assert_eq(rheo_plan_create(g, c->state, &(rheo_plan_options){ .rules = rules }, &plan, &err), RHEO_OK, "%s", err.text);
    rheo_build_finish(&b);
    rheo_graph_destroy(g);
    free(x), free(dx), free(offset);
    return plan;
}

static double *gradients(glow_case *c, bool invert, const rheo_rule *const *rules)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = gradient_plan(c, invert, rules);
    cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
    double *out = malloc((size_t)rheo_storage_at(c->state, c->out)->count * sizeof *out);
    test_read(c->state, c->out, out);
    rheo_plan_destroy(plan);
    return out;
}

Test(glow, inverting_plain_and_fused_gradients_equal_stored_ones)
{
    static const rheo_rule *const plain[] = { &rheo_rule_expand, NULL };
    for (size_t k = 0; k < sizeof configs / sizeof *configs; k++) {
        glow_case c = glow_make(configs[k], small, 3, 1 << 16);
        double *stored = gradients(&c, false, NULL);
        const struct { const char *name; double *gradient; } others[] = {
            { "inverted", gradients(&c, true, NULL) }, { "expanded", gradients(&c, false, plain) },
            { "fused", gradients(&c, false, rheo_rules) }, { "inverted and fused", gradients(&c, true, rheo_rules) },
        };
        double largest = 0;
        const int64_t count = rheo_params_flat(c.model->params, true);
        for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(stored[i]));
        cr_assert(largest > 0 && isfinite(largest));
        for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
            const double *other = others[o].gradient;
            for (int64_t i = 0; i < count; i++)
                cr_assert(fabs(stored[i] - other[i]) <= 1e-10 * largest, "config %zu, %s, %lld: %g %g", k, others[o].name, (long long)i,
                          stored[i], other[i]);
            free(others[o].gradient);
        }
        free(stored);
        glow_free(&c);
    }
}

/* Slices, pads and additions of a training step of so many steps of flow a level. */
static int copies(int depth, bool invert)
{
    char json[100];
    snprintf(json, sizeof json, "{\"levels\":2,\"depth\":%d,\"width\":6}", depth);
    glow_case c = glow_make(json, small, 2, 1 << 16);
    rheo_plan *plan = gradient_plan(&c, invert, rheo_rules);
    const int count = rheo_plan_count_op(plan, "slice") + rheo_plan_count_op(plan, "pad") + rheo_plan_count_op(plan, "add");
    rheo_plan_destroy(plan);
    glow_free(&c);
    return count;
}

/* Conditioners read the first half of the channels, and add its gradient, where they lie. */
Test(glow, steps_copy_no_halves)
{
    for (int invert = 0; invert < 2; invert++) cr_assert_eq(copies(1, invert), copies(3, invert), "%d %d", copies(1, invert), copies(3, invert));
}

/* Losses of the batch in out; the plan's count of each op in counts. */
enum { COUNTED = 3 };
static void evaluate(glow_case *c, const rheo_rule *const *rules, const char *const ops[COUNTED], int counts[COUNTED], double *out)
{
    rheo_graph *g = rheo_graph_create(c->state, &rheo_op_arithmetic);
    rheo_build b = glow_build(c, g);
    const rheo_value loss = rheo_model_glow.loss(&b, c->model, data_of(c, g), rheo_window(g, c->key, 0, rheo_vector(4)));
    rheo_assign(g, rheo_window(g, c->out, 0, RHEO_SHAPE(c->batch, 1, 1, 1)), loss);
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    cr_assert_eq(rheo_plan_create(g, c->state, &(rheo_plan_options){ .rules = rules }, &plan, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
    test_read(c->state, c->out, out);
    for (int k = 0; k < COUNTED; k++) counts[k] = rheo_plan_count_op(plan, ops[k]);
    rheo_plan_destroy(plan);
    rheo_build_finish(&b);
    rheo_graph_destroy(g);
}

/* Going forward only, every actnorm is part of the 1x1 convolution behind it. */
Test(glow, evaluation_has_actnorm_in_the_matrix)
{
    static const char *const ops[COUNTED] = { "affine_act", "lu_matrix", "lu_actnorm" };
    enum { STEPS = 4 };
    glow_case c = glow_make(configs[0], small, 2, 2);
    int before[COUNTED], after[COUNTED];
    double plain[2], fused[2];
    evaluate(&c, NULL, ops, before, plain);
    evaluate(&c, rheo_rules, ops, after, fused);
    cr_assert(before[1] == STEPS && before[2] == 0, "%d %d", before[1], before[2]);
    cr_assert(after[0] == 0 && after[1] == 0 && after[2] == STEPS, "%d %d %d", after[0], after[1], after[2]);
    for (int i = 0; i < 2; i++)
        cr_assert(isfinite(plain[i]) && fabs(plain[i] - fused[i]) <= 1e-12 * fabs(plain[i]), "%.15g %.15g", plain[i], fused[i]);
    glow_free(&c);
}

/* ln|det| by elimination with partial pivoting; destroys a. */
static double log_det(double *a, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        int64_t best = j;
        for (int64_t r = j; r < n; r++)
            if (fabs(a[r * n + j]) > fabs(a[best * n + j])) best = r;
        for (int64_t k = 0; k < n; k++) {
            const double t = a[j * n + k];
            a[j * n + k] = a[best * n + k];
            a[best * n + k] = t;
        }
        sum += log(fabs(a[j * n + j]));
        for (int64_t r = j + 1; r < n; r++) {
            const double f = a[r * n + j] / a[j * n + j];
            for (int64_t k = j; k < n; k++) a[r * n + k] -= f * a[j * n + k];
        }
    }
    return sum;
}

/* log p(x) - log N(codes; 0, I) = ln|det d codes / d x|, the latter by central differences: a batch of x and of x moved by h
 * either way along every dimension. */
static void check_log_det(const char *json, rheo_data_shape data)
{
    const double h = 1e-5;
    const int64_t d = data.h * data.w * data.c, batch = 1 + 2 * d;
    glow_case c = glow_make(json, data, batch, batch * (d + 1));
    rheo_error err = RHEO_ERROR_INIT;
    double *x = NULL;
    cr_assert_eq(rheo_state_values(c.state, c.x, &x, &err), RHEO_OK);
    test_fill((rheo_sample_fill){ .scale = 0.5 }, rheo_vector(d), 11, x);
    for (int64_t i = 1; i < batch; i++)
        for (int64_t k = 0; k < d; k++) x[i * d + k] = x[k] + ((i - 1) / 2 == k ? (i % 2 ? h : -h) : 0);

    rheo_graph *g = rheo_graph_create(c.state, &rheo_op_arithmetic);
    rheo_build b = glow_build(&c, g);
    rheo_value codes[RHEO_GLOW_MAX_LEVELS] = { RHEO_NONE };
    rheo_assign(g, rheo_window(g, c.out, 0, RHEO_SHAPE(batch, 1, 1, 1)), rheo_glow_encode(&b, c.model, data_of(&c, g), codes));
    int64_t at = batch, done = 0;
    int64_t first[RHEO_GLOW_MAX_LEVELS], size[RHEO_GLOW_MAX_LEVELS];
    int levels = 0;
    for (; done < d; levels++) {
        const rheo_shape s = rheo_shape_of(g, codes[levels]);
        size[levels] = rheo_count(s) / batch;
        first[levels] = at;
        rheo_assign(g, rheo_window(g, c.out, at, s), codes[levels]);
        at += rheo_count(s);
        done += size[levels];
    }
    test_run(g, c.state);
    double *out = malloc((size_t)(batch * (d + 1)) * sizeof *out), *jacobian = malloc((size_t)(d * d) * sizeof *jacobian);
    test_read(c.state, c.out, out);
    double normal = 0;
    for (int l = 0, row = 0; l < levels; l++)
        for (int64_t e = 0; e < size[l]; e++, row++) {
            const double *code = out + first[l] + e;
            normal -= 0.5 * (code[0] * code[0] + log(2 * acos(-1)));
            for (int64_t k = 0; k < d; k++) jacobian[row * d + k] = (code[(1 + 2 * k) * size[l]] - code[(2 + 2 * k) * size[l]]) / (2 * h);
        }
    const double numeric = log_det(jacobian, d);
    cr_assert(fabs(out[0] - normal - numeric) < 1e-6, "%s: %.9f against %.9f", json, out[0] - normal, numeric);
    free(out), free(jacobian);
    rheo_build_finish(&b);
    rheo_graph_destroy(g);
    glow_free(&c);
}

Test(glow, log_det_is_that_of_a_numeric_jacobian)
{
    const rheo_data_shape tiny = { 4, 4, 3, true };
    check_log_det("{\"levels\":1,\"depth\":4,\"width\":8}", plane);
    check_log_det("{\"levels\":2,\"depth\":2,\"width\":6}", tiny);
    check_log_det("{\"levels\":2,\"depth\":1,\"width\":6,\"coupling\":\"additive\",\"permutation\":\"shuffle\",\"padding\":\"edge\"}", tiny);
}

Test(glow, published_size_has_the_published_number_of_parameters)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_model *m = NULL;
    cJSON *config = cJSON_Parse("{\"levels\":3,\"depth\":32,\"width\":512,\"padding\":\"edge\"}");
    cr_assert_eq(rheo_model_glow.create(config, (rheo_data_shape){ 32, 32, 3, true }, 1, &m, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_params_numbers(m->params), 44603604, "%lld", (long long)rheo_params_numbers(m->params));
    rheo_model_glow.destroy(m);
    cJSON_Delete(config);
}
