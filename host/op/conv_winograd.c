/* Launches of 3x3 convolutions by Winograd's F(2x2, 3x3), cl/conv2d_winograd{,_dw}.cl: 16 products where a direct one takes 36.
 * By shape alone, so that results are the same whatever the device's number of cores. */
#include "op/conv_geometry.h"

enum { TILES = 48, TRANSFORMED = 1 << 16, GAP = 16 }; /* of cl/conv2d_winograd.cl */
enum { SIDE = 32768, SUMS = 1 << 16 };                /* of cl/conv2d_winograd_dw.cl */
enum { CHANNELS = 32 };                               /* on both sides from which the transforms are worth it */
enum { PART_TILES = 192 };                            /* that are worth a dw of their own */

typedef struct tiling {
    int64_t down, across, all, at_a_time;
} tiling;

static tiling tiling_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t d = c->dilation, rows = conv_rows(dev);
    tiling t = { .down = divide_up(divide_up(c->oh, d), 2), .across = divide_up(divide_up(c->ow, d), 2) };
    t.all = c->n * d * d * t.down * t.across;
    t.at_a_time = smaller(smaller(TILES, TRANSFORMED / (16 * (c->i + GAP))), larger(t.all / 16, rows)) / rows * rows;
    return t;
}

/* The ragged edge, whose tiles are computed whole, must not eat up what is saved: of 36 products a tile 16 remain, 20 with the
 * transforms. */
bool rheo_conv_suits_winograd(const rheo_conv *c, const rheo_device_facts *dev)
{
    const tiling t = tiling_of(c, dev);
    return dev->kind == RHEO_CPU && c->batch == 1 && c->kh == 3 && c->kw == 3 && c->i >= CHANNELS && c->o >= CHANNELS
           && c->i % dev->vector_width == 0 && c->y_c == c->o && t.at_a_time > 0 && t.all * 20 < conv_positions(c) * 9;
}

/* Weights are transformed at the price of some 50 tiles. */
bool rheo_conv_tiles_are_many(const rheo_conv *c, const rheo_device_facts *dev)
{
    return tiling_of(c, dev).all >= 128;
}

static int64_t weights(const rheo_conv *c, const rheo_device_facts *dev)
{
    return 16 * c->i * round_up(c->o, conv_columns(dev));
}

size_t rheo_conv_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    return (size_t)(weights(c, dev) + c->i);
}

rheo_status rheo_conv_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                      rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const tiling t = tiling_of(c, dev);
    const int64_t blocks = divide_up(t.all, t.at_a_time), spans = smaller(blocks, RHEO_WANTED_GROUPS);
    rheo_status st = RHEO_EMIT(l, err, "score", "winograd_weights", rheo_grid_items(l, weights(c, dev) / 16), RHEO_BUF(w),
                               RHEO_BUF(rheo_work(l)), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->base), RHEO_INT(c->s_tap),
                               RHEO_INT(c->s_in), RHEO_INT(c->s_out));
    if (st) return st;
    return RHEO_EMIT(l, err, "score", "conv2d_winograd", rheo_grid_single(spans, 1, 1), RHEO_BUF(x), RHEO_BUF(rheo_work(l)),
                     RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : w), RHEO_BUF(y), RHEO_INT(c->h), RHEO_INT(c->w),
                     RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->oh), RHEO_INT(c->ow), RHEO_INT(c->pad_h), RHEO_INT(c->pad_w),
                     RHEO_INT(c->dilation), RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(t.all), RHEO_INT(t.down), RHEO_INT(t.across),
                     RHEO_INT(t.at_a_time), RHEO_INT(e->add != NULL), RHEO_INT(e->act), RHEO_FLOAT(e->factor));
}

/* ---- dw ----------------------------------------------------------------------------------------------------------- */

/* The block of a group, and how many parts all tiles are cut into. */
typedef struct dw_cut {
    int64_t i_block, o_block, blocks_i, blocks_o, parts, at_a_time;
} dw_cut;

static dw_cut cut_dw(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t columns = conv_columns(dev), all = tiling_of(c, dev).all;
    dw_cut u = { .blocks_i = divide_up(c->i, 64), .blocks_o = divide_up(c->o, 64) };
    u.i_block = round_up(divide_up(c->i, u.blocks_i), dev->vector_width);
    u.o_block = round_up(divide_up(c->o, u.blocks_o), columns);
    u.blocks_i = divide_up(c->i, u.i_block);
    u.blocks_o = divide_up(c->o, u.o_block);
    u.parts = larger(1, smaller(divide_up(RHEO_WANTED_GROUPS, u.blocks_i * u.blocks_o), all / PART_TILES));
    u.at_a_time = SIDE / (16 * (larger(u.i_block, u.o_block) + GAP));
    return u;
}

static int64_t dw_parts(const rheo_conv *c, const dw_cut *u) { return u->parts > 1 ? u->parts * conv_depth(c) * c->o : 0; }

size_t rheo_conv_dw_winograd_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const dw_cut u = cut_dw(c, dev);
    return (size_t)(dw_parts(c, &u) + u.blocks_i * u.blocks_o * u.parts * larger(u.i_block, u.o_block));
}

rheo_status rheo_conv_dw_launch_winograd(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const tiling t = tiling_of(c, rheo_launcher_facts(l));
    const dw_cut u = cut_dw(c, rheo_launcher_facts(l));
    const rheo_status st =
        RHEO_EMIT(l, err, "score", "conv2d_winograd_dw", rheo_grid_single(u.blocks_i, u.blocks_o, u.parts), RHEO_BUF(x), RHEO_BUF(dy),
                  RHEO_BUF(dw), RHEO_BUF(rheo_work(l)), RHEO_INT(c->h), RHEO_INT(c->w), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(c->oh),
                  RHEO_INT(c->ow), RHEO_INT(c->pad_h), RHEO_INT(c->pad_w), RHEO_INT(c->dilation), RHEO_INT(c->x_c), RHEO_INT(t.all),
                  RHEO_INT(t.down), RHEO_INT(t.across), RHEO_INT(u.at_a_time), RHEO_INT(u.i_block), RHEO_INT(u.o_block));
    return st || u.parts == 1 ? st : rheo_conv_launch_total(l, c, u.parts, dw, err);
}
