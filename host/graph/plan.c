#include "graph/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/executor.h"
#include "graph/rewrite.h"

struct rheo_plan {
    rheo_graph *graph;          /* rewritten; owned */
    rheo_state *state;
    rheo_layout layout;
    rheo_device_program *program;       /* NULL: the host executor runs the graph itself */
};

/* Nodes that rewriting left without readers have no say in it. *off: some of the others are switched off. */
static rheo_status pick_variants(rheo_graph *g, rheo_choices *choices, const rheo_device_facts *dev, bool *off, rheo_error *err)
{
    bool *live = rheo_live_nodes(g);
    rheo_status st = live ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    *off = false;
    for (int k = 0; !st && k < g->n_nodes; k++) {
        if (!live[k]) continue;
        st = rheo_choices_pick(choices, g->nodes[k], dev, err);
        *off = *off || g->nodes[k]->variant == RHEO_SWITCHED_OFF;
    }
    free(live);
    return st;
}

static rheo_status rewrite(rheo_graph *g, const rheo_rule *const *rules, rheo_graph **out, rheo_error *err)
{
    rheo_error own = RHEO_ERROR_INIT;
    *out = rheo_graph_rewritten(g, rules, &own);
    return *out ? RHEO_OK : rheo_fail(err, own.status, "%s", own.text);
}

/* Expansions may hold what is switched off as well. */
static rheo_status choose(rheo_graph **graph, rheo_choices *choices, const rheo_device_facts *dev, rheo_error *err)
{
    bool off = false;
    rheo_status st = pick_variants(*graph, choices, dev, &off, err);
    while (off && !st) {
        rheo_graph *fused = *graph;
        st = rewrite(fused, NULL, graph, err);
        rheo_graph_destroy(fused);
        if (!st) st = pick_variants(*graph, choices, dev, &off, err);
    }
    return st;
}

static rheo_status prepare(rheo_graph *g, const rheo_plan_options *options, const rheo_device_facts *dev, rheo_graph **graph,
                           rheo_layout *layout, rheo_error *err)
{
    static const rheo_plan_options plain;
    if (!options) options = &plain;
    if (g->error.status) return rheo_fail(err, g->error.status, "%s", g->error.text);
    rheo_choices none = { 0 };
    rheo_status st = rewrite(g, options->rules, graph, err);
    if (!st && dev) st = choose(graph, options->choices ? options->choices : &none, dev, err);
    rheo_choices_free(&none);
    return st ? st : rheo_layout_make(*graph, dev, options->separate_buffers, layout, err);
}

static rheo_plan_stats stats_of(const rheo_layout *l)
{
    rheo_plan_stats s = { .nodes = l->n_order };
    for (int k = 0; k < l->n_arenas; k++) s.arena_bytes += l->arena_bytes[k];
    return s;
}

rheo_status rheo_plan_create(rheo_graph *g, rheo_state *state, const rheo_plan_options *options, rheo_plan **out, rheo_error *err)
{
    rheo_device *dev = rheo_state_device(state);
    rheo_status st = RHEO_ENOMEM;
    rheo_plan *p = calloc(1, sizeof *p);
    if (!p) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    p->state = state;
    st = prepare(g, options, dev ? rheo_device_facts_of(dev) : NULL, &p->graph, &p->layout, err);
    if (!st && options && options->trial)
        *options->trial += stats_of(&p->layout).arena_bytes;
    else if (!st && dev)
        st = rheo_device_program_create(p->graph, &p->layout, state, options && options->separate_buffers, &p->program, err);
    if (!st) {
        *out = p;
        p = NULL;
    }
    rheo_plan_destroy(p);
    return st;
}

void rheo_plan_destroy(rheo_plan *p)
{
    if (!p) return;
    rheo_device_program_destroy(p->program);
    rheo_layout_free(&p->layout);
    rheo_graph_destroy(p->graph);
    free(p);
}

rheo_status rheo_plan_run(rheo_plan *p, rheo_error *err)
{
    return p->program ? rheo_device_program_run(p->program, err) : rheo_host_run(p->graph, &p->layout, p->state, err);
}

rheo_plan_stats rheo_plan_stats_of(const rheo_plan *p)
{
    rheo_plan_stats s = stats_of(&p->layout);
    if (p->program) s.launches = rheo_device_program_launches(p->program);
    return s;
}

const rheo_node *rheo_plan_node(const rheo_plan *p, int k)
{
    return k < p->layout.n_order ? p->graph->nodes[p->layout.order[k]] : NULL;
}

int rheo_plan_count_op(const rheo_plan *p, const char *op_name)
{
    int count = 0;
    for (int k = 0; k < p->layout.n_order; k++) count += strcmp(p->graph->nodes[p->layout.order[k]]->op->name, op_name) == 0;
    return count;
}

rheo_status rheo_plan_find_nonfinite(rheo_plan *p, char *where, size_t where_bytes, rheo_error *err)
{
    int node = -1;
    int64_t sample = 0;
    where[0] = '\0';
    if (!p->program) return RHEO_OK;
    const rheo_status st = rheo_device_program_find_nonfinite(p->program, &node, &sample, err);
    if (st || node < 0) return st;
    const rheo_node *n = p->graph->nodes[node];
    snprintf(where, where_bytes, "%s%s%s, sample %lld", n->scope, *n->scope ? ": " : "", n->op->name, (long long)sample);
    return RHEO_OK;
}

static int dearest_first(const void *a, const void *b)
{
    const double x = ((const rheo_op_time *)a)->seconds, y = ((const rheo_op_time *)b)->seconds;
    return (x < y) - (x > y);
}

rheo_status rheo_plan_profile(rheo_plan *p, rheo_op_time **out, int *count, rheo_error *err)
{
    if (!p->program) return rheo_fail(err, RHEO_EINVAL, "profile: the host executor has no launches");
    const size_t n = (size_t)p->graph->n_nodes + 1;
    rheo_op_time *times = calloc(n, sizeof *times);
    double *seconds = calloc(n, sizeof *seconds);
    int *launches = calloc(n, sizeof *launches);
    rheo_status st = RHEO_OK;
    if (!times || !seconds || !launches) st = rheo_fail(err, RHEO_ENOMEM, "profile: out of memory");
    if (!st) st = rheo_device_program_profile(p->program, seconds, launches, err);
    if (!st) {
        *count = 0;
        for (int i = 0; i < p->graph->n_nodes; i++) {
            if (!launches[i]) continue;
            int k = 0;
            while (k < *count && strcmp(times[k].op, p->graph->nodes[i]->op->name) != 0) k++;
            if (k == *count) times[(*count)++].op = p->graph->nodes[i]->op->name;
            times[k].seconds += seconds[i];
            times[k].launches += launches[i];
            times[k].nodes++;
        }
        qsort(times, (size_t)*count, sizeof *times, dearest_first);
        *out = times;
        times = NULL;
    }
    free(times);
    free(seconds);
    free(launches);
    return st;
}

rheo_status rheo_plan_measure(rheo_graph *g, const rheo_plan_options *options, const rheo_device_facts *dev, rheo_plan_stats *out,
                              rheo_error *err)
{
    rheo_graph *graph = NULL;
    rheo_layout layout = { 0 };
    const rheo_status st = prepare(g, options, dev, &graph, &layout, err);
    if (!st) *out = stats_of(&layout);
    rheo_layout_free(&layout);
    rheo_graph_destroy(graph);
    return st;
}
