/* What the launches of convolutions share; host/op/conv_*.c only. */
#ifndef RHEO_OP_CONV_GEOMETRY_H
#define RHEO_OP_CONV_GEOMETRY_H

#include "op/conv_launch.h"

/* SIDE and TILE of cl/conv2d_simt.cl. */
static inline int64_t conv_simt_side(const rheo_device_facts *dev)
{
    return dev->group == 256 ? 16 : 8;
}
static inline int64_t conv_simt_tile(const rheo_device_facts *dev)
{
    return 4 * conv_simt_side(dev);
}

enum { RHEO_SMALL_MAX = 48, RHEO_THIN_MAX = 48 }; /* channels, of cl/conv2d_few.cl; columns that are few */

enum { RHEO_COLUMNS_MAX = 1024 }; /* of a group, of cl/conv2d.cl */

/* Groups that keep the cores of a large CPU busy and small ones evenly so. */
enum { RHEO_WANTED_GROUPS = 32 };

/* The register tile, ROWS x COLS of cl/conv2d.cl. */
static inline int64_t conv_rows(const rheo_device_facts *dev)
{
    return dev->vector_width == 16 ? 12 : 6;
}
static inline int64_t conv_columns(const rheo_device_facts *dev)
{
    return 2 * (int64_t)dev->vector_width;
}

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t round_up(int64_t a, int64_t b)
{
    return divide_up(a, b) * b;
}
static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Blocks of `count` that are alike, multiples of `tile`, at most `most` long. */
static inline int64_t conv_even_block(int64_t count, int64_t most, int64_t tile)
{
    return smaller(count, round_up(divide_up(count, divide_up(count, most)), tile));
}

/* Rows of so many, whole tiles of them, that a launch of `flops` in all should take. */
static inline int64_t conv_simt_rows(const rheo_device_facts *dev, int64_t rows, double flops)
{
    const double launches = dev->launch_flops ? flops / (double)dev->launch_flops : 1;
    return launches <= 1 ? rows : round_up(larger(1, (int64_t)((double)rows / launches)), conv_simt_tile(dev));
}

/* A group for each tile of so many columns and rows, batch times. */
static inline rheo_grid conv_simt_grid(const rheo_device_facts *dev, int64_t columns, int64_t rows, int64_t batch)
{
    const int64_t side = conv_simt_side(dev), tile = conv_simt_tile(dev);
    return (rheo_grid){ { (size_t)(divide_up(columns, tile) * side), (size_t)(divide_up(rows, tile) * side), (size_t)batch },
                        { (size_t)side, (size_t)side, 1 } };
}

static inline int64_t conv_depth(const rheo_conv *c)
{
    return c->kh * c->kw * c->i;
}
static inline int64_t conv_taps(const rheo_conv *c)
{
    return c->kh * c->kw;
}
/* Of the outputs at every tap, side by side. */
static inline int64_t conv_tap_columns(const rheo_conv *c)
{
    return conv_taps(c) * c->o;
}
/* Columns up to whole vectors. */
static inline int64_t conv_padded(int64_t columns, const rheo_device_facts *dev)
{
    return round_up(columns, dev->vector_width);
}
static inline int64_t conv_positions(const rheo_conv *c)
{
    return c->n * c->oh * c->ow;
}
static inline double conv_flops(const rheo_conv *c)
{
    return 2.0 * (double)(conv_positions(c) * conv_depth(c) * c->o * c->batch);
}
static inline int64_t conv_x_floats(const rheo_conv *c)
{
    return c->n * c->h * c->w * c->x_c;
}

/* host/op/conv_few.c: 1x1 windows of at most RHEO_SMALL_MAX channels; few columns; the workspace is the launch's. */
rheo_status rheo_conv_launch_small(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                   rheo_error *err);
int64_t rheo_conv_thin_width(int64_t o);
bool rheo_conv_suits_thin(const rheo_conv *c, const rheo_device_facts *dev);
size_t rheo_conv_thin_workspace(const rheo_conv *c);
rheo_status rheo_conv_launch_thin(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err);

/* host/op/conv_winograd.c: 3x3 windows between many channels; the workspaces are the launches'. */
bool rheo_conv_suits_winograd(const rheo_conv *c, const rheo_device_facts *dev);
bool rheo_conv_dw_suits_winograd(const rheo_conv *c, const rheo_device_facts *dev);
bool rheo_conv_winograd_has_backward(const rheo_conv *c, const rheo_device_facts *dev);
int64_t rheo_conv_winograd_spans(const rheo_conv *c, const rheo_device_facts *dev);
size_t rheo_conv_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev);
rheo_status rheo_conv_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                      rheo_error *err);

/* Few columns. */
bool rheo_conv_suits_winograd_few(const rheo_conv *c, const rheo_device_facts *dev);
size_t rheo_conv_winograd_few_workspace(const rheo_conv *c);
rheo_status rheo_conv_launch_winograd_few(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                          rheo_error *err);

size_t rheo_conv_dw_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev);
rheo_status rheo_conv_dw_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err);

/* host/op/conv_stack.c: y of products with each tap's weights, which are the workspace's beginning; whether its kernel holds as many. */
bool rheo_conv_tap_sum_fits(const rheo_conv *c);
rheo_status rheo_conv_launch_tap_sum(rheo_launcher *l, const rheo_conv *c, const rheo_epilogue *e, cl_mem y, rheo_error *err);

/* host/op/conv_dw.c: dw, the sum of `parts` of it in the workspace. */
rheo_status rheo_conv_launch_total(rheo_launcher *l, const rheo_conv *c, int64_t parts, cl_mem dw, rheo_error *err);

/* What every kernel takes of a product, from x's height to the reduction's length. */
#define RHEO_CONV_GEOMETRY(c)                                                                                                              \
    RHEO_INT((c)->h), RHEO_INT((c)->w), RHEO_INT((c)->i), RHEO_INT((c)->o), RHEO_INT((c)->oh), RHEO_INT((c)->ow),                          \
        RHEO_INT(conv_positions(c)), RHEO_INT((c)->kw), RHEO_INT((c)->pad_h), RHEO_INT((c)->pad_w), RHEO_INT((c)->dilation),               \
        RHEO_INT(conv_depth(c))

#endif
