#include "graph/rewrite.h"

#include <stdlib.h>

#include "graph/internal.h"

typedef struct readers {
    int all, ahead;             /* those still to be copied, assigns included */
} readers;

struct rheo_rewrite {
    rheo_graph *to;
    rheo_value *map;            /* [old node * RHEO_MAX_OUT + out]: value in the new graph */
    readers *read;              /* [new node * RHEO_MAX_OUT + out]: of its original */
    int n_map;                  /* how much of it is known so far */
    int n_read, read_capacity;
};

static int slot(rheo_value v) { return v.node * RHEO_MAX_OUT + v.out; }

static readers readers_of(const rheo_rewrite *r, rheo_value v) { return slot(v) < r->n_read ? r->read[slot(v)] : (readers){ 0, 0 }; }
int rheo_rewrite_uses(const rheo_rewrite *r, rheo_value v) { return readers_of(r, v).all; }
int rheo_rewrite_uses_ahead(const rheo_rewrite *r, rheo_value v) { return readers_of(r, v).ahead; }

rheo_value rheo_rewrite_find(const rheo_rewrite *r, const rheo_op *op, int i, rheo_value v)
{
    for (int k = r->to->n_nodes - 1; k > v.node; k--) {
        const rheo_node *n = r->to->nodes[k];
        if (n->op == op && n->region == r->to->region && n->n_in > i && n->in[i].node == v.node && n->in[i].out == v.out)
            return (rheo_value){ k, 0 };
    }
    return RHEO_NONE;
}

bool *rheo_live_nodes(rheo_graph *g)
{
    bool *live = calloc((size_t)g->n_nodes + 1, sizeof *live);
    if (!live) {
        rheo_fail(&g->error, RHEO_ENOMEM, "plan: out of memory");
        return NULL;
    }
    for (int k = 0; k < g->n_assigns; k++) live[g->assigns[k].window.node] = live[g->assigns[k].value.node] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; live[i] && k < g->nodes[i]->n_in; k++) live[g->nodes[i]->in[k].node] = true;
    return live;
}

/* How many live nodes and assigns read each value of g. */
static int *count_readers(rheo_graph *g, const bool *live)
{
    int *count = calloc((size_t)g->n_nodes * RHEO_MAX_OUT + 1, sizeof *count);
    if (!count) return NULL;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; live[i] && k < g->nodes[i]->n_in; k++) count[slot(g->nodes[i]->in[k])]++;
    for (int k = 0; k < g->n_assigns; k++) count[slot(g->assigns[k].value)]++;
    return count;
}

static bool add_readers(rheo_rewrite *r, rheo_value v, readers more)
{
    const int have = r->n_read, need = (v.node + 1) * RHEO_MAX_OUT;
    if (!rheo_grow((void **)&r->read, &r->read_capacity, need, sizeof *r->read)) return false;
    for (int k = have; k < need; k++) r->read[k] = (readers){ 0, 0 };
    if (need > have) r->n_read = need;
    r->read[slot(v)].all += more.all;
    r->read[slot(v)].ahead += more.ahead;
    return true;
}

void rheo_rewrite_replace(rheo_rewrite *r, rheo_value from, rheo_value to)
{
    if (!add_readers(r, to, readers_of(r, from))) {
        rheo_fail(&r->to->error, RHEO_ENOMEM, "plan: out of memory");
        return;
    }
    for (int k = 0; k < r->n_map; k++)
        if (slot(r->map[k]) == slot(from)) r->map[k] = to;
}

static bool copy_node(rheo_rewrite *r, rheo_graph *to, const rheo_node *n, const int *count, const rheo_rule *const *rules)
{
    rheo_value few[16], *in = n->n_in <= 16 ? few : rheo_graph_alloc(to, (size_t)n->n_in * sizeof *in);
    if (!in) return false;
    for (int k = 0; k < n->n_in; k++) {
        in[k] = r->map[slot(n->in[k])];
        r->read[slot(in[k])].ahead--;
    }
    to->region = n->region;
    rheo_name_scope(to, n->scope);
    const rheo_value v = rheo_apply(to, n->op, n->n_in, in, n->attr, n->attr_bytes);
    if (rheo_is_none(v)) return false;
    rheo_value out[RHEO_MAX_OUT];
    for (int k = 0; k < n->n_out; k++) out[k] = rheo_output(v, k);
    if (n->variant == RHEO_SWITCHED_OFF) {
        n->op->expand(to, rheo_node_of(to, v), out);
        if (to->error.status) return false;
    }
    for (const rheo_rule *const *rule = rules; rule && *rule; rule++) {
        const rheo_node *made = to->nodes[out[0].node];
        if (made->n_out != n->n_out) break;     /* one rule in a chain may have replaced it by part of another node */
        (*rule)->match(r, to, made, out);
        if (to->error.status) return false;
    }
    for (int k = 0; k < n->n_out; k++) {
        const int old = n->id * RHEO_MAX_OUT + k;
        if (!add_readers(r, out[k], (readers){ count[old], count[old] })) return false;
        r->map[old] = out[k];
        r->n_map = old + 1;
    }
    return true;
}

static bool expand(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out)
{
    (void)r;
    if (!n->op->expand) return false;
    n->op->expand(g, n, out);
    return true;
}

const rheo_rule rheo_rule_expand = { "expand", expand };

rheo_graph *rheo_graph_rewritten(rheo_graph *g, const rheo_rule *const *rules, rheo_error *err)
{
    rheo_rewrite r = { 0 };
    bool ok = false;
    bool *live = NULL;
    int *count = NULL;
    rheo_graph *to = rheo_graph_create(g->state, &g->arithmetic);
    if (!to) goto done;
    r.to = to;
    r.map = calloc((size_t)g->n_nodes * RHEO_MAX_OUT + 1, sizeof *r.map);
    live = rheo_live_nodes(g);
    if (!r.map || !live || !(count = count_readers(g, live))) goto done;
    ok = true;
    for (int i = 0; ok && i < g->n_nodes; i++)
        if (live[i]) ok = copy_node(&r, to, g->nodes[i], count, rules);
    for (int k = 0; ok && k < g->n_assigns; k++)
        rheo_assign(to, r.map[slot(g->assigns[k].window)], r.map[slot(g->assigns[k].value)]);
done:
    free(r.map);
    free(r.read);
    free(live);
    free(count);
    if (ok && !to->error.status) return to;
    if (to && to->error.status) rheo_fail(err, to->error.status, "%s", to->error.text);
    else rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    rheo_graph_destroy(to);
    return NULL;
}
