#include "op/copy.h"

enum { MAX_LOOPS = 6, INNER_LOOPS = 3 };

/* Loops of one step go; an outer loop that only continues its inner one is merged with it. Keeps the order. */
static int simplify(int n, const rheo_loop *from, rheo_loop *to)
{
    int m = 0;
    for (int k = 0; k < n; k++) {
        const rheo_loop inner = from[k];
        if (inner.count == 1) continue;
        if (m > 0 && to[m - 1].in == inner.count * inner.in && to[m - 1].out == inner.count * inner.out)
            to[m - 1] = (rheo_loop){ to[m - 1].count * inner.count, inner.in, inner.out };
        else
            to[m++] = inner;
    }
    return m;
}

/* How many of the loops a CPU's work-item runs itself: enough to pay for finding its place, as long as many are left to share. */
static int inner_loops(int n, const rheo_loop *loop, int64_t total)
{
    int inner = n > INNER_LOOPS ? n - INNER_LOOPS : 1;
    int64_t within = 1;
    for (int k = 0; k < inner && k < n; k++) within *= loop[n - 1 - k].count;
    while (inner < INNER_LOOPS && inner < n && within < 256 && total / (within * loop[n - 1 - inner].count) >= 64)
        within *= loop[n - 1 - inner++].count;
    return inner;
}

rheo_status rheo_emit_copy(rheo_launcher *l, cl_mem in, int64_t in_at, cl_mem out, int64_t out_at, int n, const rheo_loop *loops,
                           rheo_error *err)
{
    rheo_loop s[MAX_LOOPS], p[MAX_LOOPS];
    const int m = simplify(n, loops, s);
    int64_t total = 1, items = 1;
    for (int k = 0; k < m; k++) total *= s[k].count;

    /* Six slots, three outer and three inner, each group filled from its innermost on. */
    const int inner = inner_loops(m, s, total), outer = m > inner ? m - inner : 0;
    for (int k = 0; k < MAX_LOOPS; k++) p[k] = (rheo_loop){ 1, 0, 0 };
    for (int k = 0; k < outer; k++) {
        p[INNER_LOOPS - outer + k] = s[k];
        items *= s[k].count;
    }
    for (int k = outer; k < m; k++) p[MAX_LOOPS - m + k] = s[k];

    rheo_grid grid = rheo_grid_items(l, rheo_launcher_facts(l)->kind == RHEO_CPU ? total / 4 : total);
    if (rheo_launcher_facts(l)->kind == RHEO_CPU) {
        /* Few long runs: each is cut into pieces, the second dimension. */
        if ((int64_t)grid.global[0] > items) {
            const int64_t pieces = (int64_t)grid.global[0] / items;
            grid.global[1] = (size_t)(pieces < p[5].count ? pieces : p[5].count);
            grid.global[0] = (size_t)items;
        }
    }
    return RHEO_EMIT(l, err, "index", "copy", grid, RHEO_BUF(in), RHEO_BUF(out), RHEO_INT(in_at), RHEO_INT(out_at),
                     RHEO_INT(p[0].count), RHEO_INT(p[1].count), RHEO_INT(p[2].count), RHEO_INT(p[3].count), RHEO_INT(p[4].count),
                     RHEO_INT(p[5].count), RHEO_INT(p[0].in), RHEO_INT(p[1].in), RHEO_INT(p[2].in), RHEO_INT(p[3].in),
                     RHEO_INT(p[4].in), RHEO_INT(p[5].in), RHEO_INT(p[0].out), RHEO_INT(p[1].out), RHEO_INT(p[2].out),
                     RHEO_INT(p[3].out), RHEO_INT(p[4].out), RHEO_INT(p[5].out));
}

rheo_status rheo_emit_zero(rheo_launcher *l, cl_mem out, int64_t at, int64_t count, rheo_error *err)
{
    return RHEO_EMIT(l, err, "index", "zero", rheo_grid_items(l, rheo_vectors(l, count)), RHEO_BUF(out), RHEO_INT(at), RHEO_INT(count));
}

rheo_status rheo_emit_window(rheo_launcher *l, cl_mem in, rheo_shape in_whole, rheo_shape in_from, cl_mem out, rheo_shape out_whole,
                             rheo_shape out_from, rheo_shape size, rheo_error *err)
{
    int64_t count[4], from[4], to[4];
    rheo_loop loops[4];
    rheo_dims(size, count);
    rheo_strides(in_whole, from);
    rheo_strides(out_whole, to);
    for (int k = 0; k < 4; k++) loops[k] = (rheo_loop){ count[k], from[k], to[k] };
    return rheo_emit_copy(l, in, rheo_index(in_whole, in_from.n, in_from.h, in_from.w, in_from.c), out,
                          rheo_index(out_whole, out_from.n, out_from.h, out_from.w, out_from.c), 4, loops, err);
}

bool rheo_infer_shape(rheo_node *n, rheo_shape shape)
{
    n->n_out = 1;
    n->out[0] = (rheo_spec){ shape, n->in_spec[0].type };
    return true;
}
