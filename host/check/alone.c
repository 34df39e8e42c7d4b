#include "check/alone.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "check/contents.h"
#include "op/ops.h"

#define ROUND_SECONDS 0.005 /* runs queued together, so that waiting for the device counts little */
enum { SEEN_MOST = 512 };

/* Numbers without a pattern, between shift - scale and shift + scale, or a permutation; zeros as integers, which are indices. */
static rheo_status fill(rheo_state *state, int storage, rheo_spec spec, rheo_sample_fill as, uint32_t seed, rheo_error *err)
{
    const int64_t count = rheo_count(spec.shape);
    const float scale = as.scale > 0 ? (float)as.scale : 1;
    uint32_t h = seed * 2654435761u + 1;
    if (spec.type != RHEO_F32) return RHEO_OK;
    float *x = malloc((size_t)count * sizeof *x);
    double *exact = as.permutation ? malloc((size_t)count * sizeof *exact) : NULL;
    rheo_status st = x && (exact || !as.permutation) ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st && exact) rheo_sample_contents(as, spec.shape, seed, exact);
    for (int64_t i = 0; i < count && !st; i++) {
        h ^= h << 13, h ^= h >> 17, h ^= h << 5; /* Marsaglia 2003, xorshift */
        x[i] = exact ? (float)exact[i] : (float)(int32_t)h * 0x1p-31f * scale + (float)as.shift;
    }
    if (!st) st = rheo_state_write(state, storage, 0, count, x, err);
    free(exact);
    free(x);
    return st;
}

int64_t rheo_outputs(const rheo_node *n)
{
    int64_t count = 0;
    for (int k = 0; k < n->n_out; k++) count += rheo_count(n->out[k].shape);
    return count;
}

rheo_cost rheo_cost_of(const rheo_node *n)
{
    if (n->op->cost) return n->op->cost(n);
    double moved = 4.0 * (double)rheo_outputs(n);
    for (int i = 0; i < n->n_in; i++) moved += 4.0 * (double)rheo_count(n->in_spec[i].shape);
    return (rheo_cost){ (double)rheo_outputs(n), moved };
}

void rheo_alone_free(rheo_alone *b)
{
    rheo_graph_destroy(b->graph);
    rheo_state_destroy(b->state);
}

rheo_status rheo_alone_declare(rheo_device *dev, const rheo_op *op, int n_in, const rheo_spec *specs, const void *attr, size_t attr_bytes,
                               rheo_alone *b, rheo_error *err)
{
    *b = (rheo_alone){ .dev = dev, .state = rheo_state_create() };
    rheo_status st = b->state ? rheo_state_bind(b->state, dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (st) return st;
    b->graph = rheo_graph_create(b->state, &rheo_op_arithmetic);
    rheo_value *in = calloc((size_t)n_in + 1, sizeof *in);
    if (!b->graph || !in) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int i = 0; i < n_in && !st; i++) {
        const int storage = rheo_storage_add(b->state, "input", specs[i].type, rheo_count(specs[i].shape));
        if (storage < 0) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        if (!st) in[i] = rheo_window(b->graph, storage, 0, specs[i].shape);
    }
    const rheo_value y = st ? RHEO_NONE : rheo_apply(b->graph, op, n_in, in, attr, attr_bytes);
    free(in);
    if (!st && rheo_is_none(y)) st = rheo_fail(err, rheo_graph_error(b->graph)->status, "%s", rheo_graph_error(b->graph)->text);
    if (st) return st;
    b->node = rheo_node_of(b->graph, y);
    for (int k = 0; k < b->node->n_out && !st; k++) {
        const rheo_spec spec = b->node->out[k];
        b->out[k] = rheo_storage_add(b->state, "output", spec.type, rheo_count(spec.shape));
        if (b->out[k] < 0) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        else rheo_assign(b->graph, rheo_window(b->graph, b->out[k], 0, spec.shape), rheo_output(y, k));
    }
    return st;
}

rheo_status rheo_alone_create(rheo_device *dev, const rheo_node *n, rheo_alone *b, rheo_error *err)
{
    rheo_status st = rheo_alone_declare(dev, n->op, n->n_in, n->in_spec, n->attr, n->attr_bytes, b, err);
    for (int i = 0; i < n->n_in && !st; i++) {
        const bool known = n->op->n_samples && i < n->op->samples[0].n_in;
        st = fill(b->state, i, n->in_spec[i], known ? n->op->samples[0].fill[i] : (rheo_sample_fill){ 0 }, (uint32_t)i + 1, err);
    }
    return st;
}

rheo_status rheo_alone_of_sample(rheo_device *dev, const rheo_op *op, const rheo_op_sample *sample, uint64_t seed, rheo_alone *b,
                                 rheo_error *err)
{
    rheo_status st = rheo_alone_declare(dev, op, sample->n_in, sample->in, sample->attr, sample->attr_bytes, b, err);
    for (int i = 0; i < sample->n_in && !st; i++) {
        double *contents = malloc((size_t)rheo_count(sample->in[i].shape) * sizeof *contents);
        if (!contents) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
        rheo_sample_contents(sample->fill[i], sample->in[i].shape, seed + (uint64_t)i, contents);
        st = rheo_contents_write(b->state, i, contents, err);
        free(contents);
    }
    return st;
}

/* What is left unwritten must show: on a device outputs are NaN before the run. */
rheo_status rheo_alone_run(const rheo_alone *b, rheo_plan *plan, double *results, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < b->node->n_out && !st && b->dev; k++) {
        cl_mem buffer = NULL;
        st = rheo_state_buffer(b->state, b->out[k], &buffer, err);
        if (!st) st = rheo_fill(b->dev, buffer, 0, (size_t)rheo_count(b->node->out[k].shape) * 4, 0x7fc00000u, err);
    }
    if (!st) st = rheo_plan_run(plan, err);
    for (int k = 0; k < b->node->n_out && !st; k++) {
        st = rheo_contents_read(b->state, b->out[k], results, err);
        results += rheo_count(b->node->out[k].shape);
    }
    return st;
}

static rheo_status time_runs(const rheo_alone *b, rheo_plan *plan, int runs, double *seconds, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    const double start = rheo_seconds();
    for (int k = 0; k < runs && !st; k++) st = rheo_plan_run(plan, err);
    if (!st) st = rheo_finish(b->dev, err);
    *seconds = (rheo_seconds() - start) / runs;
    return st;
}

static int shortest_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

rheo_status rheo_alone_time(const rheo_alone *b, rheo_plan *plan, double most, rheo_timing *out, rheo_error *err)
{
    double seen[SEEN_MOST], now = INFINITY;
    int runs = 1, count = 0;
    rheo_status st = time_runs(b, plan, 1, &now, err);       /* compiles */
    const double start = rheo_seconds();
    if (!st) st = time_runs(b, plan, 1, &now, err);
    while (!st && now * runs < ROUND_SECONDS) st = time_runs(b, plan, runs *= 2, &now, err);
    if (st) return st;
    seen[count++] = now;
    while (!st && count < SEEN_MOST && rheo_seconds() - start < most) st = time_runs(b, plan, runs, &seen[count++], err);
    qsort(seen, (size_t)count, sizeof *seen, shortest_first);
    *out = (rheo_timing){ seen[0], seen[count / 2] };
    return st;
}
