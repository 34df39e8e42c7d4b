/* Sums and maxima over any of the four axes, which stay as 1.
 *
 * A reduction is a list of passes over [outer, length, inner] -> [outer, inner], the last reduced group of axes first;
 * a long pass is cut into blocks whose partial results the next pass reduces. Passes and blocks follow from the
 * shape alone and each is summed in a fixed order, so a device gives the same bits from run to run. */
#include "op/common.h"
#include "op/ops.h"

#include <math.h>
#include <string.h>

typedef struct reduce_attr { int32_t axes; } reduce_attr;

extern const rheo_op rheo_op_sum, rheo_op_max, rheo_op_max_mask;

static rheo_shape reduced_shape(rheo_shape s, int axes)
{
    return RHEO_SHAPE(axes & RHEO_AXIS_N ? 1 : s.n, axes & RHEO_AXIS_H ? 1 : s.h, axes & RHEO_AXIS_W ? 1 : s.w,
                      axes & RHEO_AXIS_C ? 1 : s.c);
}

static bool reduce_infer(rheo_graph *g, rheo_node *n)
{
    const reduce_attr *a = n->attr;
    if (!rheo_check_type(g, n, 0, RHEO_F32)) return false;
    if (a->axes & ~15) {
        rheo_graph_fail(g, "%s: axes %d, expected a sum of RHEO_AXIS_N, _H, _W, _C", n->op->name, a->axes);
        return false;
    }
    n->n_out = 1;
    n->out[0] = (rheo_spec){ reduced_shape(n->in_spec[0].shape, a->axes), RHEO_F32 };
    return true;
}

static void sum_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    dx[0] = rheo_broadcast(g, dy[0], n->in_spec[0].shape);
}

static void max_gradient(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx)
{
    const rheo_value mask = rheo_apply(g, &rheo_op_max_mask, 2, (const rheo_value[]){ n->in[0], rheo_result(n, 0) }, n->attr,
                                       n->attr_bytes);
    dx[0] = rheo_mul(g, mask, dy[0]);
}

/* ---- passes --------------------------------------------------------------------------------------------------- */

/* out[outer, split, inner] = reduction over up to `block` of the `length` */
typedef struct pass { int64_t outer, length, inner, block, splits; } pass;
enum {
    MAX_PASSES = 24,
    WHOLE_LENGTH = 1024,        /* at most this is reduced at once */
    ROW_BLOCK = 1024,           /* else in blocks: of contiguous elements, */
    COLUMN_BLOCK = 256          /* of rows */
};

/* How many rows of `width` elements, seen as one, fill vectors evenly: [rows / fold, fold width] is the same memory. 1 where
 * rows are wide enough, few, or not divided by it. */
static int64_t fold_of(int64_t rows, int64_t width)
{
    enum { LANES = 16, WIDE = 128, FEW = 64 };
    int64_t fold = 1;
    while (width * fold % LANES) fold *= 2;
    return width < WIDE && rows >= FEW && rows % fold == 0 ? fold : 1;
}

static int add_passes(pass *p, int n, int64_t outer, int64_t length, int64_t inner)
{
    const int64_t fold = inner > 1 ? fold_of(length, inner) : 1;
    if (fold > 1) {
        n = add_passes(p, n, outer, length / fold, inner * fold);
        return add_passes(p, n, outer, fold, inner);
    }
    while (length > WHOLE_LENGTH) {
        const int64_t block = inner == 1 ? ROW_BLOCK : COLUMN_BLOCK, splits = (length + block - 1) / block;
        p[n++] = (pass){ outer, length, inner, block, splits };
        length = splits;
    }
    p[n++] = (pass){ outer, length, inner, length, 1 };
    return n;
}

static int make_passes(rheo_shape s, int axes, pass *p)
{
    const int64_t dim[4] = { s.n, s.h, s.w, s.c };
    int64_t inner = 1;
    int n = 0, d = 3;
    while (d >= 0) {
        for (; d >= 0 && (!(axes >> d & 1) || dim[d] == 1); d--) inner *= dim[d];
        int64_t length = 1, outer = 1;
        for (; d >= 0 && (axes >> d & 1 || dim[d] == 1); d--) length *= dim[d];
        for (int k = d; k >= 0; k--) outer *= dim[k];
        if (length > 1) n = add_passes(p, n, outer, length, inner);
    }
    if (n == 0) n = add_passes(p, n, rheo_count(s), 1, 1);      /* nothing to reduce: a copy */
    return n;
}

static size_t reduce_workspace(const rheo_node *n, const rheo_device_facts *dev)
{
    pass p[MAX_PASSES];
    const int passes = make_passes(n->in_spec[0].shape, ((const reduce_attr *)n->attr)->axes, p);
    int64_t floats = 0;
    (void)dev;
    for (int i = 0; i + 1 < passes; i++) floats += p[i].outer * p[i].splits * p[i].inner;
    return (size_t)floats;
}

/* Rows: on SIMT devices a group of ROW_GROUP work-items shares a long row, or takes a short one each. */
enum { ROW_GROUP = 64 };

static rheo_status emit_rows(rheo_launcher *l, const pass *p, cl_mem x, int64_t x_at, cl_mem y, int64_t y_at, int is_max,
                             rheo_error *err)
{
    const int64_t items = p->outer * p->splits;
    const bool cpu = rheo_launcher_facts(l)->kind == RHEO_CPU;
    const int64_t lanes = cpu || p->block <= ROW_GROUP ? 1 : ROW_GROUP;
    const rheo_grid simt = { { (size_t)(items * lanes), 1, 1 }, { ROW_GROUP, 1, 1 } };
    return RHEO_EMIT(l, err, "pointwise", "reduce_rows", cpu ? rheo_grid_pieces(l, items, p->block) : simt, RHEO_BUF(x), RHEO_INT(x_at),
                     RHEO_BUF(y), RHEO_INT(y_at), RHEO_INT(items), RHEO_INT(p->length), RHEO_INT(p->block), RHEO_INT(p->splits),
                     RHEO_INT(lanes), RHEO_INT(is_max));
}

/* Columns: on CPUs an item is a few vectors wide, as wide as streams well. */
enum { COLUMN_VECTORS = 8 };

static rheo_status emit_columns(rheo_launcher *l, const pass *p, cl_mem x, int64_t x_at, cl_mem y, int64_t y_at, int is_max,
                                rheo_error *err)
{
    const rheo_device_facts *f = rheo_launcher_facts(l);
    const int64_t width = f->vector_width * (f->kind == RHEO_CPU ? COLUMN_VECTORS : 1);
    const int64_t items = p->outer * p->splits * ((p->inner + width - 1) / width);
    return RHEO_EMIT(l, err, "pointwise", "reduce_columns", rheo_grid_pieces(l, items, p->block * width), RHEO_BUF(x),
                     RHEO_INT(x_at), RHEO_BUF(y), RHEO_INT(y_at), RHEO_INT(p->outer), RHEO_INT(p->length), RHEO_INT(p->inner),
                     RHEO_INT(p->block), RHEO_INT(p->splits), RHEO_INT(is_max));
}

static rheo_status reduce_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    pass p[MAX_PASSES];
    const int passes = make_passes(n->in_spec[0].shape, ((const reduce_attr *)n->attr)->axes, p), is_max = n->op == &rheo_op_max;
    cl_mem x = rheo_in(l, 0);
    int64_t x_at = 0, used = 0;
    for (int i = 0; i < passes; i++) {
        const bool last = i + 1 == passes;
        cl_mem y = last ? rheo_out(l, 0) : rheo_work(l);
        const int64_t y_at = last ? 0 : used;
        const rheo_status st = (p[i].inner == 1 ? emit_rows : emit_columns)(l, &p[i], x, x_at, y, y_at, is_max, err);
        if (st) return st;
        used += p[i].outer * p[i].splits * p[i].inner;
        x = y, x_at = y_at;
    }
    return RHEO_OK;
}

static rheo_cost reduce_cost(const rheo_node *n)
{
    const double in = (double)rheo_count(n->in_spec[0].shape), out = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ in, 4 * (in + out) };
}

static void reduce_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const rheo_shape s = n->in_spec[0].shape, to = n->out[0].shape;
    const bool is_max = n->op == &rheo_op_max;
    const double *x = in[0];
    for (int64_t i = 0; i < rheo_count(to); i++) out[0][i] = is_max ? -INFINITY : 0;
    for (int64_t i = 0; i < s.n; i++)
        for (int64_t h = 0; h < s.h; h++)
            for (int64_t w = 0; w < s.w; w++)
                for (int64_t c = 0; c < s.c; c++, x++) {
                    double *y = &out[0][rheo_at(to, i, h, w, c)];
                    *y = is_max ? fmax(*y, *x) : *y + *x;
                }
}

/* Every pattern of reduced and kept axes; lengths about the block sizes; narrow columns folded and not. */
static const reduce_attr over[] = {
    { 0 }, { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 }, { 7 }, { 8 }, { 9 }, { 10 }, { 11 }, { 12 }, { 13 }, { 14 }, { 15 },
};
#define SAMPLE(axes, n, h, w, c)                                                       \
    { .n_in = 1, .in = { RHEO_SPEC_F32(n, h, w, c) }, .fill = { { .shift = 0.25 } },   \
      .attr = &over[axes], .attr_bytes = sizeof over[axes] }
static const rheo_op_sample reduce_samples[] = {
    SAMPLE(15, 1, 1, 1, 1), SAMPLE(8, 3, 1, 5, 31), SAMPLE(8, 1, 1, 3, 64), SAMPLE(8, 2, 3, 1, 1025), SAMPLE(15, 1, 1, 1, 1024),
    SAMPLE(15, 3, 13, 27, 33), SAMPLE(14, 3, 9, 11, 65), SAMPLE(7, 2, 33, 32, 3), SAMPLE(7, 1, 5, 5, 64), SAMPLE(7, 3, 19, 19, 33),
    SAMPLE(7, 1, 33, 65, 7), SAMPLE(6, 3, 5, 7, 12), SAMPLE(1, 3, 2, 5, 3), SAMPLE(5, 3, 4, 5, 6), SAMPLE(10, 3, 5, 4, 7),
    SAMPLE(9, 3, 5, 4, 7), SAMPLE(2, 2, 32, 3, 1), SAMPLE(4, 2, 3, 65, 1), SAMPLE(3, 3, 5, 2, 3), SAMPLE(11, 2, 3, 5, 7),
    SAMPLE(12, 2, 3, 5, 7), SAMPLE(13, 2, 3, 5, 7), SAMPLE(0, 2, 3, 5, 7),
};

/* 48: an element meets at most 16 + 2 + 4 additions in a row block of 1024 (16 lanes), 64 + 6 where lanes are 4 wide, 32 + 8 in
 * a column block of 256, and as many again for each further pass; half an ulp each of partial sums no larger than the
 * samples' biased totals. */
const rheo_op rheo_op_sum = {
    .name = "sum", .infer = reduce_infer, .gradient = sum_gradient, .launch = reduce_launch, .workspace = reduce_workspace,
    .cost = reduce_cost, .reference = reduce_reference, RHEO_SAMPLES(reduce_samples), .tolerance = 48,
};
const rheo_op rheo_op_max = {
    .name = "max", .infer = reduce_infer, .gradient = max_gradient, .launch = reduce_launch, .workspace = reduce_workspace,
    .cost = reduce_cost, .reference = reduce_reference, RHEO_SAMPLES(reduce_samples),
};

/* ---- constructors ------------------------------------------------------------------------------------------------ */

static rheo_value reduce(rheo_graph *g, const rheo_op *op, rheo_value x, int axes)
{
    const reduce_attr a = { axes };
    if (!rheo_is_none(x) && !(axes & ~15)) {
        const rheo_shape s = rheo_shape_of(g, x);
        if (rheo_same_shape(s, reduced_shape(s, axes))) return x;
    }
    return rheo_apply(g, op, 1, &x, &a, sizeof a);
}

rheo_value rheo_sum(rheo_graph *g, rheo_value x, int axes) { return reduce(g, &rheo_op_sum, x, axes); }
rheo_value rheo_max(rheo_graph *g, rheo_value x, int axes) { return reduce(g, &rheo_op_max, x, axes); }

rheo_value rheo_mean(rheo_graph *g, rheo_value x, int axes)
{
    const rheo_value sum = rheo_sum(g, x, axes);
    if (rheo_is_none(sum)) return sum;
    return rheo_affine(g, sum, (double)rheo_count(rheo_shape_of(g, sum)) / (double)rheo_count(rheo_shape_of(g, x)), 0);
}

rheo_value rheo_sum_to(rheo_graph *g, rheo_value x, rheo_shape shape)
{
    if (rheo_is_none(x)) return x;
    const rheo_shape s = rheo_shape_of(g, x);
    const int axes = (shape.n == 1) * RHEO_AXIS_N + (shape.h == 1) * RHEO_AXIS_H + (shape.w == 1) * RHEO_AXIS_W +
                     (shape.c == 1) * RHEO_AXIS_C;
    if (!rheo_same_shape(reduced_shape(s, axes), shape))
        return rheo_graph_fail(g, "sum_to: " RHEO_SHAPE_TEXT " does not sum to " RHEO_SHAPE_TEXT, RHEO_SHAPE_LIST(s),
                               RHEO_SHAPE_LIST(shape));
    return rheo_sum(g, x, axes);
}
