/* Launches of cl/conv2d_stack.cl. The workspace holds the last convolution's products, one for each of its taps, and then all weights. */
#include "op/conv_geometry.h"

enum { NEAR_CHANNELS = 512, NEAR_ROWS = 6, TAP_COLUMNS = 48, TAPS_MOST = 49 };    /* of cl/conv2d_stack.cl */
enum { VECTOR_MOST = 16 };
enum { POSITIONS = 48 };        /* of a group, or fewer: many groups, for cores that others slow down */

/* What the last convolution becomes. */
static int64_t products(const rheo_conv *c, const rheo_device_facts *dev)
{
    return conv_padded(c->n * c->h * c->w * conv_tap_columns(c), dev);
}

bool rheo_conv_tap_sum_fits(const rheo_conv *c)
{
    const int64_t wide = round_up(conv_tap_columns(c), VECTOR_MOST);
    return c->o <= TAP_COLUMNS && conv_taps(c) <= TAPS_MOST && wide <= NEAR_CHANNELS && c->n * c->h * c->w * wide <= RHEO_CONV_MOST;
}

bool rheo_conv_stack_fits(const rheo_conv layer[3])
{
    const rheo_conv *a = &layer[0], *b = &layer[1], *c = &layer[2];
    const bool pointwise = conv_taps(b) == 1 && b->pad_h == 0 && b->pad_w == 0;
    return pointwise && larger(larger(conv_depth(a), a->o), b->o) <= NEAR_CHANNELS && rheo_conv_tap_sum_fits(c);
}

size_t rheo_conv_stack_workspace(const rheo_conv layer[3], const rheo_device_facts *dev)
{
    const rheo_conv *a = &layer[0], *b = &layer[1], *c = &layer[2];
    return (size_t)(products(c, dev) + conv_depth(a) * conv_padded(a->o, dev) + b->i * conv_padded(b->o, dev) +
                    c->i * conv_padded(conv_tap_columns(c), dev));
}

rheo_status rheo_conv_launch_tap_sum(rheo_launcher *l, const rheo_conv *c, const rheo_epilogue *e, cl_mem y, rheo_error *err)
{
    const int64_t columns = conv_tap_columns(c);
    return RHEO_EMIT(l, err, "conv2d", "tap_sum", rheo_grid_items(l, conv_positions(c) * columns), RHEO_BUF(rheo_work(l)), RHEO_BUF(e->b),
                     RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : y), RHEO_BUF(y), RHEO_INT(c->h), RHEO_INT(c->w), RHEO_INT(c->o),
                     RHEO_INT(c->oh), RHEO_INT(c->ow), RHEO_INT(c->n * c->oh), RHEO_INT(c->kh), RHEO_INT(c->kw), RHEO_INT(c->pad_h),
                     RHEO_INT(c->dilation), RHEO_INT(columns), RHEO_INT(c->y_c), RHEO_INT(e->add != NULL), RHEO_INT(e->act), RHEO_FLOAT(e->factor));
}

rheo_status rheo_conv_launch_stack(rheo_launcher *l, const rheo_conv layer[3], const cl_mem w[3], const rheo_epilogue e[3], cl_mem x, cl_mem y,
                                   const cl_mem hidden[2], rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const rheo_conv *a = &layer[0], *b = &layer[1], *c = &layer[2];
    const int64_t p = conv_positions(a), columns = conv_tap_columns(c);
    const int64_t groups = smaller(round_up(divide_up(p, POSITIONS), dev->compute_units), divide_up(p, NEAR_ROWS));
    rheo_status st = RHEO_EMIT(l, err, "conv2d", "stack_weights", rheo_grid_items(l, conv_depth(a) * a->o + b->i * b->o + c->i * columns),
                               RHEO_BUF(w[0]), RHEO_BUF(w[1]), RHEO_BUF(w[2]), RHEO_BUF(rheo_work(l)), RHEO_INT(products(c, dev)),
                               RHEO_INT(conv_depth(a)), RHEO_INT(a->o), RHEO_INT(b->o), RHEO_INT(c->o), RHEO_INT(conv_taps(c)));
    if (!st)
        st = RHEO_EMIT(l, err, "conv2d", "conv2d_stack", rheo_grid_single(groups, 1, 1), RHEO_BUF(x), RHEO_BUF(e[0].b), RHEO_BUF(e[0].l),
                       RHEO_BUF(e[1].b), RHEO_BUF(e[1].l), RHEO_BUF(rheo_work(l)), RHEO_BUF(hidden[0] ? hidden[0] : y),
                       RHEO_BUF(hidden[1] ? hidden[1] : y), RHEO_CONV_GEOMETRY(a), RHEO_INT(a->x_c), RHEO_INT(b->o), RHEO_INT(columns),
                       RHEO_INT(e[0].act), RHEO_FLOAT(e[0].factor), RHEO_INT(e[1].act), RHEO_FLOAT(e[1].factor), RHEO_INT(products(c, dev)),
                       RHEO_INT(hidden[0] != NULL));
    return st ? st : rheo_conv_launch_tap_sum(l, c, &e[2], y, err);
}
