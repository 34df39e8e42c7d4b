/* Nodes: building, merging, names, errors. */
#include "graph/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rheo_chunk {
    rheo_chunk *next;
    size_t used, size;
    max_align_t bytes[];
};

bool rheo_grow(void **array, int *capacity, int needed, size_t element_bytes)
{
    if (needed <= *capacity) return true;
    const int grown = needed > 2 * *capacity ? needed + 64 : 2 * *capacity;
    void *p = realloc(*array, (size_t)grown * element_bytes);
    if (!p) return false;
    *array = p;
    *capacity = grown;
    return true;
}

void *rheo_graph_alloc(rheo_graph *g, size_t bytes)
{
    const size_t rounded = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!g->chunks || g->chunks->used + rounded > g->chunks->size) {
        const size_t size = rounded > 65536 ? rounded : 65536;
        rheo_chunk *chunk = calloc(1, sizeof *chunk + size);
        if (!chunk) {
            rheo_fail(&g->error, RHEO_ENOMEM, "graph: out of memory after %d nodes", g->n_nodes);
            return NULL;
        }
        chunk->size = size;
        chunk->next = g->chunks;
        g->chunks = chunk;
    }
    void *p = (char *)g->chunks->bytes + g->chunks->used;
    g->chunks->used += rounded;
    return p;
}

rheo_graph *rheo_graph_create(const rheo_state *state, const rheo_arithmetic *arithmetic)
{
    rheo_graph *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->state = state;
    g->arithmetic = *arithmetic;
    g->scope = "";
    return g;
}

void rheo_graph_destroy(rheo_graph *g)
{
    if (!g) return;
    for (rheo_chunk *c = g->chunks; c;) {
        rheo_chunk *next = c->next;
        free(c);
        c = next;
    }
    free(g->nodes);
    free(g->buckets);
    free(g->blocks);
    free(g->assigns);
    free(g);
}

/* ---- merging ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t x)
{
    h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

static uint64_t node_hash(const rheo_node *n)
{
    uint64_t h = mix((uint64_t)(uintptr_t)n->op, (uint64_t)n->region);
    for (int i = 0; i < n->n_in; i++) h = mix(h, (uint64_t)n->in[i].node << 3 | (uint64_t)n->in[i].out);
    const unsigned char *a = n->attr;
    for (size_t k = 0; k < n->attr_bytes; k += 8) {
        uint64_t word = 0;
        memcpy(&word, a + k, n->attr_bytes - k < 8 ? n->attr_bytes - k : 8);
        h = mix(h, word);
    }
    return h ^ h >> 29;
}

static bool node_equal(const rheo_node *a, const rheo_node *b)
{
    return a->op == b->op && a->region == b->region && a->n_in == b->n_in && a->attr_bytes == b->attr_bytes &&
           (a->n_in == 0 || memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) == 0) &&
           (a->attr_bytes == 0 || memcmp(a->attr, b->attr, a->attr_bytes) == 0);
}

/* The bucket of an equal node, or of the empty place where it belongs. */
static int32_t *find_bucket(const rheo_graph *g, const rheo_node *n)
{
    for (uint64_t k = node_hash(n);; k++) {
        int32_t *bucket = &g->buckets[k & (uint64_t)(g->n_buckets - 1)];
        if (*bucket < 0 || node_equal(g->nodes[*bucket], n)) return bucket;
    }
}

static bool grow_buckets(rheo_graph *g)
{
    if (2 * (g->n_nodes + 1) <= g->n_buckets) return true;
    const int n = g->n_buckets ? 2 * g->n_buckets : 1024;
    int32_t *buckets = malloc((size_t)n * sizeof *buckets);
    if (!buckets) return false;
    memset(buckets, 0xff, (size_t)n * sizeof *buckets);
    free(g->buckets);
    g->buckets = buckets;
    g->n_buckets = n;
    for (int i = 0; i < g->n_nodes; i++) *find_bucket(g, g->nodes[i]) = i;
    return true;
}

/* ---- building ------------------------------------------------------------------------------- */

static bool inputs_exist(const rheo_graph *g, int n_in, const rheo_value *in)
{
    for (int i = 0; i < n_in; i++)
        if (rheo_is_none(in[i]) || in[i].node >= g->n_nodes || in[i].out >= g->nodes[in[i].node]->n_out) return false;
    return true;
}

/* The new node's fields in the graph's own memory; NULL when out of memory. */
static rheo_node *keep_node(rheo_graph *g, const rheo_node *draft)
{
    rheo_node *n = rheo_graph_alloc(g, sizeof *n);
    rheo_value *in = rheo_graph_alloc(g, (size_t)draft->n_in * sizeof *in);
    rheo_spec *spec = rheo_graph_alloc(g, (size_t)draft->n_in * sizeof *spec);
    void *attr = rheo_graph_alloc(g, draft->attr_bytes);
    rheo_spec *out = rheo_graph_alloc(g, RHEO_MAX_OUT * sizeof *out);
    if (!n || !in || !spec || !attr || !out) return NULL;
    *n = *draft;
    if (draft->n_in) memcpy(in, draft->in, (size_t)draft->n_in * sizeof *in);
    if (draft->attr_bytes) memcpy(attr, draft->attr, draft->attr_bytes);
    for (int i = 0; i < draft->n_in; i++) spec[i] = rheo_spec_of(g, in[i]);
    n->in = in;
    n->in_spec = spec;
    n->attr = attr;
    n->out = out;
    return n;
}

rheo_value rheo_apply(rheo_graph *g, const rheo_op *op, int n_in, const rheo_value *in, const void *attr, size_t attr_bytes)
{
    if (g->error.status) return RHEO_NONE;
    if (!inputs_exist(g, n_in, in)) return rheo_graph_fail(g, "%s: an input does not exist", op->name);
    /* A window or a literal costs no memory in a run, so regions may share it. */
    const bool everywhere = op->flags & (RHEO_OP_LEAF | RHEO_OP_LITERAL);
    const rheo_node draft = { .op = op, .id = g->n_nodes, .region = everywhere ? 0 : g->region, .n_in = n_in, .in = in,
                              .attr = attr, .attr_bytes = attr_bytes, .scope = g->scope };
    if (!grow_buckets(g) || !rheo_grow((void **)&g->nodes, &g->nodes_capacity, g->n_nodes + 1, sizeof *g->nodes)) {
        rheo_fail(&g->error, RHEO_ENOMEM, "graph: out of memory after %d nodes", g->n_nodes);
        return RHEO_NONE;
    }
    int32_t *bucket = find_bucket(g, &draft);
    if (*bucket >= 0) return (rheo_value){ *bucket, 0 };

    rheo_node *n = keep_node(g, &draft);
    if (!n || !op->infer(g, n)) return RHEO_NONE;
    *bucket = n->id;
    g->nodes[g->n_nodes++] = n;
    return (rheo_value){ n->id, 0 };
}

void rheo_assign(rheo_graph *g, rheo_value window, rheo_value value)
{
    if (g->error.status) return;
    if (rheo_is_none(window) || rheo_is_none(value)) {
        rheo_graph_fail(g, "assign: a value does not exist");
        return;
    }
    const rheo_window_attr *w = rheo_window_of(g->nodes[window.node]);
    const rheo_spec from = rheo_spec_of(g, value), to = rheo_spec_of(g, window);
    if (!w) {
        rheo_graph_fail(g, "assign: the target is a %s, expected a window", g->nodes[window.node]->op->name);
        return;
    }
    const char *name = rheo_storage_at(g->state, w->storage)->name;
    if (rheo_count(from.shape) != rheo_count(to.shape) || from.type != to.type) {
        rheo_graph_fail(g, "assign: %lld elements to a window of %lld in '%s'", (long long)rheo_count(from.shape),
                        (long long)rheo_count(to.shape), name);
        return;
    }
    for (int i = 0; i < g->n_assigns; i++) {
        const rheo_window_attr *other = rheo_window_of(g->nodes[g->assigns[i].window.node]);
        if (other->storage == w->storage && other->offset < w->offset + rheo_count(w->shape) &&
            w->offset < other->offset + rheo_count(other->shape)) {
            rheo_graph_fail(g, "assign: elements from %lld on of '%s' are assigned twice", (long long)w->offset, name);
            return;
        }
    }
    if (!rheo_grow((void **)&g->assigns, &g->assigns_capacity, g->n_assigns + 1, sizeof *g->assigns)) {
        rheo_fail(&g->error, RHEO_ENOMEM, "graph: out of memory");
        return;
    }
    g->assigns[g->n_assigns++] = (rheo_assignment){ window, value };
}

/* ---- reading --------------------------------------------------------------------------------- */

rheo_spec rheo_spec_of(const rheo_graph *g, rheo_value v)
{
    static const rheo_spec none;
    return rheo_is_none(v) || v.node >= g->n_nodes ? none : g->nodes[v.node]->out[v.out];
}

rheo_shape rheo_shape_of(const rheo_graph *g, rheo_value v) { return rheo_spec_of(g, v).shape; }

const rheo_node *rheo_node_of(const rheo_graph *g, rheo_value v)
{
    return rheo_is_none(v) || v.node >= g->n_nodes ? NULL : g->nodes[v.node];
}

int rheo_node_count(const rheo_graph *g) { return g->n_nodes; }

void rheo_name_scope(rheo_graph *g, const char *name)
{
    if (strcmp(g->scope, name) == 0) return;
    char *copy = rheo_graph_alloc(g, strlen(name) + 1);
    if (!copy) return;
    strcpy(copy, name);
    g->scope = copy;
}

const rheo_error *rheo_graph_error(const rheo_graph *g) { return &g->error; }

rheo_value rheo_graph_fail(rheo_graph *g, const char *format, ...)
{
    char text[sizeof g->error.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rheo_fail(&g->error, RHEO_EINVAL, "%s%s%s", g->scope, *g->scope ? ": " : "", text);
    return RHEO_NONE;
}
