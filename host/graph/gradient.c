/* Reverse-mode differentiation: adds nodes, so a gradient has a gradient.
 *
 * Node ids are a topological order. A walk goes down a range of ids with the adjoints gathered so far; a block applied
 * with `invert` is met at its end and rebuilt from its output in a region of its own (Gomez et al. 2017, section 3.2). */
#include "graph/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct rheo_adjoint {
    rheo_value d[RHEO_MAX_OUT];     /* gradient with respect to each output, RHEO_NONE so far */
    rheo_value rebuilt;             /* output 0 as a later block rebuilt it, RHEO_NONE if none did */
    bool cut[RHEO_MAX_OUT];         /* do not go beyond */
    bool needed;                    /* depends on a cut */
} rheo_adjoint;

typedef struct rheo_walk {
    rheo_graph *g;
    rheo_adjoint *at;               /* [nodes seen so far] */
    int n, capacity;
} rheo_walk;

/* Makes room for, and finds the needs of, nodes up to the graph's present end. */
static bool extend(rheo_walk *w)
{
    rheo_graph *g = w->g;
    if (!rheo_grow((void **)&w->at, &w->capacity, g->n_nodes, sizeof *w->at)) {
        rheo_fail(&g->error, RHEO_ENOMEM, "gradients: out of memory");
        return false;
    }
    for (; w->n < g->n_nodes; w->n++) {
        rheo_adjoint *a = &w->at[w->n];
        const rheo_node *n = g->nodes[w->n];
        memset(a, 0, sizeof *a);
        for (int k = 0; k < RHEO_MAX_OUT; k++) a->d[k] = RHEO_NONE;
        a->rebuilt = RHEO_NONE;
        if (n->op->flags & RHEO_OP_NO_GRADIENT) continue;
        for (int i = 0; i < n->n_in; i++) a->needed |= w->at[n->in[i].node].needed;
    }
    return true;
}

static void cut(rheo_walk *w, rheo_value v)
{
    w->at[v.node].cut[v.out] = true;
    w->at[v.node].needed = true;
}

static void accumulate(rheo_walk *w, rheo_value v, rheo_value d)
{
    rheo_graph *g = w->g;
    if (rheo_is_none(d) || rheo_is_none(v) || g->error.status) return;
    if (!rheo_same_shape(rheo_shape_of(g, v), rheo_shape_of(g, d))) {
        rheo_graph_fail(g, "gradient of %s: shape differs from the value's", g->nodes[v.node]->op->name);
        return;
    }
    rheo_value *sum = &w->at[v.node].d[v.out];
    const rheo_value total = rheo_is_none(*sum) ? d : g->arithmetic.add(g, *sum, d);
    w->at[v.node].d[v.out] = total;
}

static rheo_value or_zeros(rheo_graph *g, rheo_value d, rheo_value of)
{
    return rheo_is_none(d) ? g->arithmetic.constant(g, rheo_shape_of(g, of), 0) : d;
}

/* A fused op without a gradient of its own has that of its expansion. */
static void gradient_of_expansion(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    rheo_value out[RHEO_MAX_OUT], y[RHEO_MAX_OUT], seed[RHEO_MAX_OUT];
    int n_y = 0;
    n->op->expand(g, n, out);
    for (int k = 0; k < n->n_out; k++)
        if (!rheo_is_none(dy[k])) {
            y[n_y] = out[k];
            seed[n_y++] = dy[k];
        }
    if (!g->error.status) rheo_gradients(g, n_y, y, seed, n->n_in, n->in, dx);
    for (int i = 1; i < n->n_in; i++)               /* a value that stands twice has its whole gradient already */
        for (int k = 0; k < i; k++)
            if (n->in[i].node == n->in[k].node && n->in[i].out == n->in[k].out) dx[i] = RHEO_NONE;
}

/* One node's adjoints go to its inputs. */
static void propagate(rheo_walk *w, const rheo_node *n)
{
    rheo_graph *g = w->g;
    const rheo_adjoint *a = &w->at[n->id];
    rheo_value dy[RHEO_MAX_OUT], dx_few[16], *dx = dx_few;
    bool any = false;
    for (int k = 0; k < RHEO_MAX_OUT; k++) {
        dy[k] = a->cut[k] ? RHEO_NONE : a->d[k];
        any |= !rheo_is_none(dy[k]);
    }
    if (!any || !a->needed || n->n_in == 0 || (n->op->flags & RHEO_OP_NO_GRADIENT)) return;
    if (!n->op->gradient && !n->op->expand) {
        rheo_graph_fail(g, "%s: has no gradient", n->op->name);
        return;
    }
    if (n->n_in > (int)(sizeof dx_few / sizeof *dx_few)) dx = rheo_graph_alloc(g, (size_t)n->n_in * sizeof *dx);
    if (!dx) return;
    for (int i = 0; i < n->n_in; i++) dx[i] = RHEO_NONE;
    g->scope = n->scope;
    if (n->op->gradient) n->op->gradient(g, n, dy, dx);
    else gradient_of_expansion(g, n, dy, dx);
    for (int i = 0; i < n->n_in; i++)
        if (w->at[n->in[i].node].needed) accumulate(w, n->in[i], dx[i]);
}

static void walk_down(rheo_walk *w, int from, int to);

/* The gradient with respect to the rebuilt x, from the adjoints at x and at what it passes through. */
static rheo_value gradient_of_rebuilt(rheo_walk *w, rheo_value x, rheo_value known, rheo_value as)
{
    rheo_graph *g = w->g;
    const rheo_value dknown = rheo_is_none(known) ? RHEO_NONE : w->at[known.node].d[known.out];
    if (!rheo_is_none(dknown)) {
        rheo_value dx[1] = { RHEO_NONE };
        const rheo_node *n = g->nodes[as.node];
        n->op->gradient(g, n, &dknown, dx);
        accumulate(w, x, dx[0]);
    }
    return or_zeros(g, w->at[x.node].d[x.out], x);
}

static void rebuild_block(rheo_walk *w, const rheo_block_record *b)
{
    rheo_graph *g = w->g;
    rheo_value dout[RHEO_MAX_OUT] = { RHEO_NONE, RHEO_NONE }, out[RHEO_MAX_OUT];
    bool any = false;
    for (int k = 0; k < b->block.n_out; k++) {
        out[k] = dout[k] = RHEO_NONE;
        if (rheo_is_none(b->out[k])) continue;
        rheo_value *d = &w->at[b->out[k].node].d[b->out[k].out];
        dout[k] = *d;
        any |= !rheo_is_none(*d);
        *d = RHEO_NONE;
    }
    if (!any) return;

    const int32_t outer = g->region, first = g->n_nodes;
    g->region = ++g->n_regions;
    g->scope = g->nodes[b->out[0].node]->scope;
    const rheo_value rebuilt = w->at[b->out[0].node].rebuilt;       /* so that the chain stores only its last output */
    const rheo_value y = rheo_barrier(g, rheo_is_none(rebuilt) ? b->out[0] : rebuilt, b->block.n_out, dout);
    const rheo_value x = b->block.inverse(g, b->block.ctx, y);
    b->block.forward(g, b->block.ctx, x, out);
    rheo_value known = RHEO_NONE, as = RHEO_NONE;
    const rheo_node *undone = rheo_node_of(g, x);
    if (undone && undone->op->pass) undone->op->pass(g, undone, &known, &as);
    if (!g->error.status && extend(w)) {
        cut(w, x);
        if (!rheo_is_none(known)) cut(w, known);
        for (int i = first; i < g->n_nodes; i++)        /* needs again, now that the cuts are known */
            for (int k = 0; k < g->nodes[i]->n_in && !(g->nodes[i]->op->flags & RHEO_OP_NO_GRADIENT); k++)
                w->at[i].needed |= w->at[g->nodes[i]->in[k].node].needed;
        for (int k = 0; k < b->block.n_out; k++) accumulate(w, out[k], dout[k]);
        walk_down(w, g->n_nodes, first);
        if (!g->error.status) accumulate(w, b->x, gradient_of_rebuilt(w, x, known, as));
        if (b->block.n_out > 1) accumulate(w, b->block.carry, dout[1]);
        if (b->x.out == 0) w->at[b->x.node].rebuilt = x;
    }
    g->region = outer;
}

/* Propagates from node from-1 down to node `to`. */
static void walk_down(rheo_walk *w, int from, int to)
{
    rheo_graph *g = w->g;
    int next_block = g->n_blocks - 1;
    if (!extend(w)) return;
    for (int i = from - 1; i >= to && !g->error.status; i--) {
        while (next_block >= 0 && g->blocks[next_block].end > i + 1) next_block--;
        for (; next_block >= 0 && g->blocks[next_block].end == i + 1 && g->blocks[next_block].first >= to; next_block--) {
            const rheo_block_record record = g->blocks[next_block];     /* building may move the array */
            rebuild_block(w, &record);
        }
        propagate(w, g->nodes[i]);
    }
}

void rheo_gradients(rheo_graph *g, int n_y, const rheo_value *y, const rheo_value *dy, int n_x, const rheo_value *x, rheo_value *dx)
{
    rheo_walk w = { .g = g };
    const char *scope = g->scope;
    const int from = g->n_nodes;
    for (int k = 0; k < n_x; k++) dx[k] = RHEO_NONE;
    for (int k = 0; k < n_x; k++)
        if (rheo_is_none(x[k])) rheo_graph_fail(g, "gradients: x[%d] does not exist", k);
    for (int k = 0; k < n_y; k++)
        if (rheo_is_none(y[k])) rheo_graph_fail(g, "gradients: y[%d] does not exist", k);
    if (g->error.status) return;

    /* The cuts come first, so that needs spread from them. */
    if (!extend(&w)) goto done;
    for (int k = 0; k < n_x; k++) cut(&w, x[k]);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in && !(g->nodes[i]->op->flags & RHEO_OP_NO_GRADIENT); k++)
            w.at[i].needed |= w.at[g->nodes[i]->in[k].node].needed;
    for (int k = 0; k < n_y; k++)
        accumulate(&w, y[k], dy ? dy[k] : g->arithmetic.constant(g, rheo_shape_of(g, y[k]), 1));
    walk_down(&w, from, 0);
    for (int k = 0; k < n_x; k++) dx[k] = or_zeros(g, w.at[x[k].node].d[x[k].out], x[k]);
done:
    free(w.at);
    g->scope = scope;
}

void rheo_apply_block(rheo_graph *g, const rheo_block *block, bool invert, rheo_value x, rheo_value *out)
{
    const int32_t first = g->n_nodes;
    for (int k = 0; k < block->n_out; k++) out[k] = RHEO_NONE;
    block->forward(g, block->ctx, x, out);
    if (!invert || g->error.status) return;
    rheo_block_record record = { .block = *block, .x = x, .first = first, .end = g->n_nodes };
    for (int k = 0; k < block->n_out; k++) {
        record.out[k] = out[k];
        if (!rheo_is_none(out[k]) && out[k].node < first) return;      /* merged with what stood before: it is stored anyway */
    }
    if (!rheo_grow((void **)&g->blocks, &g->blocks_capacity, g->n_blocks + 1, sizeof *g->blocks)) {
        rheo_fail(&g->error, RHEO_ENOMEM, "graph: out of memory");
        return;
    }
    g->blocks[g->n_blocks++] = record;
}
