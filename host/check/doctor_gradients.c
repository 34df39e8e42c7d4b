/* The doctor's look at gradients: those of each operation, which consist of other operations, on the device and in double. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/doctor.h"
#include "graph/internal.h"
#include "graph/plan.h"
#include "op/table.h"

/* L = sum over outputs k of <y_k, u_k>, u normal, and its gradients with respect to the inputs. */
typedef struct gradient {
    rheo_state *state;
    rheo_graph *graph;
    rheo_plan *plan;
    int n, to[RHEO_SAMPLE_IN];   /* gradients, and their storages */
    int64_t count[RHEO_SAMPLE_IN];
    double *value[RHEO_SAMPLE_IN];
} gradient;

static void gradient_free(gradient *b)
{
    for (int i = 0; i < b->n; i++) free(b->value[i]);
    rheo_plan_destroy(b->plan);
    rheo_graph_destroy(b->graph);
    rheo_state_destroy(b->state);
}

/* A window on normals; `noise` is how far each is off, as a part of it. */
static rheo_value filled(gradient *b, rheo_spec spec, rheo_sample_fill fill, uint64_t seed, double noise, rheo_error *err)
{
    const int64_t count = rheo_count(spec.shape);
    const int storage = rheo_storage_add(b->state, "input", spec.type, count);
    double *contents = malloc(2 * (size_t)count * sizeof *contents + 1), *off = contents + count;
    rheo_status st = storage < 0 || !contents ? rheo_fail(err, RHEO_ENOMEM, "out of memory") : RHEO_OK;
    if (!st) rheo_sample_contents(fill, spec.shape, seed, contents);
    if (!st && noise > 0 && spec.type == RHEO_F32 && !fill.permutation) {
        rheo_sample_contents((rheo_sample_fill){ 0 }, spec.shape, seed + 500, off);
        for (int64_t i = 0; i < count; i++) contents[i] *= 1 + copysign(noise, off[i]);
    }
    if (!st) st = rheo_contents_write(b->state, storage, contents, err);
    free(contents);
    return st ? RHEO_NONE : rheo_window(b->graph, storage, 0, spec.shape);
}

static bool is_variable(const rheo_op_sample *s, int i)
{
    return s->in[i].type == RHEO_F32 && !s->fill[i].permutation && !s->fill[i].fixed;
}

static rheo_status build(gradient *b, const rheo_op *op, const rheo_op_sample *s, double noise, rheo_error *err)
{
    rheo_value in[RHEO_SAMPLE_IN], x[RHEO_SAMPLE_IN], d[RHEO_SAMPLE_IN], u[RHEO_MAX_OUT], y[RHEO_MAX_OUT];
    int n_y = 0, n_x = 0;
    for (int i = 0; i < s->n_in; i++) {
        in[i] = filled(b, s->in[i], s->fill[i], 1 + (uint64_t)i, noise, err);
        if (is_variable(s, i)) x[n_x++] = in[i];
    }
    const rheo_value first = rheo_apply(b->graph, op, s->n_in, in, s->attr, s->attr_bytes);
    for (int k = 0; !rheo_is_none(first) && k < rheo_node_of(b->graph, first)->n_out; k++) {
        const rheo_spec spec = rheo_spec_of(b->graph, rheo_output(first, k));
        if (spec.type != RHEO_F32) continue;
        y[n_y] = rheo_output(first, k);
        u[n_y++] = filled(b, spec, (rheo_sample_fill){ 0 }, 50 + (uint64_t)k, noise, err);
    }
    rheo_gradients(b->graph, n_y, y, u, n_x, x, d);
    for (int i = 0; i < n_x; i++) {
        const rheo_shape shape = rheo_shape_of(b->graph, x[i]);
        b->count[i] = rheo_count(shape);
        b->to[i] = rheo_storage_add(b->state, "gradient", RHEO_F32, b->count[i]);
        b->value[i] = malloc((size_t)b->count[i] * sizeof(double) + 1);
        b->n = i + 1;
        if (b->to[i] < 0 || !b->value[i]) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
        rheo_assign(b->graph, rheo_window(b->graph, b->to[i], 0, shape), d[i]);
    }
    return err->status;
}

static rheo_status evaluate(rheo_device *dev, rheo_choices *choices, const rheo_op *op, const rheo_op_sample *s, double noise, gradient *b,
                            rheo_error *err)
{
    const rheo_plan_options options = { .choices = choices };
    *b = (gradient){ .state = rheo_state_create() };
    rheo_status st = b->state ? rheo_state_bind(b->state, dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st && !(b->graph = rheo_graph_create(b->state, &rheo_op_arithmetic))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = build(b, op, s, noise, err);
    if (!st) st = rheo_plan_create(b->graph, b->state, &options, &b->plan, err);
    if (!st) st = rheo_plan_run(b->plan, err);
    for (int i = 0; i < b->n && !st; i++) st = rheo_contents_read(b->state, b->to[i], b->value[i], err);
    return st;
}

/* The sum of the tolerances of the operations that it is made of: as many roundings, of eps each, as there can be between input and
 * gradient. */
static double roundings(const gradient *b)
{
    const rheo_node *n;
    double sum = 0;
    for (int k = 0; (n = rheo_plan_node(b->plan, k)) != NULL; k++) sum += n->op->launch ? n->op->tolerance : 0;
    return sum;
}

/* What each rounding does to the gradient is what a change of the inputs by eps does, which is measured: in double, with inputs all eps
 * off. To the results themselves it adds eps of the largest. */
static void compare(rheo_finding *f, int sample, const gradient *got, const gradient *exact, const gradient *off)
{
    const double k = roundings(got);
    for (int i = 0; i < got->n; i++) {
        char what[64];
        double scale = 0, moved = 0;
        for (int64_t j = 0; j < exact->count[i]; j++) {
            scale = fmax(scale, fabs(exact->value[i][j]));
            moved = fmax(moved, fabs(exact->value[i][j] - off->value[i][j]));
        }
        snprintf(what, sizeof what, "sample %d, gradient %d", sample, i);
        const double tolerance = scale > 0 ? k * (FLT_EPSILON + moved / scale) : 0;
        const rheo_difference d = rheo_compare(got->count[i], got->value[i], exact->value[i], tolerance);
        rheo_find_difference(f, &d, got->count[i], what);
    }
}

static rheo_status check_sample(rheo_checkup *c, const rheo_op *op, int sample, rheo_finding *f, rheo_error *err)
{
    const rheo_op_sample *s = &op->samples[sample];
    gradient got = { 0 }, exact = { 0 }, off = { 0 };
    rheo_choices choices = { 0 };
    rheo_faults_recall(&choices.faults, c->dev);
    rheo_status st = evaluate(NULL, NULL, op, s, 0, &exact, err);
    if (!st) st = evaluate(NULL, NULL, op, s, FLT_EPSILON, &off, err);
    if (!st) st = evaluate(c->dev, &choices, op, s, 0, &got, err);
    if (!st) compare(f, sample, &got, &exact, &off);
    gradient_free(&got);
    gradient_free(&exact);
    gradient_free(&off);
    rheo_choices_free(&choices);
    return st;
}

static rheo_status check_gradient(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < check->op->n_samples && !st; k++) {
        const rheo_op_sample *s = &check->op->samples[k];
        bool has = false;
        for (int i = 0; i < s->n_in; i++) has = has || is_variable(s, i);
        if (has && (!c->options->quick || rheo_sample_is_small(s))) st = check_sample(c, check->op, k, f, err);
    }
    return st;
}

rheo_status rheo_check_gradients(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    for (int o = 0; o < rheo_op_count; o++) {
        const rheo_op *op = rheo_ops[o];
        if (op->flags & RHEO_OP_NO_GRADIENT || !(op->gradient || op->expand) || !op->n_samples) continue;
        if (c->options->op && strcmp(op->name, c->options->op)) continue;
        if (!rheo_check_add(l, &(rheo_check){ .run = check_gradient, .op = op, .variant = -1 }, "gradient %s", op->name))
            return rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
    }
    return RHEO_OK;
}
