/* Launches of products with few columns or by small matrices, cl/conv2d_few.cl. */
#include "op/conv_geometry.h"

enum { THIN_POSITIONS = 128, THIN_COLUMNS = 12 }; /* of cl/conv2d_few.cl */

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
static int64_t thin_width(int64_t o)
{
    int64_t width = 4;
    for (int64_t w = 3; w > 1; --w)
        if (round_up(o, w) < round_up(o, width)) width = w;
    return width;
}

rheo_status rheo_conv_launch_thin(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err)
{
    const int64_t p = conv_positions(c), width = thin_width(c->o), all = round_up(c->o, width);
    const int64_t columns = round_up(divide_up(all, divide_up(all, THIN_COLUMNS)), width);
    const int64_t chunk = smaller(THIN_POSITIONS, larger(64, divide_up(p * divide_up(c->o, columns), 8)));
    return RHEO_EMIT(l, err, "conv2d", "conv2d_thin", rheo_grid_single(divide_up(p, chunk), divide_up(c->o, columns), c->batch),
                     RHEO_BUF(x), RHEO_BUF(w), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : w), RHEO_BUF(y),
                     RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in),
                     RHEO_INT(c->s_out), RHEO_INT(chunk), RHEO_INT(columns), RHEO_INT(width), RHEO_INT(e->add != NULL), RHEO_INT(e->act),
                     RHEO_FLOAT(e->factor), RHEO_INT(c->n * c->h * c->w * c->x_c), RHEO_INT(conv_depth(c) * c->o), RHEO_INT(p * c->y_c));
}
