/* Launches of cl/conv2d_stack_backward.cl. The workspace holds the products that become dx, one for each tap, then the weights, transposed, and
 * the groups' parts of what is summed over positions. */
#include "op/conv2d.h"
#include "op/conv_geometry.h"

enum { MANY_WEIGHTS = 1 << 16 };        /* between the hidden layers: a part of them stays in the second-level cache */

bool rheo_conv_stack_backward_fits(const rheo_conv layer[3])
{
    const rheo_conv *b = &layer[1], dx = rheo_conv2d_transposed(layer[0]);
    return rheo_conv_stack_fits(layer) && rheo_conv_tap_sum_fits(&dx) && b->i % 16 == 0 && b->o % 16 == 0 && b->i * b->o <= MANY_WEIGHTS;
}

/* Groups, by shape alone, so that sums are the same whatever the number of cores: each writes a part, which takes as long as some twenty
 * positions do. */
static int64_t groups(const rheo_conv *a)
{
    const int64_t p = conv_positions(a);
    return larger(1, larger(smaller(RHEO_WANTED_GROUPS, p / 512), smaller(RHEO_WANTED_GROUPS / 4, p / 96)));
}

typedef struct room {
    int64_t products, weights, part;        /* floats */
} room;

static room room_of(const rheo_conv layer[3], const rheo_device_facts *dev)
{
    const rheo_conv *a = &layer[0], *b = &layer[1], *c = &layer[2];
    return (room){ conv_padded(conv_positions(a) * conv_depth(a), dev),
                   conv_tap_columns(c) * b->o + b->o * a->o + a->o * conv_padded(conv_depth(a), dev),
                   conv_tap_columns(c) * b->o + a->o * b->o + conv_depth(a) * a->o + 2 * (a->o + b->o) };
}

size_t rheo_conv_stack_backward_workspace(const rheo_conv layer[3], const rheo_device_facts *dev)
{
    const room r = room_of(layer, dev);
    return (size_t)(r.products + r.weights + groups(&layer[0]) * r.part);
}

rheo_status rheo_conv_launch_stack_backward(rheo_launcher *l, const rheo_conv layer[3], const rheo_stack_gradient *s, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const rheo_conv *a = &layer[0], *b = &layer[1], *c = &layer[2], back = rheo_conv2d_transposed(*c), dx = rheo_conv2d_transposed(*a);
    const room r = room_of(layer, dev);
    const int64_t parts = r.products + r.weights, rows = conv_tap_columns(c) + a->o + conv_depth(a);
    const rheo_epilogue sum = { s->w[0], s->w[0], -1, 0, s->add, NULL };
    rheo_status st = RHEO_EMIT(l, err, "conv2d", "stack_backward_weights", rheo_grid_items(l, r.weights), RHEO_BUF(s->w[0]), RHEO_BUF(s->w[1]),
                               RHEO_BUF(s->w[2]), RHEO_BUF(rheo_work(l)), RHEO_INT(r.products), RHEO_INT(a->i), RHEO_INT(a->o), RHEO_INT(b->o),
                               RHEO_INT(c->o), RHEO_INT(conv_taps(a)), RHEO_INT(conv_taps(c)));
    if (!st)
        st = RHEO_EMIT(l, err, "conv2d", "conv2d_stack_backward", rheo_grid_single(groups(a), 1, 1), RHEO_BUF(s->dz), RHEO_BUF(s->h2),
                       RHEO_BUF(s->h1), RHEO_BUF(s->x), RHEO_BUF(s->l[0]), RHEO_BUF(s->l[1]), RHEO_BUF(rheo_work(l)), RHEO_CONV_GEOMETRY(a),
                       RHEO_INT(a->x_c), RHEO_INT(b->o), RHEO_INT(back.h), RHEO_INT(back.w), RHEO_INT(back.i), RHEO_INT(back.kw),
                       RHEO_INT(back.pad_h), RHEO_INT(back.dilation), RHEO_INT(conv_tap_columns(c)), RHEO_INT(s->relu[0]),
                       RHEO_FLOAT(s->factor[0]), RHEO_INT(s->relu[1]), RHEO_FLOAT(s->factor[1]), RHEO_INT(r.products),
                       RHEO_INT(parts), RHEO_INT(r.part));
    if (!st) st = rheo_conv_launch_tap_sum(l, &dx, &sum, s->dx, err);
    if (st) return st;
    return RHEO_EMIT(l, err, "conv2d", "stack_backward_totals", rheo_grid_items(l, rows * b->o), RHEO_BUF(rheo_work(l)), RHEO_BUF(s->dw[0]),
                     RHEO_BUF(s->db[0]), RHEO_BUF(s->dl[0]), RHEO_BUF(s->dw[1]), RHEO_BUF(s->db[1]), RHEO_BUF(s->dl[1]), RHEO_BUF(s->dw[2]),
                     RHEO_INT(parts), RHEO_INT(groups(a)), RHEO_INT(r.part), RHEO_INT(conv_depth(a)), RHEO_INT(a->o), RHEO_INT(b->o),
                     RHEO_INT(c->o), RHEO_INT(conv_tap_columns(c)), RHEO_FLOAT(s->factor[0]), RHEO_FLOAT(s->factor[1]));
}
