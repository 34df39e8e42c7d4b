/* Launches of 3x3 convolutions by Winograd's F(2x2, 3x3), cl/conv2d_winograd{,_few,_dw}.cl: 16 products where a direct one takes 36; or, between
 * many channels and where asked for, by F(4x4, 3x3): 36 where a direct one takes 144. By shape alone, so that results are the same whatever
 * the device's number of cores. */
#include "op/conv_geometry.h"

/* Outputs of a line of a tile, points, and of cl/conv2d_winograd.cl tiles and floats of x at a time. Weights are transformed at the price of
 * `least` tiles, or less. */
typedef struct filter {
    const char *program;
    int64_t out, points, tiles, transformed, least;
    int64_t dw_rows, part_tiles; /* of a group of cl/conv2d_winograd_dw.cl; tiles that are worth a dw of their own */
} filter;
static const filter f23 = { "winograd", 2, 16, 48, 1 << 16, 128, 64, 192 }, f43 = { "winograd_f43", 4, 36, 24, 1 << 17, 40, 32, 64 };
static const filter *filter_of(const rheo_conv *c) { return c->way == RHEO_CONV_F43 ? &f43 : &f23; }

enum { GAP = 16 };                                    /* of cl/winograd.cl */
enum { SIDE = 32768, DW_TILES = 24 };                 /* of cl/conv2d_winograd_dw.cl */
/* From so many channels on both sides the transforms are worth it; with as many on one side, from so few on the other of x, of y, of both
 * where dw is made. */
enum { MANY = 32, FEW_OF_X = 4, FEW_OF_Y = 8, FEW_OF_DW = 8 };
enum { FEW_TILES = 12 };                              /* at a time, whose products of few channels stay near */
enum { MANY_PARTS = 8 };

typedef struct tiling {
    int64_t down, across, all, at_a_time;
} tiling;

static tiling tiling_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    const filter *f = filter_of(c);
    const int64_t d = c->dilation, rows = conv_rows(dev);
    tiling t = { .down = divide_up(divide_up(c->oh, d), f->out), .across = divide_up(divide_up(c->ow, d), f->out) };
    t.all = c->n * d * d * t.down * t.across;
    const int64_t most = c->i < MANY ? FEW_TILES : f->tiles, wide = round_up(c->i, dev->vector_width);
    t.at_a_time = smaller(smaller(most, f->transformed / (f->points * (wide + GAP))), larger(t.all / 16, rows)) / rows * rows;
    return t;
}

/* The ragged edge, whose tiles are computed whole, must not eat up what is saved: the transforms add a quarter to a tile's products, where a
 * direct form has 9 an output. */
static bool tiles_well(const rheo_conv *c, const rheo_device_facts *dev)
{
    const tiling t = tiling_of(c, dev);
    return dev->kind == RHEO_CPU && c->batch == 1 && c->kh == 3 && c->kw == 3 && t.at_a_time > 0
           && t.all * filter_of(c)->points * 5 / 4 < conv_positions(c) * 9
           && smaller(c->h * c->w * c->x_c, c->oh * c->ow * c->o) >= conv_columns(dev);
}

static bool tiles_are_many(const rheo_conv *c, const rheo_device_facts *dev)
{
    return tiling_of(c, dev).all >= filter_of(c)->least;
}

/* Many channels to many or a panel of columns, or few to many. */
bool rheo_conv_suits_winograd(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t columns = conv_columns(dev);
    const bool many = c->i >= MANY && c->i % dev->vector_width == 0 && (c->o >= MANY || c->o == columns);
    const bool few = c->i >= FEW_OF_X && c->i < MANY && c->o >= MANY && c->o % columns == 0 && c->way == RHEO_CONV_F23;
    return (many || few) && c->y_c == c->o && tiles_well(c, dev) && tiles_are_many(c, dev);
}

bool rheo_conv_dw_suits_winograd(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t few = smaller(c->i, c->o), many = larger(c->i, c->o);
    return tiles_well(c, dev) && c->y_c == c->o && few >= (c->way == RHEO_CONV_F23 ? FEW_OF_DW : MANY) && many >= MANY;
}

bool rheo_conv_winograd_has_backward(const rheo_conv *c, const rheo_device_facts *dev)
{
    return c->o % dev->vector_width == 0 && c->o <= RHEO_COLUMNS_MAX;
}

static int64_t weights(const rheo_conv *c, const rheo_device_facts *dev)
{
    return filter_of(c)->points * c->i * round_up(c->o, conv_columns(dev));
}

int64_t rheo_conv_winograd_spans(const rheo_conv *c, const rheo_device_facts *dev)
{
    const tiling t = tiling_of(c, dev);
    return smaller(divide_up(t.all, t.at_a_time), RHEO_WANTED_GROUPS);
}

/* Sums of a gradient, the transformed weights, a line of zeros. */
static int64_t sums(const rheo_conv *c, const rheo_device_facts *dev)
{
    return 2 * c->o * rheo_conv_winograd_spans(c, dev);
}

size_t rheo_conv_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    return (size_t)(sums(c, dev) + weights(c, dev) + round_up(c->i, dev->vector_width));
}

rheo_status rheo_conv_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                      rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const tiling t = tiling_of(c, dev);
    const cl_mem add = e->add ? e->add : e->backward ? e->backward : w;
    const filter *f = filter_of(c);
    rheo_status st = RHEO_EMIT(l, err, f->program, "winograd_weights", rheo_grid_items(l, weights(c, dev) / f->points), RHEO_BUF(w),
                               RHEO_BUF(rheo_work(l)), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->base), RHEO_INT(c->s_tap),
                               RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(sums(c, dev)), RHEO_INT(round_up(c->i, dev->vector_width)));
    if (st) return st;
    return RHEO_EMIT(l, err, f->program, "conv2d_winograd", rheo_grid_single(rheo_conv_winograd_spans(c, dev), 1, 1), RHEO_BUF(x),
                     RHEO_BUF(rheo_work(l)), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(add), RHEO_BUF(y), RHEO_INT(c->h), RHEO_INT(c->w),
                     RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->oh), RHEO_INT(c->ow), RHEO_INT(c->pad_h), RHEO_INT(c->pad_w),
                     RHEO_INT(c->dilation), RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(t.all), RHEO_INT(t.down), RHEO_INT(t.across),
                     RHEO_INT(t.at_a_time), RHEO_INT(sums(c, dev)), RHEO_INT(e->add != NULL), RHEO_INT(e->backward != NULL),
                     RHEO_INT(e->act), RHEO_FLOAT(e->factor));
}

/* ---- few columns -------------------------------------------------------------------------------------------------- */

bool rheo_conv_suits_winograd_few(const rheo_conv *c, const rheo_device_facts *dev)
{
    return c->i >= 2 * MANY && c->i % dev->vector_width == 0 && c->o >= FEW_OF_Y && c->o < MANY && tiles_well(c, dev)
           && tiles_are_many(c, dev);
}

size_t rheo_conv_winograd_few_workspace(const rheo_conv *c)
{
    return (size_t)(16 * c->i * round_up(c->o, rheo_conv_thin_width(c->o)) + c->i);
}

rheo_status rheo_conv_launch_winograd_few(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                          rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const tiling t = tiling_of(c, dev);
    const int64_t width = rheo_conv_thin_width(c->o), tiles = 2 * conv_rows(dev) / width, vec = dev->vector_width;
    const int64_t depth = conv_even_block(c->i, smaller(128, (80 * conv_rows(dev) / tiles - GAP) / vec * vec), vec);
    const int64_t spans = smaller(divide_up(t.all, tiles), RHEO_WANTED_GROUPS);
    rheo_status st = RHEO_EMIT(l, err, "winograd", "winograd_few_weights", rheo_grid_items(l, c->i / vec * round_up(c->o, width)), RHEO_BUF(w),
                               RHEO_BUF(rheo_work(l)), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->base), RHEO_INT(c->s_tap),
                               RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(width));
    if (st) return st;
    return RHEO_EMIT(l, err, "winograd", "conv2d_winograd_few", rheo_grid_single(spans, 1, 1), RHEO_BUF(x), RHEO_BUF(rheo_work(l)),
                     RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : w), RHEO_BUF(y), RHEO_INT(c->h), RHEO_INT(c->w),
                     RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->oh), RHEO_INT(c->ow), RHEO_INT(c->pad_h), RHEO_INT(c->pad_w),
                     RHEO_INT(c->dilation), RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(t.all), RHEO_INT(t.down), RHEO_INT(t.across),
                     RHEO_INT(width), RHEO_INT(depth), RHEO_INT(e->add != NULL), RHEO_INT(e->act), RHEO_FLOAT(e->factor));
}

/* ---- dw ----------------------------------------------------------------------------------------------------------- */

/* Rows are the channels of x and columns those of dy, or with `mirrored` the other way round, so that few are rows. The block of a group, and
 * how many parts all tiles are cut into. */
typedef struct dw_cut {
    bool mirrored;
    int64_t row_block, column_block, row_blocks, column_blocks, parts, at_a_time, longer;
} dw_cut;

static dw_cut cut_dw(const rheo_conv *c, const rheo_device_facts *dev)
{
    const filter *f = filter_of(c);
    const int64_t vec = dev->vector_width, all = tiling_of(c, dev).all;
    dw_cut u = { .mirrored = c->o < c->i && c->o < MANY };
    const int64_t rows = u.mirrored ? c->o : c->i, columns = u.mirrored ? c->i : c->o;
    const bool few = rows < MANY;
    u.row_block = conv_even_block(rows, f->dw_rows, few ? 1 : vec);
    u.column_block = conv_even_block(columns, few && all >= MANY_PARTS * f->part_tiles ? 128 : 64, conv_columns(dev));
    u.row_blocks = divide_up(rows, u.row_block);
    u.column_blocks = divide_up(columns, u.column_block);
    u.parts = larger(1, smaller(divide_up(RHEO_WANTED_GROUPS, u.row_blocks * u.column_blocks), all / f->part_tiles));
    u.at_a_time = smaller(DW_TILES, SIDE / (f->points * (round_up(u.row_block, vec) + GAP)));
    u.longer = round_up(larger(rows, columns), conv_columns(dev));
    return u;
}

static int64_t dw_parts(const rheo_conv *c, const dw_cut *u) { return u->parts > 1 ? u->parts * conv_depth(c) * c->o : 0; }

size_t rheo_conv_dw_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const dw_cut u = cut_dw(c, dev);
    return (size_t)(dw_parts(c, &u) + u.row_blocks * u.column_blocks * u.parts * u.longer);
}

rheo_status rheo_conv_dw_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const tiling t = tiling_of(c, rheo_launcher_facts(l));
    const dw_cut u = cut_dw(c, rheo_launcher_facts(l));
    const rheo_status st =
        RHEO_EMIT(l, err, filter_of(c)->program, "conv2d_winograd_dw", rheo_grid_single(u.row_blocks, u.column_blocks, u.parts), RHEO_BUF(x), RHEO_BUF(dy),
                  RHEO_BUF(dw), RHEO_BUF(rheo_work(l)), RHEO_INT(c->h), RHEO_INT(c->w), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->oh),
                  RHEO_INT(c->ow), RHEO_INT(c->pad_h), RHEO_INT(c->pad_w), RHEO_INT(c->dilation), RHEO_INT(c->x_c), RHEO_INT(t.all),
                  RHEO_INT(t.down), RHEO_INT(t.across), RHEO_INT(u.at_a_time), RHEO_INT(u.row_block), RHEO_INT(u.column_block),
                  RHEO_INT(u.mirrored), RHEO_INT(u.longer));
    return st || u.parts == 1 ? st : rheo_conv_launch_total(l, c, u.parts, dw, err);
}
