/* Squares of x + shift per channel, summed over blocks of positions: [N,H,W,C] and [1,1,1,C] become [blocks,1,1,C], whose sum over N is
 * the variance's. The first pass of a data-dependent initialisation, in which neither x + shift nor its square is stored. */
#include "op/common.h"
#include "op/ops.h"

enum { BLOCK = 256 };       /* positions; of shape alone, so that sums are the same on every device of a kind */

static int64_t positions(rheo_shape s)
{
    return s.n * s.h * s.w;
}
static int64_t blocks_of(rheo_shape s)
{
    return (positions(s) + BLOCK - 1) / BLOCK;
}

static bool square_sums_infer(rheo_graph *g, rheo_node *n)
{
    const rheo_shape s = n->in_spec[0].shape, shift = n->in_spec[1].shape;
    if (!rheo_check_type(g, n, 0, RHEO_F32) || !rheo_check_type(g, n, 1, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = (rheo_spec){ RHEO_SHAPE(blocks_of(s), 1, 1, s.c), RHEO_F32 };
    if (rheo_same_shape(shift, rheo_vector(s.c))) return true;
    rheo_graph_fail(g, "square_sums: x is " RHEO_SHAPE_TEXT ", shift " RHEO_SHAPE_TEXT ", expected as many channels", RHEO_SHAPE_LIST(s),
                    RHEO_SHAPE_LIST(shift));
    return false;
}

static rheo_status square_sums_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const rheo_shape s = n->in_spec[0].shape;
    const int64_t width = rheo_launcher_facts(l)->vector_width, items = blocks_of(s) * ((s.c + width - 1) / width);
    return RHEO_EMIT(l, err, "pointwise", "square_sums", rheo_grid_pieces(l, items, BLOCK * width), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_in(l, 1)), RHEO_BUF(rheo_out(l, 0)), RHEO_INT(positions(s)), RHEO_INT(s.c), RHEO_INT(BLOCK));
}

static rheo_cost square_sums_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->in_spec[0].shape);
    return (rheo_cost){ 3 * count, 4 * count };
}

static void square_sums_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const int64_t c = n->in_spec[0].shape.c;
    for (int64_t i = 0; i < rheo_count(n->out[0].shape); i++) out[0][i] = 0;
    for (int64_t i = 0; i < rheo_count(n->in_spec[0].shape); i++) {
        const double x = in[0][i] + in[1][i % c];
        out[0][i / c / BLOCK * c + i % c] += x * x;
    }
}

#define SAMPLE(n, h, w, c) { .n_in = 2, .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(1, 1, 1, c) } }
static const rheo_op_sample samples[] = { SAMPLE(1, 1, 1, 1), SAMPLE(3, 9, 19, 5), SAMPLE(1, 16, 16, 16), SAMPLE(2, 8, 16, 33), SAMPLE(5, 7, 15, 130) };

/* 24: 32 additions of squares and 8 of their sums, half an ulp each of partial sums that grow to the result: less than 20 with the
 * squares' own roundings. */
const rheo_op rheo_op_square_sums = {
    .name = "square_sums", .flags = RHEO_OP_NO_GRADIENT, .infer = square_sums_infer, .launch = square_sums_launch,
    .cost = square_sums_cost, .reference = square_sums_reference, RHEO_SAMPLES(samples), .tolerance = 24,
};

rheo_value rheo_square_sums(rheo_graph *g, rheo_value x, rheo_value shift)
{
    return rheo_apply(g, &rheo_op_square_sums, 2, (const rheo_value[]){ x, shift }, NULL, 0);
}
