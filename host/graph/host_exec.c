/* The host executor: any graph through the ops' references in double. The oracle of the tests; needs no OpenCL. */
#include <stdlib.h>
#include <string.h>

#include "graph/executor.h"

typedef struct rheo_host_run_state {
    const rheo_graph *g;
    rheo_state *state;
    double **value;             /* [slot] */
    bool *owned;                /* [slot]: to be freed */
} rheo_host_run_state;

static rheo_status no_memory(rheo_error *err) { return rheo_fail(err, RHEO_ENOMEM, "host executor: out of memory"); }

static rheo_status read_literal(rheo_host_run_state *r, const rheo_node *n, rheo_error *err)
{
    const int64_t count = rheo_count(n->out[0].shape);
    double *v = malloc((size_t)count * sizeof *v);
    if (!v) return no_memory(err);
    for (int64_t i = 0; i < count; i++)
        v[i] = n->out[0].type == RHEO_F32 ? (double)((const float *)n->attr)[i] : (double)((const uint32_t *)n->attr)[i];
    r->value[n->id * RHEO_MAX_OUT] = v;
    r->owned[n->id * RHEO_MAX_OUT] = true;
    return RHEO_OK;
}

static rheo_status run_node(rheo_host_run_state *r, const rheo_node *n, rheo_error *err)
{
    const int first = n->id * RHEO_MAX_OUT;
    const rheo_window_attr *w = rheo_window_of(n);
    if (w) {
        double *base = NULL;
        const rheo_status st = rheo_state_values(r->state, w->storage, &base, err);
        if (!st) r->value[first] = base + w->offset;
        return st;
    }
    if (n->op->flags & RHEO_OP_LITERAL) return read_literal(r, n, err);
    if (n->op->flags & RHEO_OP_ALIAS) {
        r->value[first] = r->value[rheo_slot_of(n->in[0])];
        return RHEO_OK;
    }
    const double **in = calloc((size_t)n->n_in + 1, sizeof *in);
    double *out[RHEO_MAX_OUT] = { NULL };
    if (!in) return no_memory(err);
    for (int i = 0; i < n->n_in; i++) in[i] = r->value[rheo_slot_of(n->in[i])];
    rheo_status st = RHEO_OK;
    for (int k = 0; k < n->n_out && !st; k++) {
        out[k] = r->value[first + k] = calloc((size_t)rheo_count(n->out[k].shape), sizeof(double));
        r->owned[first + k] = true;
        if (!out[k]) st = no_memory(err);
    }
    if (!st) n->op->reference(n, in, out);
    free(in);
    return st;
}

static void free_dead(rheo_host_run_state *r, const rheo_layout *l, const rheo_node *n)
{
    for (int k = 0; k < n->n_in + n->n_out; k++) {
        const int s = k < n->n_in ? rheo_slot_of(n->in[k]) : n->id * RHEO_MAX_OUT + k - n->n_in;
        if (!r->owned[s] || l->death[s] > n->id) continue;
        free(r->value[s]);
        r->owned[s] = false;
        r->value[s] = NULL;
    }
}

/* All values are read before any storage is written. */
static rheo_status do_assigns(rheo_host_run_state *r, rheo_error *err)
{
    const rheo_graph *g = r->g;
    rheo_status st = RHEO_OK;
    double **staged = calloc((size_t)g->n_assigns + 1, sizeof *staged);
    if (!staged) return no_memory(err);
    for (int k = 0; k < g->n_assigns && !st; k++) {
        const size_t bytes = (size_t)rheo_count(rheo_shape_of(g, g->assigns[k].value)) * sizeof(double);
        staged[k] = malloc(bytes);
        if (!staged[k]) st = no_memory(err);
        else memcpy(staged[k], r->value[rheo_slot_of(g->assigns[k].value)], bytes);
    }
    for (int k = 0; k < g->n_assigns && !st; k++)
        memcpy(r->value[rheo_slot_of(g->assigns[k].window)], staged[k],
               (size_t)rheo_count(rheo_shape_of(g, g->assigns[k].value)) * sizeof(double));
    for (int k = 0; k < g->n_assigns; k++) free(staged[k]);
    free(staged);
    return st;
}

rheo_status rheo_host_run(rheo_graph *g, const rheo_layout *layout, rheo_state *state, rheo_error *err)
{
    const size_t slots = (size_t)g->n_nodes * RHEO_MAX_OUT + 1;
    rheo_status st = RHEO_OK;
    rheo_host_run_state r = { .g = g, .state = state };
    r.value = calloc(slots, sizeof *r.value);
    r.owned = calloc(slots, sizeof *r.owned);
    if (!r.value || !r.owned) st = no_memory(err);
    for (int k = 0; k < layout->n_order && !st; k++) {
        const rheo_node *n = g->nodes[layout->order[k]];
        st = run_node(&r, n, err);
        if (!st) free_dead(&r, layout, n);
    }
    if (!st) st = do_assigns(&r, err);
    for (size_t s = 0; r.value && r.owned && s < slots; s++)
        if (r.owned[s]) free(r.value[s]);
    free(r.value);
    free(r.owned);
    return st;
}
