#include "op/conv_geometry.h"

/* ---- y = patch w: which kernel, and weights in which order ------------------------------------------------- */

/* AS_IS: vectors of columns are read from the weights where they lie. PANELS: the same kernel reads them from copies in
 * the workspace. THIN: vectors along the reduction, for few columns. SMALL: a product by a small matrix. */
typedef enum form { SIMT, AS_IS, PANELS, THIN, SMALL } form;

static form form_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    if (dev->kind != RHEO_CPU) return SIMT;
    const int64_t vec = dev->vector_width, k = conv_depth(c);
    const bool pointwise = c->kh == 1 && c->kw == 1 && c->pad_h == 0 && c->pad_w == 0;
    if (pointwise && larger(c->i, c->o) <= RHEO_SMALL_MAX) return SMALL;
    if (c->i % vec == 0 && k >= 4 * vec && c->o <= RHEO_THIN_MAX) return THIN;
    const bool plain = c->s_out == 1 && c->s_in == c->o && c->s_tap == c->i * c->o;
    /* Panels of weights beyond the second-level cache come in line by line from far apart. */
    return plain && k * c->o <= 400000 ? AS_IS : PANELS;
}

/* One panel's copy and one product's. */
static int64_t panel_floats(const rheo_conv *c, const rheo_device_facts *dev)
{
    return round_up(conv_depth(c), dev->vector_width) * conv_columns(dev);
}
static int64_t packed_floats(const rheo_conv *c, const rheo_device_facts *dev)
{
    return divide_up(c->o, conv_columns(dev)) * panel_floats(c, dev);
}

size_t rheo_conv_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    return form_of(c, dev) == PANELS ? (size_t)(c->batch * packed_floats(c, dev)) : 0;
}

static rheo_status launch_pack(rheo_launcher *l, const rheo_conv *c, cl_mem w, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t vec = dev->vector_width, width = conv_columns(dev), blocks = divide_up(conv_depth(c), vec);
    const int64_t items = divide_up(c->o, width) * blocks;
    rheo_grid grid = rheo_grid_items(l, items * width * vec);
    grid.global[2] = (size_t)c->batch;
    return RHEO_EMIT(l, err, "conv2d", "conv2d_pack", grid, RHEO_BUF(w), RHEO_BUF(rheo_work(l)), RHEO_INT(c->base), RHEO_INT(c->s_tap),
                     RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(c->i), RHEO_INT(conv_depth(c)), RHEO_INT(c->o), RHEO_INT(width),
                     RHEO_INT(width), RHEO_INT(1), RHEO_INT(blocks), RHEO_INT(items), RHEO_INT(conv_depth(c) * c->o),
                     RHEO_INT(packed_floats(c, dev)));
}

/* ---- its launches --------------------------------------------------------------------------------------------- */

/* Tiles a group: long beside a group's start, many groups beside the cores. */
static int64_t tiles_a_group(int64_t tiles, int64_t flops_a_tile)
{
    return larger(1, smaller(4000000 / larger(1, flops_a_tile), tiles / RHEO_WANTED_GROUPS));
}

static rheo_status launch_columns(rheo_launcher *l, const rheo_conv *c, form f, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t columns = conv_columns(dev), rows = conv_rows(dev), k = conv_depth(c), all_tiles = divide_up(conv_positions(c), rows);
    /* Weights that a group reads again with every tile stay in a core's second-level cache. */
    const int64_t all_panels = divide_up(c->o, columns), cached = larger(1, 512 * 1024 / 4 / (k * columns));
    const int64_t panels = divide_up(all_panels, divide_up(all_panels, cached));
    const int64_t tiles = tiles_a_group(all_tiles, 2 * rows * k * columns * panels);
    /* Full vectors of row k in the last panel end at k o + all_panels columns, which must not pass the tensor's end. */
    const int64_t over = all_panels * columns - c->o, whole = f == PANELS ? k : larger(0, k - divide_up(over, c->o));
    return RHEO_EMIT(l, err, "conv2d", "conv2d", rheo_grid_single(divide_up(all_tiles, tiles), divide_up(all_panels, panels), c->batch),
                     RHEO_BUF(x), RHEO_BUF(f == PANELS ? rheo_work(l) : w), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(y),
                     RHEO_CONV_GEOMETRY(c), RHEO_INT(f == PANELS ? columns : c->o), RHEO_INT(f == PANELS ? panel_floats(c, dev) : columns),
                     RHEO_INT(whole), RHEO_INT(tiles), RHEO_INT(panels), RHEO_INT(e->act), RHEO_FLOAT(e->factor),
                     RHEO_INT(conv_x_floats(c)), RHEO_INT(f == PANELS ? packed_floats(c, dev) : k * c->o),
                     RHEO_INT(conv_positions(c) * c->o));
}

static rheo_status launch_simt(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e, rheo_error *err)
{
    const rheo_grid grid = {
        { (size_t)(divide_up(c->o, RHEO_SIMT_TILE) * RHEO_SIMT_SIDE),
          (size_t)(divide_up(conv_positions(c), RHEO_SIMT_TILE) * RHEO_SIMT_SIDE), (size_t)c->batch },
        { RHEO_SIMT_SIDE, RHEO_SIMT_SIDE, 1 },
    };
    return RHEO_EMIT(l, err, "conv2d", "conv2d", grid, RHEO_BUF(x), RHEO_BUF(w), RHEO_BUF(e->b), RHEO_BUF(e->l),
                     RHEO_BUF(e->add ? e->add : x), RHEO_BUF(y), RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c), RHEO_INT(c->y_c),
                     RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(e->act), RHEO_FLOAT(e->factor),
                     RHEO_INT(e->add != NULL), RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_depth(c) * c->o),
                     RHEO_INT(conv_positions(c) * c->y_c));
}

rheo_status rheo_conv_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *epilogue,
                             rheo_error *err)
{
    const rheo_epilogue none = { w, w, -1, 0, NULL }, *e = epilogue ? epilogue : &none;
    const form f = form_of(c, rheo_launcher_facts(l));
    if (f == SIMT) return launch_simt(l, c, x, w, y, e, err);
    if (f == SMALL) return rheo_conv_launch_small(l, c, x, w, y, e, err);
    if (f == THIN) return rheo_conv_launch_thin(l, c, x, w, y, e, err);
    const rheo_status st = f == AS_IS ? RHEO_OK : launch_pack(l, c, w, err);
    return st ? st : launch_columns(l, c, f, x, w, y, e, err);
}
