/* Score networks: parameter counts of the published ones (score 14: N4), gradients against differences (N5), and what conditioning
 * means (N7). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "model/ncsn.h"
#include "support.h"

static rheo_ncsn *make(const char *json, rheo_data_shape data)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_model *m = NULL;
    cJSON *config = cJSON_Parse(json);
    cr_assert_eq(rheo_model_ncsn.create(config, data, 0, &m, &err), RHEO_OK, "%s", err.text);
    cJSON_Delete(config);
    return (rheo_ncsn *)m;
}

Test(score_net, parameter_counts_are_the_published_ones)
{
    static const rheo_data_shape grey = { 28, 28, 1, true }, colour = { 32, 32, 3, true }, points = { 1, 1, 2, false };
    static const struct {
        const char *json;
        const rheo_data_shape *data;
        int64_t numbers;
    } table[] = {
        { "{\"network\":\"v1\",\"width\":64}", &grey, 7638657 },
        { "{\"network\":\"v1\",\"width\":32}", &grey, 1964865 },
        { "{\"network\":\"v1\",\"width\":16}", &grey, 518817 },
        { "{\"network\":\"v1\",\"width\":128}", &colour, 30117635 },
        { "{\"network\":\"v1\",\"width\":64}", &colour, 7640963 },
        { "{\"network\":\"baseline\",\"width\":64}", &grey, 7443393 },
        { "{\"network\":\"baseline\",\"width\":128}", &colour, 29727107 },
        { "{\"network\":\"v2\",\"width\":128}", &colour, 29694083 },
        { "{\"network\":\"v2\",\"width\":64}", &grey, 7426881 },
        { "{\"network\":\"v2\",\"width\":32}", &grey, 1858977 },
        { "{}", &points, 17154 },
    };
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        rheo_ncsn *m = make(table[k].json, *table[k].data);
        cr_expect_eq(rheo_params_numbers(m->model.params), table[k].numbers, "%s: %lld", table[k].json,
                     (long long)rheo_params_numbers(m->model.params));
        rheo_model_ncsn.destroy(&m->model);
    }
}

Test(score_net, layers_have_the_published_names)
{
    static const char *const names[] = { "begin_conv.bias",
                                         "res1.0.conv1.weight",
                                         "res2.0.conv2.conv.weight",
                                         "res2.0.shortcut.conv.bias",
                                         "res3.0.shortcut.weight",
                                         "res4.1.normalize2.embed.weight",
                                         "refine1.adapt_convs.0.1_1_norm.embed.weight",
                                         "refine4.output_convs.3_2_conv.weight",
                                         "refine2.msf.norms.1.embed.weight",
                                         "refine3.msf.convs.0.bias",
                                         "refine1.crp.convs.1.weight",
                                         "normalizer.embed.weight",
                                         "end_conv.weight" };
    rheo_ncsn *m = make("{\"network\":\"v1\",\"width\":4}", (rheo_data_shape){ 8, 8, 1, true });
    int convolutions = 0, normalisations = 0;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        cr_expect_geq(rheo_params_find(m->model.params, names[k]), 0, "%s", names[k]);
    for (int k = 0; k < rheo_params_count(m->model.params); k++) {
        convolutions += rheo_params_at(m->model.params, k)->convolution;
        normalisations += rheo_params_at(m->model.params, k)->init == RHEO_INIT_GAINS;
    }
    cr_expect_eq(convolutions, 75);
    cr_expect_eq(normalisations, 71);
    rheo_model_ncsn.destroy(&m->model);
}

Test(score_net, bad_options_are_refused)
{
    static const struct {
        const char *json;
        rheo_data_shape data;
    } table[] = {
        { "{\"network\":\"v3\"}", { 8, 8, 1, true } },  { "{\"network\":\"v1\"}", { 7, 8, 1, true } },
        { "{\"network\":\"mlp\"}", { 8, 8, 1, true } }, { "{\"network\":\"v2\"}", { 1, 1, 2, false } },
        { "{\"depth\":3}", { 8, 8, 1, true } },         { "{\"network\":\"v1\",\"levels\":0}", { 8, 8, 1, true } },
    };
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        rheo_error err = RHEO_ERROR_INIT;
        rheo_model *m = NULL;
        cJSON *config = cJSON_Parse(table[k].json);
        cr_expect_neq(rheo_model_ncsn.create(config, table[k].data, 0, &m, &err), RHEO_OK, "%s", table[k].json);
        cr_expect(err.text[0] && !m);
        cJSON_Delete(config);
    }
}

/* ---- graphs ------------------------------------------------------------------------------------------------- */

/* A tiny network on dev or in double: f = sum of u s(x, sigma), or with `sliced` u (ds/dx) u + |s|^2 / 2 (score 1.4), and its
 * gradients. */
typedef struct net_case {
    rheo_ncsn *m;
    test_bench bench;
    int theta, fixed, x, score, value, dtheta, dx;
    int64_t size;
    rheo_plan *plan;
} net_case;

static const rheo_data_shape tiny = { 4, 4, 2, true };
enum { BATCH = 2 };

static net_case net_make(const char *json, rheo_data_shape data, rheo_device *dev, const uint32_t *label, const float *deviation,
                         bool sliced)
{
    net_case c = { .m = make(json, data), .bench = test_start(dev) };
    rheo_graph *g = c.bench.g;
    rheo_state *s = c.bench.s;
    const rheo_shape shape = { BATCH, data.h, data.w, data.c };
    const rheo_params *p = c.m->model.params;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_build b;
    c.size = rheo_count(shape);
    cr_assert_eq(rheo_params_declare(p, s, &c.theta, &c.fixed, &err), RHEO_OK, "%s", err.text);
    double *contents = malloc((size_t)c.size * sizeof *contents);
    test_fill((rheo_sample_fill){ .scale = 0.3, .shift = 0.5 }, shape, 5, contents);
    c.x = test_storage(s, RHEO_F32, c.size, contents);
    test_fill((rheo_sample_fill){ 0 }, shape, 6, contents);
    const rheo_value u = rheo_window(g, test_storage(s, RHEO_F32, c.size, contents), 0, shape), x = rheo_window(g, c.x, 0, shape);
    free(contents);
    cr_assert_eq(rheo_params_write_initial(p, s, c.theta, c.fixed, 7, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_build_init(&b, g, p, c.theta, c.fixed, &err), RHEO_OK);
    const rheo_value y =
        rheo_ncsn_score(&b, c.m, x, rheo_table_u32(g, rheo_vector(BATCH), label), rheo_table_f32(g, RHEO_SHAPE(BATCH, 1, 1, 1), deviation));
    rheo_value f = rheo_sum(g, rheo_mul(g, y, u), 15);
    if (sliced) {
        rheo_value along;
        rheo_gradients(g, 1, &f, NULL, 1, &x, &along);
        f = rheo_sum(g, rheo_add(g, rheo_mul(g, along, u), rheo_affine(g, rheo_square(g, y), 0.5, 0)), 15);
    }
    const rheo_value flat = test_packed_gradient(&b, f);
    const rheo_value out[4] = { y, f, flat };
    rheo_value dx;
    int *const to[4] = { &c.score, &c.value, &c.dtheta, &c.dx };
    rheo_gradients(g, 1, &f, NULL, 1, &x, &dx);
    for (int k = 0; k < 4; k++) {
        const rheo_value v = k < 3 ? out[k] : dx;
        *to[k] = test_storage(s, RHEO_F32, rheo_count(rheo_shape_of(g, v)), NULL);
        rheo_assign(g, rheo_window(g, *to[k], 0, rheo_shape_of(g, v)), v);
    }
    cr_assert_eq(rheo_plan_create(g, s, NULL, &c.plan, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_plan_run(c.plan, &err), RHEO_OK, "%s", err.text);
    rheo_build_finish(&b);
    return c;
}

static void net_free(net_case *c)
{
    rheo_plan_destroy(c->plan);
    test_finish(&c->bench);
    rheo_model_ncsn.destroy(&c->m->model);
}

static double *contents_of(const net_case *c, int storage)
{
    double *v = malloc((size_t)rheo_storage_at(c->bench.s, storage)->count * sizeof *v);
    test_read(c->bench.s, storage, v);
    return v;
}

/* Along a random direction of `storage`: central differences of fourth order. */
static void check_direction(net_case *c, const char *what, int storage, int gradient)
{
    const int64_t count = rheo_storage_at(c->bench.s, storage)->count;
    const double step = 1e-6, at[4] = { -2, -1, 1, 2 };
    double *x = contents_of(c, storage), *d = contents_of(c, gradient), *v = malloc((size_t)count * sizeof *v),
           *moved = contents_of(c, storage);
    double f[4], expected = 0, squares = 0;
    rheo_error err = RHEO_ERROR_INIT;
    test_fill((rheo_sample_fill){ .scale = 0.1 }, rheo_vector(count), 11, v);
    for (int64_t i = 0; i < count; i++) {
        expected += d[i] * v[i];
        squares += d[i] * v[i] * d[i] * v[i];
    }
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < count; i++) moved[i] = x[i] + at[k] * step * v[i];
        test_write(c->bench.s, storage, moved);
        cr_assert_eq(rheo_plan_run(c->plan, &err), RHEO_OK, "%s", err.text);
        test_read(c->bench.s, c->value, &f[k]);
    }
    test_write(c->bench.s, storage, x);
    cr_assert_eq(rheo_plan_run(c->plan, &err), RHEO_OK, "%s", err.text);
    const double got = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * step), bound = 1e-6 * sqrt(squares);
    cr_expect(squares > 0 && fabs(got - expected) <= bound, "%s: differences %.12g, gradient %.12g, bound %.3g", what, got, expected,
              bound);
    free(x), free(d), free(v), free(moved);
}

static const char *const networks[] = { "{\"network\":\"v1\",\"width\":2,\"levels\":3}", "{\"network\":\"baseline\",\"width\":3}",
                                        "{\"network\":\"v2\",\"width\":2}",
                                        "{\"network\":\"v1\",\"width\":2,\"innorm_form\":\"paper\",\"range\":\"logit\"}" };
static const uint32_t labels[BATCH] = { 2, 0 };
static const float deviations[BATCH] = { 0.5f, 2 };

/* N5, and with sliced score matching N6: the gradient of a gradient. */
Test(score_net, gradients_agree_with_differences)
{
    for (int k = 0; k < 8; k++) {
        net_case c = net_make(networks[k / 2], tiny, NULL, labels, deviations, k % 2);
        check_direction(&c, "parameters", c.theta, c.dtheta);
        check_direction(&c, "x", c.x, c.dx);
        net_free(&c);
    }
}

static void compare(const char *what, const net_case *got, const net_case *expected, int storage)
{
    const int64_t count = rheo_storage_at(got->bench.s, storage)->count;
    double *a = contents_of(got, storage), *b = contents_of(expected, storage), scale = 0, worst = 0;
    for (int64_t i = 0; i < count; i++) {
        cr_assert(isfinite(a[i]) && isfinite(b[i]));
        scale = fmax(scale, fabs(b[i]));
        worst = fmax(worst, fabs(a[i] - b[i]));
    }
    cr_expect(scale > 0 && worst <= 2e-4 * scale, "%s: off by %.3g of %.3g", what, worst, scale);
    free(a), free(b);
}

/* N5: 2e-4 of the largest. */
Test(score_net, device_agrees_with_the_host, .timeout = 200)
{
    rheo_device *dev = test_device();
    for (int k = 0; k < 3; k++) {
        static const char *const wider[] = { "{\"network\":\"v1\",\"width\":8}", "{\"network\":\"baseline\",\"width\":16}",
                                             "{\"network\":\"v2\",\"width\":8}" };
        const rheo_data_shape data = { 8, 12, 1, true };
        net_case got = net_make(wider[k], data, dev, labels, deviations, false),
                 expected = net_make(wider[k], data, NULL, labels, deviations, false);
        compare("score", &got, &expected, got.score);
        compare("gradient of parameters", &got, &expected, got.dtheta);
        compare("gradient of x", &got, &expected, got.dx);
        net_free(&got), net_free(&expected);
    }
    rheo_device_close(dev);
}

/* N7: v2 times sigma does not depend on sigma; v1 depends on the label. */
Test(score_net, conditioning_is_by_label_or_by_sigma)
{
    const uint32_t other[BATCH] = { 1, 1 };
    const float ones[BATCH] = { 1, 1 };
    for (int k = 0; k < 2; k++) {
        const char *json = networks[k == 0 ? 0 : 2];
        net_case a = net_make(json, tiny, NULL, labels, deviations, false),
                 b = net_make(json, tiny, NULL, k == 0 ? other : labels, ones, false);
        double *sa = contents_of(&a, a.score), *sb = contents_of(&b, b.score), apart = 0, scale = 0;
        for (int64_t i = 0; i < a.size; i++) {
            const double sigma = k == 0 ? 1 : (double)deviations[i / (a.size / BATCH)];
            apart = fmax(apart, fabs(sa[i] * sigma - sb[i]));
            scale = fmax(scale, fabs(sb[i]));
        }
        if (k == 0)
            cr_expect(apart > 1e-3 * scale, "labels change nothing: %.3g of %.3g", apart, scale);
        else
            cr_expect(apart <= 2e-7 * scale, "off by %.3g of %.3g", apart, scale);
        free(sa), free(sb);
        net_free(&a), net_free(&b);
    }
}
