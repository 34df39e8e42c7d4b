/* Liveness and placement. Values that share memory (reshape, barrier) have one root; a root's memory lives from
 * its birth (first node that writes it) to its death (last node that reads it). */
#include "graph/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/rewrite.h"

typedef struct rheo_root {
    int32_t birth, death;       /* node ids; death INT32_MAX: read by the final copies */
    int32_t parent;             /* slot of the pack it is computed in, -1 */
    size_t parent_offset;
    bool direct;                /* written straight into a storage */
} rheo_root;

typedef struct rheo_maker {
    rheo_graph *g;
    const rheo_device_facts *dev;
    rheo_layout *l;
    const bool *live;
    int32_t *root;              /* [slot] -> slot */
    rheo_root *roots;           /* [slot], meaningful where root[slot] == slot */
    bool separate;
    size_t align;
    rheo_arenas *arenas;
} rheo_maker;

static rheo_node *node_of_slot(const rheo_maker *m, int s) { return m->g->nodes[s / RHEO_MAX_OUT]; }
static rheo_spec spec_of_slot(const rheo_maker *m, int s) { return node_of_slot(m, s)->out[s % RHEO_MAX_OUT]; }
static size_t bytes_of_slot(const rheo_maker *m, int s) { return rheo_bytes(spec_of_slot(m, s).shape); }
static int root_of(const rheo_maker *m, rheo_value v) { return m->root[rheo_slot_of(v)]; }

/* Whether a root is computed by a launch (neither window nor literal). */
static bool computed(const rheo_maker *m, int r) { return !(node_of_slot(m, r)->op->flags & (RHEO_OP_LEAF | RHEO_OP_LITERAL)); }

static void find_lifetimes(rheo_maker *m)
{
    for (int k = 0; k < m->l->n_order; k++) {
        const rheo_node *n = m->g->nodes[m->l->order[k]];
        const bool alias = n->op->flags & RHEO_OP_ALIAS;
        for (int o = 0; o < n->n_out; o++) {
            const int s = n->id * RHEO_MAX_OUT + o;
            m->root[s] = alias ? root_of(m, n->in[0]) : s;
            m->roots[s] = (rheo_root){ .birth = n->id, .death = n->id, .parent = -1 };
        }
        for (int i = 0; i < n->n_in; i++) m->roots[root_of(m, n->in[i])].death = n->id;
    }
    for (int k = 0; k < m->g->n_assigns; k++) m->roots[root_of(m, m->g->assigns[k].value)].death = INT32_MAX;
}

/* Inputs of a pack are computed at their place in it, where alignment allows. */
static void place_in_packs(rheo_maker *m)
{
    for (int k = 0; k < m->l->n_order && !m->separate; k++) {
        const rheo_node *n = m->g->nodes[m->l->order[k]];
        if (!(n->op->flags & RHEO_OP_PACK)) continue;
        const int parent = n->id * RHEO_MAX_OUT;
        const rheo_pack_attr *pack = n->attr;
        for (int i = 0; i < pack->n; i++) {
            const int r = root_of(m, n->in[i]);
            rheo_root *child = &m->roots[r];
            if (!computed(m, r) || child->parent >= 0 || (node_of_slot(m, r)->op->flags & RHEO_OP_PACK) ||
                child->death == INT32_MAX || (size_t)pack->offset[i] * 4 % m->align != 0)
                continue;
            child->parent = parent;
            child->parent_offset = (size_t)pack->offset[i] * 4;
            if (child->birth < m->roots[parent].birth) m->roots[parent].birth = child->birth;
            if (child->death > m->roots[parent].death) m->roots[parent].death = child->death;
        }
    }
}

/* ---- assigns ---------------------------------------------------------------------------------- */

static bool windows_overlap(const rheo_window_attr *a, const rheo_window_attr *b)
{
    return a->storage == b->storage && a->offset < b->offset + rheo_count(b->shape) && b->offset < a->offset + rheo_count(a->shape);
}

static const rheo_window_attr *window_of_root(const rheo_maker *m, int r) { return rheo_window_of(node_of_slot(m, r)); }

/* Whether `value` may be written into the window while the run goes on: nobody reads that part of the storage
 * after the first write, and the writer itself reads it element by element at most. */
static bool can_write_directly(const rheo_maker *m, const rheo_window_attr *w, int r)
{
    const rheo_root *root = &m->roots[r];
    if (!computed(m, r) || root->parent >= 0 || root->direct || bytes_of_slot(m, r) != rheo_bytes(w->shape)) return false;
    for (int k = 0; k < m->l->n_order; k++) {
        const rheo_node *n = m->g->nodes[m->l->order[k]];
        if (n->id < root->birth || n->op->flags & (RHEO_OP_ALIAS | RHEO_OP_LEAF)) continue;
        for (int i = 0; i < n->n_in; i++) {
            const rheo_window_attr *read = window_of_root(m, root_of(m, n->in[i]));
            if (!read || !windows_overlap(read, w)) continue;
            const bool elementwise = n->id == root->birth && n->id == r / RHEO_MAX_OUT && n->op->flags & RHEO_OP_INPLACE &&
                                     i == r % RHEO_MAX_OUT && read->offset == w->offset && rheo_count(read->shape) == rheo_count(w->shape);
            if (!elementwise) return false;
        }
    }
    for (int k = 0; k < m->g->n_assigns; k++) {
        const rheo_window_attr *read = window_of_root(m, root_of(m, m->g->assigns[k].value));
        if (read && windows_overlap(read, w)) return false;
    }
    return true;
}

static rheo_place storage_place(const rheo_window_attr *w)
{
    return (rheo_place){ RHEO_IN_STORAGE, w->storage, (size_t)w->offset * 4, rheo_bytes(w->shape) };
}

static bool place_assigns(rheo_maker *m)
{
    rheo_layout *l = m->l;
    l->copies = calloc((size_t)m->g->n_assigns + 1, sizeof *l->copies);
    if (!l->copies) return false;
    for (int k = 0; k < m->g->n_assigns; k++) {
        const rheo_assignment *a = &m->g->assigns[k];
        const int r = root_of(m, a->value);
        const rheo_window_attr *w = rheo_window_of(m->g->nodes[a->window.node]);
        if (r == rheo_slot_of(a->window)) continue;             /* assigned to itself */
        if (!m->separate && can_write_directly(m, w, r)) {
            m->roots[r].direct = true;
            l->place[r] = storage_place(w);
        } else {
            l->copies[l->n_copies++] = (rheo_final_copy){ .value = a->value, .window = a->window, .staged = window_of_root(m, r) != NULL };
        }
    }
    return true;
}

/* ---- arenas ----------------------------------------------------------------------------------- */

/* Of memory that a node reads or writes whole: no device can hold what fails here. */
static rheo_status check_size(const rheo_maker *m, const rheo_node *n, const char *what, size_t bytes, rheo_error *err)
{
    const size_t most = (size_t)RHEO_TENSOR_MOST * 4;
    if (m->dev && bytes > most)
        return rheo_fail(err, RHEO_EINVAL, "%s%s%s: %s of %zu elements, at most %zu can be addressed", n->scope, *n->scope ? ": " : "",
                         n->op->name, what, bytes / 4, most / 4);
    if (m->dev && bytes > m->dev->largest_buffer_bytes)
        return rheo_fail(err, RHEO_ENOMEM, "%s%s%s: %s of %zu bytes, the device's largest buffer is %llu", n->scope,
                         *n->scope ? ": " : "", n->op->name, what, bytes, (unsigned long long)m->dev->largest_buffer_bytes);
    return RHEO_OK;
}

static rheo_status take(rheo_maker *m, const rheo_node *n, const char *what, size_t bytes, rheo_place *place, rheo_error *err)
{
    const rheo_status st = check_size(m, n, what, bytes, err);
    if (st) return st;
    place->kind = RHEO_IN_ARENA;
    place->bytes = bytes;
    if (!rheo_arenas_take(m->arenas, bytes, &place->index, &place->offset)) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    return RHEO_OK;
}

/* What a window or a literal stands for; a window's storage is one buffer. */
static rheo_status check_leaf(const rheo_maker *m, const rheo_node *n, size_t bytes, rheo_error *err)
{
    const rheo_window_attr *w = rheo_window_of(n);
    const rheo_storage *s = w ? rheo_storage_at(m->g->state, w->storage) : NULL;
    if (!s) return check_size(m, n, "a tensor", bytes, err);
    char what[96];
    snprintf(what, sizeof what, "storage '%.64s'", s->name);
    return check_size(m, n, what, (size_t)s->count * 4, err);
}

static int by_death(const void *a, const void *b)
{
    const int32_t x = ((const int32_t *)a)[1], y = ((const int32_t *)b)[1];
    return (x > y) - (x < y);
}

/* The memory a node's outputs need when they are born; packs are born with their first input. */
static rheo_status take_root(rheo_maker *m, int r, rheo_error *err)
{
    rheo_root *root = &m->roots[r];
    rheo_place *place = &m->l->place[r];
    if (root->parent >= 0) {
        rheo_status st = take_root(m, root->parent, err);
        if (st) return st;
        *place = m->l->place[root->parent];
        place->offset += root->parent_offset;
        place->bytes = bytes_of_slot(m, r);
        return RHEO_OK;
    }
    return place->kind == RHEO_UNPLACED ? take(m, node_of_slot(m, r), "a tensor", bytes_of_slot(m, r), place, err) : RHEO_OK;
}

static rheo_status give_dead(rheo_maker *m, const int32_t (*dying)[2], int n_dying, int *next, int32_t until, rheo_error *err)
{
    for (; *next < n_dying && dying[*next][1] <= until; (*next)++) {
        const int s = dying[*next][0];
        const rheo_place *p = &m->l->place[s];
        if (p->kind == RHEO_IN_ARENA && m->roots[s].parent < 0 && !m->separate &&
            !rheo_arenas_give(m->arenas, p->index, p->offset, p->bytes))
            return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    }
    return RHEO_OK;
}

static rheo_status place_node(rheo_maker *m, const rheo_node *n, rheo_error *err)
{
    rheo_layout *l = m->l;
    rheo_status st = RHEO_OK;
    const rheo_window_attr *w = rheo_window_of(n);
    for (int o = 0; o < n->n_out && !st; o++) {
        const int s = n->id * RHEO_MAX_OUT + o;
        if (m->root[s] != s) continue;
        if (w || n->op->flags & RHEO_OP_LITERAL) st = check_leaf(m, n, bytes_of_slot(m, s), err);
        if (w) l->place[s] = storage_place(w);
        else if (n->op->flags & RHEO_OP_LITERAL) l->place[s] = (rheo_place){ RHEO_LITERAL, n->id, 0, bytes_of_slot(m, s) };
        else st = take_root(m, s, err);
    }
    const size_t work = !st && m->dev && n->op->workspace ? n->op->workspace(n, m->dev) * 4 : 0;
    if (work) {
        st = take(m, n, "a workspace", work, &l->work[n->id], err);
        if (!st && !m->separate && !rheo_arenas_give(m->arenas, l->work[n->id].index, l->work[n->id].offset, work))
            st = rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    }
    return st;
}

static rheo_status place_all(rheo_maker *m, rheo_error *err)
{
    rheo_layout *l = m->l;
    rheo_status st = RHEO_OK;
    int n_dying = 0, next = 0;
    int32_t(*dying)[2] = malloc(((size_t)l->n_order * RHEO_MAX_OUT + 1) * sizeof *dying);
    if (!dying) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    for (int k = 0; k < l->n_order; k++)
        for (int o = 0; o < m->g->nodes[l->order[k]]->n_out; o++) {
            const int s = l->order[k] * RHEO_MAX_OUT + o;
            if (m->root[s] != s) continue;
            dying[n_dying][0] = s;
            dying[n_dying++][1] = m->roots[s].death;
        }
    qsort(dying, (size_t)n_dying, sizeof *dying, by_death);

    for (int k = 0; k < l->n_order && !st; k++) {
        st = place_node(m, m->g->nodes[l->order[k]], err);
        if (!st) st = give_dead(m, (const int32_t(*)[2])dying, n_dying, &next, l->order[k], err);
    }
    for (int k = 0; k < l->n_copies && !st; k++)
        if (l->copies[k].staged)
            st = take(m, m->g->nodes[l->copies[k].value.node], "a copy", bytes_of_slot(m, root_of(m, l->copies[k].value)),
                      &l->copies[k].stage, err);
    for (int s = 0; s < m->g->n_nodes * RHEO_MAX_OUT; s++)      /* aliases lie where their roots do */
        if (m->live[s / RHEO_MAX_OUT] && s % RHEO_MAX_OUT < node_of_slot(m, s)->n_out) {
            l->death[s] = m->roots[m->root[s]].death;
            if (m->root[s] != s) l->place[s] = l->place[m->root[s]];
        }
    free(dying);
    return st;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static rheo_status finish_arenas(rheo_maker *m, rheo_error *err)
{
    m->l->n_arenas = rheo_arenas_count(m->arenas);
    m->l->arena_bytes = calloc((size_t)m->l->n_arenas + 1, sizeof *m->l->arena_bytes);
    if (!m->l->arena_bytes) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    for (int k = 0; k < m->l->n_arenas; k++) m->l->arena_bytes[k] = rheo_arenas_bytes(m->arenas, k);
    return RHEO_OK;
}

/* rest: what was given back lately is taken last. */
static rheo_status make(rheo_graph *g, const rheo_device_facts *dev, bool separate, bool rest, rheo_layout *out, rheo_error *err)
{
    const size_t slots = (size_t)g->n_nodes * RHEO_MAX_OUT + 1;
    rheo_status st = RHEO_OK;
    rheo_layout l = { 0 };
    rheo_maker m = { .g = g, .dev = dev, .l = &l, .separate = separate };
    m.align = dev && dev->align_bytes > 64 ? dev->align_bytes : 64;
    bool *live = rheo_live_nodes(g);
    m.live = live;
    m.root = malloc(slots * sizeof *m.root);
    m.roots = calloc(slots, sizeof *m.roots);
    m.arenas = rheo_arenas_create(dev ? (size_t)dev->largest_buffer_bytes : SIZE_MAX, m.align, separate, rest);
    l.order = malloc(slots * sizeof *l.order);
    l.place = calloc(slots, sizeof *l.place);
    l.work = calloc((size_t)g->n_nodes + 1, sizeof *l.work);
    l.death = calloc(slots, sizeof *l.death);
    if (!live || !m.root || !m.roots || !m.arenas || !l.order || !l.place || !l.work || !l.death) {
        st = rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
        goto done;
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (live[i]) l.order[l.n_order++] = i;
    find_lifetimes(&m);
    place_in_packs(&m);
    if (!place_assigns(&m)) st = rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    if (!st) st = place_all(&m, err);
    if (!st) st = finish_arenas(&m, err);
    if (st) goto done;
    *out = l;
    memset(&l, 0, sizeof l);
done:
    rheo_layout_free(&l);
    rheo_arenas_destroy(m.arenas);
    free(live);
    free(m.root);
    free(m.roots);
    return st;
}

static size_t bytes_of(const rheo_layout *l)
{
    size_t sum = 0;
    for (int k = 0; k < l->n_arenas; k++) sum += l->arena_bytes[k];
    return sum;
}

rheo_status rheo_layout_make(rheo_graph *g, const rheo_device_facts *dev, bool separate, rheo_layout *out, rheo_error *err)
{
    const bool overlaps = !separate && dev && dev->overlaps;
    rheo_layout tight = { 0 }, loose = { 0 };
    rheo_status st = make(g, dev, separate, false, &tight, err);
    if (!st && overlaps) st = make(g, dev, false, true, &loose, err);
    const bool better = !st && overlaps && bytes_of(&loose) <= bytes_of(&tight) + bytes_of(&tight) / 32;
    if (!st) *out = better ? loose : tight;
    if (st || better) rheo_layout_free(&tight);
    if (!better) rheo_layout_free(&loose);
    return st;
}

void rheo_layout_free(rheo_layout *l)
{
    free(l->order);
    free(l->place);
    free(l->work);
    free(l->death);
    free(l->copies);
    free(l->arena_bytes);
}
