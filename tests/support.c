#include "support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"

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

void test_fill(rheo_sample_fill fill, rheo_shape shape, uint64_t seed, double *out)
{
    const rheo_address at = { .seed = seed, .purpose = RHEO_FOR_SYNTHETIC_DATA };
    for (int64_t i = 0; i < rheo_count(shape); i++) {
        if (fill.permutation) {
            out[i] = (i / shape.c % shape.w + 1) % shape.c == i % shape.c;
            continue;
        }
        uint32_t words[4];
        double z[4];
        rheo_philox_block(&at, (uint32_t)i / 4, words);
        rheo_philox_normals(words, z);
        const double v = z[i % 4] * (fill.scale > 0 ? fill.scale : 1) + fill.shift;
        out[i] = fill.below ? rheo_philox_below(words[i % 4], fill.below) : (double)(float)(fabs(v) < 0.01 ? copysign(0.01, v) + v : v);
    }
}

void test_write(rheo_state *s, int storage, const double *contents)
{
    const rheo_storage *at = rheo_storage_at(s, storage);
    rheo_error err = RHEO_ERROR_INIT;
    if (!rheo_state_device(s)) {
        double *values = NULL;
        cr_assert_eq(rheo_state_values(s, storage, &values, &err), RHEO_OK, "%s", err.text);
        for (int64_t i = 0; i < at->count; i++) values[i] = contents[i];
        return;
    }
    uint32_t *words = (uint32_t *)new_values(at->count);
    for (int64_t i = 0; i < at->count; i++) {
        if (at->type == RHEO_F32) ((float *)words)[i] = (float)contents[i];
        else words[i] = (uint32_t)contents[i];
    }
    cr_assert_eq(rheo_state_write(s, storage, 0, at->count, words, &err), RHEO_OK, "%s", err.text);
    free(words);
}

void test_read(rheo_state *s, int storage, double *out)
{
    const rheo_storage *at = rheo_storage_at(s, storage);
    rheo_error err = RHEO_ERROR_INIT;
    if (!rheo_state_device(s)) {
        double *values = NULL;
        cr_assert_eq(rheo_state_values(s, storage, &values, &err), RHEO_OK, "%s", err.text);
        for (int64_t i = 0; i < at->count; i++) out[i] = values[i];
        return;
    }
    uint32_t *words = (uint32_t *)new_values(at->count);
    cr_assert_eq(rheo_state_read(s, storage, 0, at->count, words, &err), RHEO_OK, "%s", err.text);
    for (int64_t i = 0; i < at->count; i++) out[i] = at->type == RHEO_F32 ? (double)((float *)words)[i] : words[i];
    free(words);
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
    rheo_state *s = rheo_state_create();
    rheo_value in[8];
    int to[RHEO_MAX_OUT];
    test_result r = { 0 };
    cr_assert_eq(rheo_state_bind(s, dev, &err), RHEO_OK, "%s", err.text);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    for (int i = 0; i < sample->n_in; i++) {
        const int64_t count = rheo_count(sample->in[i].shape);
        double *contents = new_values(count);
        test_fill(sample->fill[i], sample->in[i].shape, seed + (uint64_t)i, contents);
        in[i] = rheo_window(g, test_storage(s, sample->in[i].type, count, contents), 0, sample->in[i].shape);
        free(contents);
    }
    const rheo_value y = rheo_apply(g, op, sample->n_in, in, sample->attr, sample->attr_bytes);
    cr_assert(!rheo_is_none(y), "%s", rheo_graph_error(g)->text);
    r.n_out = rheo_node_of(g, y)->n_out;
    for (int k = 0; k < r.n_out; k++) {
        const rheo_spec spec = rheo_spec_of(g, rheo_output(y, k));
        r.count[k] = rheo_count(spec.shape);
        to[k] = test_storage(s, spec.type, r.count[k], NULL);
        rheo_assign(g, rheo_window(g, to[k], 0, spec.shape), rheo_output(y, k));
    }
    test_run_with(g, s, options);
    for (int k = 0; k < r.n_out; k++) {
        r.out[k] = new_values(r.count[k]);
        test_read(s, to[k], r.out[k]);
    }
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    return r;
}

void test_result_free(test_result *r)
{
    for (int k = 0; k < r->n_out; k++) free(r->out[k]);
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
