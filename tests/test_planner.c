/* Where values lie: no two that live at once share memory, arenas stay within the largest buffer, packs are written in place, and
 * every layout gives the same numbers. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "graph/executor.h"
#include "model/glow.h"
#include "op/rules.h"
#include "support.h"

/* ---- a Glow's gradient --------------------------------------------------------------------------------------- */

typedef struct fixture {
    rheo_model *model;
    rheo_state *state;
    int theta, fixed, x, key, gradient;
    rheo_graph *g;
} fixture;

enum { BATCH = 3 };

static fixture make(rheo_device *dev, bool invert)
{
    const rheo_data_shape data = { 8, 8, 1, true };
    const rheo_shape batch = { BATCH, data.h, data.w, data.c };
    fixture f = { .state = rheo_state_create() };
    rheo_error err = RHEO_ERROR_INIT;
    cJSON *config = cJSON_Parse("{\"levels\":2,\"depth\":2,\"width\":6}");
    double x[BATCH * 64];
    rheo_build b;
    ASSERT_OK(rheo_model_glow.create(config, data, 7, &f.model, &err));
    cJSON_Delete(config);
    const rheo_params *p = f.model->params;
    ASSERT_OK(rheo_state_bind(f.state, dev, &err));
    ASSERT_OK(rheo_params_declare(p, f.state, &f.theta, &f.fixed, &err));
    ASSERT_OK(rheo_params_write_initial(p, f.state, f.theta, f.fixed, 7, &err));
    test_fill((rheo_sample_fill){ .below = 256 }, batch, 5, x);
    f.x = test_storage(f.state, RHEO_F32, rheo_count(batch), x);
    f.key = test_storage(f.state, RHEO_U32, 4, NULL);
    f.gradient = test_storage(f.state, RHEO_F32, rheo_params_flat(p, true), NULL);

    f.g = rheo_graph_create(f.state, &rheo_op_arithmetic);
    ASSERT_OK(rheo_build_init(&b, f.g, p, f.theta, f.fixed, &err));
    b.invert = invert;
    const rheo_value loss = rheo_model_glow.loss(&b, f.model, rheo_window(f.g, f.x, 0, batch), rheo_window(f.g, f.key, 0, rheo_vector(4)));
    const rheo_value mean = rheo_mean(f.g, loss, RHEO_AXIS_N), packed = test_packed_gradient(&b, mean);
    /* Doubled, so that the pack itself stays in the arena. */
    rheo_assign(f.g, rheo_window(f.g, f.gradient, 0, rheo_shape_of(f.g, packed)), rheo_affine(f.g, packed, 2, 0));
    rheo_build_finish(&b);
    return f;
}

static void finish(fixture *f)
{
    rheo_graph_destroy(f->g);
    rheo_state_destroy(f->state);
    rheo_model_glow.destroy(f->model);
}

/* ---- nothing overlaps ---------------------------------------------------------------------------------------------- */

/* Memory at a place in use from node `from` to node `to`; value -1 for a workspace. */
typedef struct span {
    rheo_place place;
    int32_t from, to, node;
} span;

static bool is_input(const rheo_node *pack, const rheo_graph *g, int32_t node)
{
    for (int i = 0; i < pack->n_in; i++) {
        const rheo_node *n = g->nodes[pack->in[i].node];
        while (n->op->flags & RHEO_OP_ALIAS) n = g->nodes[n->in[0].node];
        if (n->id == node) return true;
    }
    return false;
}

/* A pack and what is computed inside it meet at the pack's own node. */
static bool meet_in_pack(const rheo_graph *g, const span *a, const span *b)
{
    const rheo_node *x = g->nodes[a->node], *y = g->nodes[b->node];
    return (y->op->flags & RHEO_OP_PACK && is_input(y, g, a->node)) || (x->op->flags & RHEO_OP_PACK && is_input(x, g, b->node));
}

static void expect_sound(const rheo_graph *g, const rheo_layout *l, size_t largest)
{
    span *spans = malloc((size_t)g->n_nodes * (RHEO_MAX_OUT + 1) * sizeof *spans);
    int n = 0;
    for (int k = 0; k < l->n_order; k++) {
        const rheo_node *node = g->nodes[l->order[k]];
        for (int o = 0; o < node->n_out && !(node->op->flags & RHEO_OP_ALIAS); o++) {
            const int s = node->id * RHEO_MAX_OUT + o;
            if (l->place[s].kind != RHEO_IN_ARENA) continue;
            cr_assert_eq(l->place[s].bytes, rheo_bytes(node->out[o].shape));
            spans[n++] = (span){ l->place[s], node->id, l->death[s], node->id };
        }
        if (l->work[node->id].bytes) spans[n++] = (span){ l->work[node->id], node->id, node->id, node->id };
    }
    for (int i = 0; i < n; i++) {
        const rheo_place *p = &spans[i].place;
        cr_assert(p->index < l->n_arenas && p->offset + p->bytes <= l->arena_bytes[p->index] && l->arena_bytes[p->index] <= largest);
        for (int j = 0; j < i; j++) {
            const rheo_place *q = &spans[j].place;
            const bool apart = p->index != q->index || p->offset + p->bytes <= q->offset || q->offset + q->bytes <= p->offset;
            const bool together = spans[i].from <= spans[j].to && spans[j].from <= spans[i].to;
            cr_assert(apart || !together || meet_in_pack(g, &spans[i], &spans[j]), "%s (node %d) and %s (node %d) share memory",
                      g->nodes[spans[i].node]->op->name, spans[i].node, g->nodes[spans[j].node]->op->name, spans[j].node);
        }
    }
    free(spans);
}

static rheo_layout layout_within(rheo_graph *g, rheo_device *dev, size_t largest)
{
    rheo_device_facts facts = *rheo_device_facts_of(dev);
    rheo_layout l;
    rheo_error err = RHEO_ERROR_INIT;
    facts.largest_buffer_bytes = largest;
    ASSERT_OK(rheo_layout_make(g, &facts, false, &l, &err));
    return l;
}

/* Runs g under a layout; the gradient it leaves. */
static double *gradient_under(fixture *f, const rheo_layout *l, bool separate)
{
    rheo_device_program *p = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_device_program_create(f->g, l, f->state, separate, &p, &err));
    ASSERT_OK(rheo_device_program_run(p, &err));
    double *out = malloc((size_t)rheo_storage_at(f->state, f->gradient)->count * sizeof *out);
    test_read(f->state, f->gradient, out);
    rheo_device_program_destroy(p);
    return out;
}

static void expect_same(fixture *f, const double *a, const double *b, const char *what)
{
    for (int64_t i = 0; i < rheo_storage_at(f->state, f->gradient)->count; i++)
        cr_assert(a[i] == b[i], "%s: %lld: %.9g and %.9g", what, (long long)i, a[i], b[i]);
}

Test(planner, one_arena_several_and_separate_buffers_give_the_same_bits)
{
    rheo_device *dev = test_device();
    for (int invert = 0; invert < 2; invert++) {
        fixture f = make(dev, invert);
        rheo_error err = RHEO_ERROR_INIT;
        rheo_layout one = layout_within(f.g, dev, (size_t)1 << 30), separate;
        size_t tensor = 0;
        for (int s = 0; s < f.g->n_nodes * RHEO_MAX_OUT; s++)
            if (one.place[s].kind == RHEO_IN_ARENA && one.place[s].bytes > tensor) tensor = one.place[s].bytes;
        rheo_layout several = layout_within(f.g, dev, tensor + 1024);
        ASSERT_OK(rheo_layout_make(f.g, rheo_device_facts_of(dev), true, &separate, &err));
        cr_assert_eq(one.n_arenas, 1);
        cr_assert_geq(several.n_arenas, 2, "%d", several.n_arenas);
        cr_assert_gt(separate.n_arenas, 100);
        expect_sound(f.g, &one, (size_t)1 << 30);
        expect_sound(f.g, &several, tensor + 1024);
        expect_sound(f.g, &separate, tensor + 1024);
        double *a = gradient_under(&f, &one, false), *b = gradient_under(&f, &several, false), *c = gradient_under(&f, &separate, true);
        expect_same(&f, a, b, "several arenas");
        expect_same(&f, a, c, "separate buffers");
        free(a), free(b), free(c);
        rheo_layout_free(&one);
        rheo_layout_free(&several);
        rheo_layout_free(&separate);
        finish(&f);
    }
    rheo_device_close(dev);
}

/* ---- sizes ---------------------------------------------------------------------------------------------------------------- */

Test(planner, measuring_equals_planning_and_respects_the_largest_buffer)
{
    rheo_device *dev = test_device();
    fixture f = make(dev, false);
    rheo_device_facts facts = *rheo_device_facts_of(dev);
    const rheo_plan_options fused = { .rules = rheo_rules };
    rheo_plan_stats measured, small;
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_plan_measure(f.g, &fused, &facts, &measured, &err));
    ASSERT_OK(rheo_plan_create(f.g, f.state, &fused, &plan, &err));
    cr_assert_eq(measured.arena_bytes, rheo_plan_stats_of(plan).arena_bytes);
    cr_assert_eq(measured.nodes, rheo_plan_stats_of(plan).nodes);
    facts.largest_buffer_bytes = (uint64_t)rheo_params_flat(f.model->params, true) * 4;      /* the packed gradient just fits */
    ASSERT_OK(rheo_plan_measure(f.g, &fused, &facts, &small, &err));
    cr_assert_gt(small.arena_bytes, facts.largest_buffer_bytes);
    rheo_plan_destroy(plan);
    finish(&f);
    rheo_device_close(dev);
}

/* A message names the layer and op, or the storage, with both sizes. */
Test(planner, what_fits_no_buffer_is_refused)
{
    rheo_device *dev = test_device();
    rheo_device_facts facts = *rheo_device_facts_of(dev);
    rheo_state *s = rheo_state_create();
    rheo_plan_stats stats;
    rheo_error err = RHEO_ERROR_INIT;
    facts.largest_buffer_bytes = 16384;
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_shape half = { 1, 32, 32, 3 }, shape = { 2, 32, 32, 3 };
    const rheo_value x = rheo_window(g, rheo_storage_add(s, "x", RHEO_F32, rheo_count(half)), 0, half);
    rheo_name_scope(g, "level0.step1.actnorm");
    const rheo_value sum = rheo_sum(g, rheo_broadcast(g, x, shape), RHEO_AXIS_N | RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C);
    rheo_assign(g, rheo_window(g, rheo_storage_add(s, "y", RHEO_F32, 1), 0, RHEO_SHAPE(1, 1, 1, 1)), sum);
    ASSERT_FAILS(rheo_plan_measure(g, NULL, &facts, &stats, &err), RHEO_ENOMEM, "level0.step1.actnorm: broadcast: a tensor of 24576");
    cr_assert(strstr(err.text, "16384"), "%s", err.text);
    facts.largest_buffer_bytes = 8192;
    ASSERT_FAILS(rheo_plan_measure(g, NULL, &facts, &stats, &err), RHEO_ENOMEM, "storage 'x' of 12288");
    facts.largest_buffer_bytes = 24576;
    ASSERT_OK(rheo_plan_measure(g, NULL, &facts, &stats, &err));
    rheo_graph_destroy(g);

    /* On any device: more elements than kernels count. */
    facts.largest_buffer_bytes = UINT64_MAX;
    g = rheo_graph_create(s, &rheo_op_arithmetic);
    const rheo_value z = rheo_window(g, rheo_storage_add(s, "z", RHEO_F32, 1 << 15), 0, RHEO_SHAPE(1, 1, 1, 1 << 15));
    const rheo_value much = rheo_broadcast(g, z, RHEO_SHAPE(1 << 15, 1, 2, 1 << 15));
    rheo_assign(g, rheo_window(g, rheo_storage_add(s, "w", RHEO_F32, 1), 0, RHEO_SHAPE(1, 1, 1, 1)), rheo_sum(g, much, 15));
    ASSERT_FAILS(rheo_plan_measure(g, NULL, &facts, &stats, &err), RHEO_EINVAL, "broadcast: a tensor of 2147483648 elements");
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    rheo_device_close(dev);
}

/* Two parts computed where the pack has them: no copy, and no memory but the pack's. */
Test(planner, a_pack_is_written_by_its_producers)
{
    enum { PART = 1024 };
    rheo_device *dev = test_device();
    rheo_state *s = rheo_state_create();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    double contents[2 * PART], out[2 * PART];
    ASSERT_OK(rheo_state_bind(s, dev, &err));
    for (int i = 0; i < 2 * PART; i++) contents[i] = i;
    const int x = test_storage(s, RHEO_F32, 2 * PART, contents), y = test_storage(s, RHEO_F32, 2 * PART, NULL);
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    rheo_value part[2];
    for (int k = 0; k < 2; k++) part[k] = rheo_affine(g, rheo_window(g, x, k * PART, RHEO_SHAPE(1, 1, PART / 8, 8)), 1, 1);
    const rheo_value pack = rheo_pack(g, 2, part, (const int64_t[]){ 0, PART }, 2 * PART);
    /* Added to what the storage holds, element by element: the sum is written there, the pack itself stays in the arena. */
    const rheo_value total = rheo_window(g, y, 0, rheo_vector(2 * PART));
    rheo_assign(g, total, rheo_add(g, total, pack));
    ASSERT_OK(rheo_plan_create(g, s, NULL, &plan, &err));
    const rheo_plan_stats stats = rheo_plan_stats_of(plan);
    cr_assert_eq(stats.launches, 3, "%d launches", stats.launches);
    cr_assert_eq(stats.arena_bytes, 2 * PART * sizeof(float), "%zu bytes", stats.arena_bytes);
    for (int k = 0; k < 2; k++) ASSERT_OK(rheo_plan_run(plan, &err));
    test_read(s, y, out);
    for (int i = 0; i < 2 * PART; i++) cr_assert_eq(out[i], 2 * (i + 1), "%d: %g", i, out[i]);
    rheo_plan_destroy(plan);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    rheo_device_close(dev);
}

/* A part that is read after the pack: its memory is the pack's, and stays. */
Test(planner, a_pack_lives_as_long_as_its_parts)
{
    enum { PART = 1024 };
    rheo_device *dev = test_device();
    rheo_state *s = rheo_state_create();
    rheo_graph *g = rheo_graph_create(s, &rheo_op_arithmetic);
    const int x = rheo_storage_add(s, "x", RHEO_F32, 2 * PART), y = rheo_storage_add(s, "y", RHEO_F32, 1);
    rheo_value part[2], late;
    for (int k = 0; k < 2; k++) part[k] = rheo_affine(g, rheo_window(g, x, k * PART, rheo_vector(PART)), 1, 1);
    rheo_value sum = rheo_sum(g, rheo_pack(g, 2, part, (const int64_t[]){ 0, PART }, 2 * PART), RHEO_AXIS_C);
    late = rheo_exp(g, rheo_mul(g, sum, rheo_window(g, x, 0, rheo_vector(2 * PART))));
    sum = rheo_add(g, rheo_sum(g, late, RHEO_AXIS_C), rheo_sum(g, part[0], RHEO_AXIS_C));
    rheo_assign(g, rheo_window(g, y, 0, rheo_vector(1)), sum);
    rheo_layout l = layout_within(g, dev, (size_t)1 << 30);
    expect_sound(g, &l, (size_t)1 << 30);
    rheo_layout_free(&l);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    rheo_device_close(dev);
}
