#include "support.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "check/alone.h"
#include "check/contents.h"

rheo_device *test_device(void)
{
    rheo_device *dev = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_device_open(getenv("RHEO_TEST_DEVICE"), &dev, &err), RHEO_OK, "%s", err.text);
    return dev;
}

static double *new_values(int64_t count)
{
    double *v = calloc((size_t)count, sizeof *v);
    cr_assert_not_null(v);
    return v;
}

void test_fill(rheo_sample_fill fill, rheo_shape shape, uint64_t seed, double *out) { rheo_sample_contents(fill, shape, seed, out); }

void test_write(rheo_state *s, int storage, const double *contents)
{
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_contents_write(s, storage, contents, &err), RHEO_OK, "%s", err.text);
}

void test_read(rheo_state *s, int storage, double *out)
{
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_contents_read(s, storage, out, &err), RHEO_OK, "%s", err.text);
}

int test_storage(rheo_state *s, rheo_type type, int64_t count, const double *contents)
{
    const int k = rheo_storage_add(s, "test", type, count);
    cr_assert_geq(k, 0);
    if (contents) test_write(s, k, contents);
    return k;
}

void test_run(rheo_graph *g, rheo_state *s) { test_run_with(g, s, NULL); }

void test_run_with(rheo_graph *g, rheo_state *s, const rheo_plan_options *options)
{
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_create(g, s, options, &plan, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
    rheo_plan_destroy(plan);
}

rheo_value test_packed_gradient(rheo_build *b, rheo_value loss)
{
    const int n = rheo_params_count(b->params);
    rheo_value *x = malloc((size_t)n * sizeof *x), *dx = malloc((size_t)n * sizeof *dx);
    int64_t *offset = malloc((size_t)n * sizeof *offset);
    int trained = 0;
    for (int k = 0; k < n; k++)
        if (rheo_params_at(b->params, k)->trained) {
            offset[trained] = rheo_params_at(b->params, k)->offset;
            x[trained++] = rheo_param_value(b, k);
        }
    rheo_gradients(b->g, 1, &loss, NULL, trained, x, dx);
    const rheo_value packed = rheo_pack(b->g, trained, dx, offset, rheo_params_flat(b->params, true));
    free(x), free(dx), free(offset);
    return packed;
}

test_result test_op(const rheo_op *op, const rheo_op_sample *sample, rheo_device *dev, uint64_t seed, const rheo_plan_options *options)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    rheo_alone a;
    cr_assert_eq(rheo_alone_of_sample(dev, op, sample, seed, &a, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_plan_create(a.graph, a.state, options, &plan, &err), RHEO_OK, "%s", err.text);
    test_result r = { .n_out = a.node->n_out, .all = new_values(rheo_outputs(a.node)) };
    cr_assert_eq(rheo_alone_run(&a, plan, r.all, &err), RHEO_OK, "%s", err.text);
    for (int64_t k = 0, at = 0; k < r.n_out; at += r.count[k++]) {
        r.count[k] = rheo_count(a.node->out[k].shape);
        r.out[k] = r.all + at;
    }
    rheo_plan_destroy(plan);
    rheo_alone_free(&a);
    return r;
}

void test_result_free(test_result *r)
{
    free(r->all);
}

test_bench test_start(rheo_device *dev)
{
    test_bench b = { rheo_state_create(), NULL };
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_state_bind(b.s, dev, &err), RHEO_OK, "%s", err.text);
    b.g = rheo_graph_create(b.s, &rheo_op_arithmetic);
    return b;
}

void test_finish(test_bench *b)
{
    rheo_graph_destroy(b->g);
    rheo_state_destroy(b->s);
}

/* ---- trainings ------------------------------------------------------------------------------------------------------ */

/* All checks but trainings are taken for made. */
static const rheo_finding *only_trainings(void *user, const rheo_finding *next)
{
    static rheo_finding made;
    (void)user;
    made = *next;
    return strncmp(next->check, "training ", 9) ? &made : NULL;
}

static void expect_fine(void *user, const rheo_finding *found)
{
    ++*(int *)user;
    cr_expect_eq(found->verdict, RHEO_VERDICT_FINE, "%s: %s", found->check, found->text);
}

void test_trainings(void)
{
    int reports = 0;
    rheo_error err = RHEO_ERROR_INIT;
    /* quick: what is said to be made acquits nothing. */
    const rheo_doctor_options o = { .device = getenv("RHEO_TEST_DEVICE"), .quick = 1, .before = only_trainings, .report = expect_fine, .user = &reports };
    cr_assert_eq(rheo_doctor(&o, &err), RHEO_OK, "%s", err.text);
    cr_expect_eq(reports, 2);
}
