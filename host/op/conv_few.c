/* Launches of products with few columns or by small matrices, cl/conv2d_few.cl. */
#include "op/conv_geometry.h"

enum { THIN_WEIGHTS = 1 << 16, THIN_COLUMNS = 12 }; /* of cl/conv2d_few.cl */

rheo_status rheo_conv_launch_small(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                   rheo_error *err)
{
    const int64_t p = conv_positions(c), chunk = larger(64, divide_up(p, RHEO_WANTED_GROUPS));
    return RHEO_EMIT(l, err, "conv2d", "conv2d_small", rheo_grid_single(divide_up(p, chunk), 1, c->batch), RHEO_BUF(x), RHEO_BUF(w),
                     RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : w), RHEO_BUF(y), RHEO_INT(c->i), RHEO_INT(c->o),
                     RHEO_INT(p), RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(c->base), RHEO_INT(c->s_in), RHEO_INT(c->s_out),
                     RHEO_INT(chunk), RHEO_INT(e->add != NULL), RHEO_INT(e->act), RHEO_FLOAT(e->factor), RHEO_INT(p * c->x_c),
                     RHEO_INT(c->i * c->o), RHEO_INT(p * c->y_c));
}

/* Columns a panel: as few beyond the last column as can be. */
int64_t rheo_conv_thin_width(int64_t o)
{
    int64_t width = 4;
    for (int64_t w = 3; w > 1; --w)
        if (round_up(o, w) < round_up(o, width)) width = w;
    return width;
}

typedef struct thin_shape {
    int64_t width, columns, shares, spans;
} thin_shape;

/* Each span packs the weights anew, which costs about what 20 positions do. */
static thin_shape shape_of(const rheo_conv *c)
{
    thin_shape s = { .width = rheo_conv_thin_width(c->o) };
    const int64_t all = round_up(c->o, s.width), most = smaller(THIN_COLUMNS, THIN_WEIGHTS / conv_depth(c));
    s.columns = round_up(divide_up(all, divide_up(all, most / s.width * s.width)), s.width);
    s.shares = divide_up(c->o, s.columns);
    s.spans = larger(1, smaller(RHEO_WANTED_GROUPS, conv_positions(c) / 128));
    return s;
}

/* Without a window a vector of columns is enough for the other form, which reads x but once. */
bool rheo_conv_suits_thin(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t depth = conv_depth(c), vec = dev->vector_width;
    if (c->kh * c->kw == 1 && c->o >= vec) return false;
    return c->i % vec == 0 && depth >= 4 * vec && depth * rheo_conv_thin_width(c->o) <= THIN_WEIGHTS && c->o <= RHEO_THIN_MAX;
}

size_t rheo_conv_thin_workspace(const rheo_conv *c)
{
    const thin_shape s = shape_of(c);
    return c->pad_h + c->pad_w > 0 ? (size_t)(c->batch * s.spans * s.shares * c->i) : 0;
}

rheo_status rheo_conv_launch_thin(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err)
{
    const int64_t p = conv_positions(c);
    const thin_shape s = shape_of(c);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_thin", rheo_grid_single(s.spans, s.shares, c->batch), RHEO_BUF(x), RHEO_BUF(w),
                     RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : w), RHEO_BUF(y), RHEO_BUF(rheo_conv_thin_workspace(c) ? rheo_work(l) : w),
                     RHEO_CONV_GEOMETRY(c),
                     RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in), RHEO_INT(c->s_out),
                     RHEO_INT(s.columns), RHEO_INT(s.width), RHEO_INT(e->add != NULL), RHEO_INT(e->act), RHEO_FLOAT(e->factor),
                     RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_depth(c) * c->o), RHEO_INT(p * c->y_c));
}
