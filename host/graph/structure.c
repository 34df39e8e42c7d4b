/* The ops that are structure, not arithmetic: windows on storages, other shapes for the same memory, barriers. */
#include "graph/internal.h"

#include <string.h>

static bool window_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_window_attr *a = n->attr;
    const rheo_storage *s = rheo_storage_at(g->state, a->storage);
    if (!s) {
        rheo_graph_fail(g, "window: no storage %d", a->storage);
        return false;
    }
    if (a->offset < 0 || rheo_count(a->shape) < 1 || a->offset + rheo_count(a->shape) > s->count) {
        rheo_graph_fail(g, "window: elements %lld to %lld of storage '%s', which has %lld", (long long)a->offset,
                        (long long)(a->offset + rheo_count(a->shape)), s->name, (long long)s->count);
        return false;
    }
    n->n_out = 1;
    n->out[0] = (rheo_spec){ a->shape, s->type };
    return true;
}

static bool reshape_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape *to = n->attr, from = n->in_spec[0].shape;
    if (rheo_count(*to) != rheo_count(from)) {
        rheo_graph_fail(g, "reshape: [%lld %lld %lld %lld] to [%lld %lld %lld %lld] changes the count", (long long)from.n,
                        (long long)from.h, (long long)from.w, (long long)from.c, (long long)to->n, (long long)to->h,
                        (long long)to->w, (long long)to->c);
        return false;
    }
    n->n_out = 1;
    n->out[0] = (rheo_spec){ *to, n->in_spec[0].type };
    return true;
}

static void reshape_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_reshape(g, dy[0], n->in_spec[0].shape);
}

static bool barrier_infer(rheo_graph *g, rheo_node *n)
{
    (void)g;
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    return true;
}

static void barrier_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    (void)g, (void)n;
    dx[0] = dy[0];      /* the values waited for take no part */
}

static void same_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t)rheo_count(n->out[0].shape) * sizeof(double));
}

const rheo_op rheo_op_window = { .name = "window", .flags = RHEO_OP_LEAF, .infer = window_infer };
const rheo_op rheo_op_reshape = {
    .name = "reshape", .flags = RHEO_OP_ALIAS, .infer = reshape_infer, .gradient = reshape_gradient, .reference = same_reference,
};
const rheo_op rheo_op_barrier = {
    .name = "barrier", .flags = RHEO_OP_ALIAS, .infer = barrier_infer, .gradient = barrier_gradient, .reference = same_reference,
};

rheo_value rheo_window(rheo_graph *g, int storage, int64_t offset, rheo_shape shape)
{
    rheo_window_attr a;
    memset(&a, 0, sizeof a);
    a.storage = storage;
    a.offset = offset;
    a.shape = shape;
    return rheo_apply(g, &rheo_op_window, 0, NULL, &a, sizeof a);
}

rheo_value rheo_reshape(rheo_graph *g, rheo_value x, rheo_shape shape)
{
    if (!rheo_is_none(x) && rheo_same_shape(rheo_shape_of(g, x), shape)) return x;
    return rheo_apply(g, &rheo_op_reshape, 1, &x, &shape, sizeof shape);
}

rheo_value rheo_barrier(rheo_graph *g, rheo_value x, int n_after, const rheo_value *after)
{
    rheo_value in[1 + 2 * RHEO_MAX_OUT];
    int n = 0;
    in[n++] = x;
    for (int i = 0; i < n_after && n < (int)(sizeof in / sizeof *in); i++)
        if (!rheo_is_none(after[i])) in[n++] = after[i];
    return rheo_apply(g, &rheo_op_barrier, n, in, NULL, 0);
}
