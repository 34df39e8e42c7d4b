/* Glow conditional on classes: the prior given a class and its gradient, labels from data to samples, Bayes' rule (flows 2.1, 2.4). */
#include <math.h>

#include "classes.h"
#include "model/glow.h"
#include "support.h"
#include "train/classes.h"

/* ---- the prior given a class ---------------------------------------------------------------------------------- */

/* Sums over a batch of two 4 x 4 images in double: the loss, with the penalty; its gradient; losses given each class. */
typedef struct prior_case {
    test_bench bench;
    rheo_model *model;
    rheo_build b;
    int theta, fixed, x, classes, key;
} prior_case;

static prior_case prior_start(const char *json)
{
    rheo_error err = RHEO_ERROR_INIT;
    prior_case c = { .bench = test_start(NULL) };
    rheo_state *s = c.bench.s;
    cJSON *config = cJSON_Parse(json);
    ASSERT_OK(rheo_model_glow.create(config, (rheo_data_shape){ SIDE, SIDE, 1, true }, 7, &c.model, &err));
    cJSON_Delete(config);
    ASSERT_OK(rheo_params_declare(c.model->params, s, &c.theta, &c.fixed, &err));
    const double one_hot[2 * CLASSES] = { 0, 1, 0, 1, 0, 0 }, key[4] = { 0 };
    double x[2 * DIMS], *theta = NULL;
    test_fill((rheo_sample_fill){ .below = 256 }, rheo_vector(2 * DIMS), 5, x);
    c.x = test_storage(s, RHEO_F32, 2 * DIMS, x);
    c.classes = test_storage(s, RHEO_F32, 2 * CLASSES, one_hot);
    c.key = test_storage(s, RHEO_U32, 4, key);
    ASSERT_OK(rheo_params_write_initial(c.model->params, s, c.theta, c.fixed, 7, &err));
    ASSERT_OK(rheo_state_values(s, c.theta, &theta, &err));
    const int64_t n = rheo_storage_at(s, c.theta)->count;
    double *noise = malloc((size_t)n * sizeof *noise);
    test_fill((rheo_sample_fill){ .scale = 0.1 }, rheo_vector(n), 3, noise);
    for (int64_t k = 0; k < n; k++) theta[k] += noise[k];
    free(noise);
    ASSERT_OK(rheo_build_init(&c.b, c.bench.g, c.model->params, c.theta, c.fixed, &err));
    return c;
}

static void prior_finish(prior_case *c)
{
    rheo_build_finish(&c->b);
    test_finish(&c->bench);
    rheo_model_glow.destroy(c->model);
}

static rheo_value loss_of(prior_case *c, rheo_value classes)
{
    rheo_graph *g = c->bench.g;
    c->b.classes = classes;
    return rheo_model_glow.loss(&c->b, c->model, rheo_whole(g, c->x, RHEO_SHAPE(2, SIDE, SIDE, 1)), rheo_whole(g, c->key, rheo_vector(4)));
}

/* Central differences of step h in double: their error is h^2 of a third derivative, some 1e-10 of the largest gradient, and the loss's
 * rounding over h, 1e-16 * 100 / 1e-5 = 1e-9 nats. */
static void check_gradient(bool invert)
{
    const double h = 1e-5;
    rheo_error err = RHEO_ERROR_INIT;
    prior_case c = prior_start("{\"classes\": 3, \"class_weight\": 0.5, \"levels\": 2, \"depth\": 1, \"width\": 4, \"padding\": \"edge\"}");
    rheo_graph *g = c.bench.g;
    const rheo_params *p = c.model->params;
    const int64_t n = rheo_params_flat(p, true);
    const int loss = test_storage(c.bench.s, RHEO_F32, 1, NULL), gradient = test_storage(c.bench.s, RHEO_F32, n, NULL);
    c.b.invert = invert;
    const rheo_value each = loss_of(&c, rheo_whole(g, c.classes, RHEO_SHAPE(2, 1, 1, CLASSES)));
    cr_assert(!rheo_is_none(c.b.penalty));
    const rheo_value sum = rheo_sum(g, rheo_add(g, each, c.b.penalty), RHEO_AXIS_N);
    rheo_assign(g, rheo_whole(g, loss, rheo_vector(1)), sum);
    rheo_assign(g, rheo_whole(g, gradient, rheo_vector(n)), test_packed_gradient(&c.b, sum));
    rheo_plan *plan = NULL;
    ASSERT_OK(rheo_plan_create(g, c.bench.s, &(rheo_plan_options){ 0 }, &plan, &err));
    ASSERT_OK(rheo_plan_run(plan, &err));
    double *found = malloc((size_t)n * sizeof *found), *theta = NULL, largest = 0;
    test_read(c.bench.s, gradient, found);
    ASSERT_OK(rheo_state_values(c.bench.s, c.theta, &theta, &err));
    for (int64_t k = 0; k < n; k++) largest = fmax(largest, fabs(found[k]));
    int checked = 0;
    for (int k = 0; k < rheo_params_count(p); k++) {
        const rheo_param *q = rheo_params_at(p, k);
        const bool ours = strstr(q->name, "class") || strstr(q->name, "prior");
        for (int64_t i = 0; i < rheo_count(q->shape) && q->trained; i += ours ? 1 : 11) {
            double *at = theta + q->offset + i, was = *at, side[2];
            for (int s = 0; s < 2; s++) {
                *at = was + (s ? h : -h);
                ASSERT_OK(rheo_plan_run(plan, &err));
                test_read(c.bench.s, loss, &side[s]);
            }
            *at = was;
            const double numeric = (side[1] - side[0]) / (2 * h);
            cr_assert(fabs(numeric - found[q->offset + i]) <= 1e-8 * largest + 1e-8, "%s, %lld: %.12g, by differences %.12g", q->name,
                      (long long)i, found[q->offset + i], numeric);
            checked += strstr(q->name, "class") != NULL;
        }
    }
    /* class_prior: 3 x 16 weights, 16 of bias and scale each; classifier: 8 x 3, 3, 3. */
    cr_assert_eq(checked, 3 * 16 + 2 * 16 + 8 * 3 + 2 * 3);
    free(found);
    rheo_plan_destroy(plan);
    prior_finish(&c);
}

Test(classes, gradient_agrees_with_differences)
{
    check_gradient(false);
    check_gradient(true);
}

/* One pass for all classes agrees with a pass each, and without labels the prior is their mean's. */
Test(classes, losses_given_each_class_are_those_given_one)
{
    prior_case c = prior_start("{\"classes\": 3, \"levels\": 2, \"depth\": 1, \"width\": 4, \"padding\": \"edge\"}");
    rheo_graph *g = c.bench.g;
    const int out = test_storage(c.bench.s, RHEO_F32, 2 * CLASSES, NULL), one = test_storage(c.bench.s, RHEO_F32, 2 * CLASSES, NULL);
    const int mean = test_storage(c.bench.s, RHEO_F32, 4, NULL);
    const float third[CLASSES] = { 1.0f / 3, 1.0f / 3, 1.0f / 3 };
    for (int k = 0; k < CLASSES; k++) {
        float weights[CLASSES] = { 0 };
        weights[k] = 1;
        rheo_assign(g, rheo_window(g, one, 2 * k, RHEO_SHAPE(2, 1, 1, 1)), loss_of(&c, rheo_table_f32(g, rheo_vector(CLASSES), weights)));
    }
    rheo_assign(g, rheo_window(g, mean, 0, RHEO_SHAPE(2, 1, 1, 1)), loss_of(&c, RHEO_NONE));
    rheo_assign(g, rheo_window(g, mean, 2, RHEO_SHAPE(2, 1, 1, 1)), loss_of(&c, rheo_table_f32(g, rheo_vector(CLASSES), third)));
    const rheo_value each = rheo_model_glow.class_loss(&c.b, c.model, rheo_whole(g, c.x, RHEO_SHAPE(2, SIDE, SIDE, 1)),
                                                       rheo_whole(g, c.key, rheo_vector(4)));
    rheo_assign(g, rheo_whole(g, out, RHEO_SHAPE(2, 1, 1, CLASSES)), each);
    test_run(g, c.bench.s);
    double all[2 * CLASSES], single[2 * CLASSES], means[4];
    test_read(c.bench.s, out, all);
    test_read(c.bench.s, one, single);
    test_read(c.bench.s, mean, means);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < CLASSES; k++)
            cr_assert(fabs(all[i * CLASSES + k] - single[2 * k + i]) <= 1e-12 * fabs(single[2 * k + i]), "image %d, class %d: %.15g and %.15g", i,
                      k, all[i * CLASSES + k], single[2 * k + i]);
    cr_assert(fabs(all[0] - all[1]) > 1e-3 && fabs(all[1] - all[2]) > 1e-3, "the classes differ");
    cr_assert(means[0] == means[2] && means[1] == means[3]);
    prior_finish(&c);
}

/* ---- runs ---------------------------------------------------------------------------------------------------- */

/* Which class's mean training image is nearest. */
static int nearest_class(const unsigned char *x)
{
    double least = INFINITY;
    int nearest = 0;
    for (int k = 0; k < CLASSES; k++) {
        double distance = 0;
        for (int e = 0; e < DIMS; e++) {
            double mean = 0;
            for (int i = k; i < TRAIN / CLASSES * CLASSES; i += CLASSES) mean += pixel(i, e / SIDE, e % SIDE) / (double)(TRAIN / CLASSES);
            distance += (x[e] - mean) * (x[e] - mean);
        }
        if (distance < least) least = distance, nearest = k;
    }
    return nearest;
}

Test(classes, training_tells_them_apart_and_samples_are_of_theirs)
{
    enum { N = 60 };
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = make_data(CLASSES);
    rheo_checkpoint *c = open_trained(&s, device_count() - 1, 150);
    rheo_checkpoint_facts f;
    rheo_evaluate_options o;
    rheo_evaluation e;
    rheo_checkpoint_facts_of(c, &f);
    cr_assert_eq(f.classes, CLASSES);
    rheo_evaluate_defaults(&o);
    ASSERT_OK(rheo_evaluate(c, &o, &e, &err));
    cr_assert(e.accuracy > beyond_chance(TEST), "%g", e.accuracy);
    cr_assert(e.loss < e.without_labels, "labels say something: %g and %g", e.loss, e.without_labels);
    cr_assert(e.round_trip_error < 1e-3);

    unsigned char labels[N * CLASSES], x[N * CLASSES * DIMS], turns[N * DIMS], chosen[N * DIMS];
    int right = 0;
    for (int i = 0; i < N * CLASSES; i++) labels[i] = (unsigned char)(i / N);
    ASSERT_OK(rheo_sample_classes(c, labels, N * CLASSES, 0.7, 1, x, &err));
    for (int i = 0; i < N * CLASSES; i++) right += nearest_class(x + i * DIMS) == labels[i];
    cr_assert(right > beyond_chance(N * CLASSES) * N * CLASSES, "%d of %d", right, N * CLASSES);
    for (int i = 0; i < N; i++) labels[i] = (unsigned char)(i % CLASSES);
    ASSERT_OK(rheo_sample(c, N, 0.7, 1, turns, &err));
    ASSERT_OK(rheo_sample_classes(c, labels, N, 0.7, 1, chosen, &err));
    cr_assert(!memcmp(turns, chosen, sizeof turns), "without labels all classes in turn");
    labels[4] = CLASSES;
    ASSERT_FAILS(rheo_sample_classes(c, labels, N, 0.7, 1, chosen, &err), RHEO_EINVAL, "sample 4: found class 3, expected 0 to 2");
    rheo_checkpoint_close(c);
    clean(&s);
}

/* p(x) is the mean of p(x|y), and an evaluation's loss that given the labels. The bounds: float32 sums of 16 terms below 100 nats. */
Test(classes, densities_agree)
{
    enum { N = 70 }; /* more than one batch */
    for (int d = 0; d < device_count(); d++) {
        rheo_error err = RHEO_ERROR_INIT;
        scratch s = make_data(CLASSES);
        rheo_checkpoint *c = open_trained(&s, d, 5);
        rheo_data data = { .x = NULL };
        rheo_evaluate_options o;
        rheo_evaluation e;
        double each[N * CLASSES], all[N], loss = 0;
        ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 0, N, &data, &err));
        ASSERT_OK(rheo_log_prob_classes(c, data.x, N, 0, each, &err));
        ASSERT_OK(rheo_log_prob(c, data.x, N, 0, all, &err));
        int right = 0;
        for (int i = 0; i < N; i++) {
            const double *p = each + i * CLASSES;
            const int best = p[0] > p[1] ? (p[0] > p[2] ? 0 : 2) : p[1] > p[2] ? 1 : 2;
            const double mean = log((exp(p[0] - p[best]) + exp(p[1] - p[best]) + exp(p[2] - p[best])) / 3) + p[best];
            cr_assert(fabs(all[i] - mean) <= 1e-9 * fabs(mean), "image %d: %.12g and %.12g", i, all[i], mean);
            cr_assert_eq(data.labels[i], i % CLASSES);
            loss -= p[data.labels[i]] / N;
            right += best == data.labels[i];
        }
        rheo_evaluate_defaults(&o);
        o.limit = N;
        ASSERT_OK(rheo_evaluate(c, &o, &e, &err));
        cr_assert(fabs(e.nats - loss) <= 1e-3, "%.9g and %.9g nats", e.nats, loss);
        cr_assert_float_eq(e.accuracy, right / (double)N, 1e-12);
        ASSERT_FAILS(rheo_log_prob_classes(c, data.x, 0, 0, each, &err), RHEO_EINVAL, "no images");
        rheo_data_free(&data);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* Codes are whitened by one prior for all: decoded without labels, and a way from one class to another begins and ends at the images. */
Test(classes, codes_need_no_labels)
{
    enum { STEPS = 4 };
    for (int d = 0; d < device_count(); d++) {
        rheo_error err = RHEO_ERROR_INIT;
        scratch s = make_data(CLASSES);
        rheo_checkpoint *c = open_trained(&s, d, 20);
        rheo_data data = { .x = NULL };
        float ends[2 * DIMS], codes[STEPS * DIMS];
        unsigned char out[STEPS * DIMS];
        ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 0, 2, &data, &err));
        cr_assert_neq(data.labels[0], data.labels[1]);
        ASSERT_OK(rheo_encode(c, data.x, 2, 0, ends, &err));
        rheo_codes_between(ends, ends + DIMS, DIMS, STEPS, codes);
        ASSERT_OK(rheo_decode(c, codes, STEPS, out, &err));
        for (int k = 0; k < DIMS; k++) {
            cr_assert(abs(out[k] - ((unsigned char *)data.x)[k]) <= 1, "first, element %d", k);
            cr_assert(abs(out[(STEPS - 1) * DIMS + k] - ((unsigned char *)data.x)[DIMS + k]) <= 1, "last, element %d", k);
        }
        rheo_data_free(&data);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

/* Labels follow their images over the ends of epochs: 225 rows, 32 a step. Were an actnorm set anew by loading, or a label another image's,
 * parameters would differ. */
Test(classes, a_resumed_run_is_the_same_bits)
{
    if (device_count() == 1) cr_skip_test("no device");
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = make_data(CLASSES);
    char whole[100], parts[100];
    snprintf(whole, sizeof whole, "%s/whole", s.folder);
    snprintf(parts, sizeof parts, "%s/parts", s.folder);
    rheo_train_options o = options_for(s.folder, whole, 1, 12);
    o.accumulate = 2;
    ASSERT_OK(rheo_train(&o, &err));
    o.run = parts;
    o.iterations = 5;
    ASSERT_OK(rheo_train(&o, &err));
    o.iterations = 12;
    ASSERT_OK(rheo_resume(&o, &err));
    state a = read_state(whole), b = read_state(parts);
    cr_assert(a.model->classes == CLASSES && b.model->classes == CLASSES);
    expect_same(&a, &b);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

Test(classes, feeds_bring_the_labels_of_their_rows)
{
    enum { ROWS = 7, N = 30 };
    rheo_error err = RHEO_ERROR_INIT;
    float values[ROWS], seen[N], weights[N * 4];
    unsigned char labels[ROWS];
    for (int i = 0; i < ROWS; i++) values[i] = (float)i, labels[i] = (unsigned char)(i % 4);
    const rheo_rows rows = { .count = ROWS, .vectors = values, .labels = labels }, bare = { .count = ROWS, .vectors = values };
    rheo_feed f;
    ASSERT_OK(rheo_feed_create(&rows, 1, 3, &f, &err));
    rheo_feed_fill(&f, 5, N, seen);
    rheo_feed_fill_classes(&f, 5, N, 4, weights);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++) cr_assert_eq(weights[4 * i + k], (int)seen[i] % 4 == k);
    rheo_rows_fill_classes(&rows, 5, 4, 4, weights);
    cr_assert(weights[1] == 1 && weights[4 + 2] == 1 && weights[8 + 2] == 1 && weights[12 + 2] == 1, "the last row is repeated");
    rheo_rows_fill_classes(&bare, 0, 1, 4, weights);
    cr_assert(weights[0] == 0.25f && weights[3] == 0.25f);
    rheo_feed_free(&f);
}
