#include "op/conv_launch.h"

/* The tiles of the .cl files. */
enum { SIMT_TILE = 64, SIMT_SIDE = 16, THIN_COLUMNS = 4, SMALL_MAX = 32 };
enum { CPU_SPAN = 128, CPU_A_MAX = 96, CPU_B_MAX = 256, CPU_C_MAX = 32768, CPU_IN_PLACE_MAX = 64 };

/* Groups that keep the cores of a large CPU busy and small ones evenly so. */
enum { WANTED_GROUPS = 32 };

static int64_t cpu_rows(const rheo_device_facts *dev) { return dev->vector_width == 16 ? 12 : 6; }
static int64_t cpu_columns(const rheo_device_facts *dev) { return 2 * (int64_t)dev->vector_width; }

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t depth(const rheo_conv *c) { return c->kh * c->kw * c->i; }
static int64_t positions(const rheo_conv *c) { return c->n * c->oh * c->ow; }

/* ---- y = patch w: which kernel, and weights in which order ------------------------------------------------- */

/* AS_IS: vectors of columns are read from the weights where they lie. PANELS: the same kernel reads them from copies in
 * the workspace. THIN: vectors along the reduction, for few columns, from a copy too. SMALL: a product by a small matrix. */
typedef enum form { SIMT, AS_IS, PANELS, THIN, SMALL } form;

static form form_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    if (dev->kind != RHEO_CPU) return SIMT;
    const int64_t vec = dev->vector_width, k = depth(c);
    const bool pointwise = c->kh == 1 && c->kw == 1 && c->pad_h == 0 && c->pad_w == 0;
    if (pointwise && c->i <= SMALL_MAX && c->o <= SMALL_MAX) return SMALL;
    const double by_columns = (double)c->o / (double)round_up(c->o, vec);
    const double by_depth = (double)c->o / (double)round_up(c->o, THIN_COLUMNS);
    if (c->i % vec == 0 && k >= 4 * vec && by_depth > 1.1 * by_columns) return THIN;
    const bool plain = c->s_out == 1 && c->s_in == c->o && c->s_tap == c->i * c->o;
    /* Panels of weights beyond the second-level cache come in line by line from far apart. */
    return plain && k * c->o <= 400000 ? AS_IS : PANELS;
}

static int64_t panel_width(form f, const rheo_device_facts *dev) { return f == THIN ? THIN_COLUMNS : cpu_columns(dev); }

/* One panel's copy and one product's. */
static int64_t panel_floats(const rheo_conv *c, form f, const rheo_device_facts *dev)
{
    return round_up(depth(c), dev->vector_width) * panel_width(f, dev);
}
/* THIN has one more, of zeros. */
static int64_t panels_of(const rheo_conv *c, form f, const rheo_device_facts *dev)
{
    return divide_up(c->o, panel_width(f, dev)) + (f == THIN);
}
static int64_t packed_floats(const rheo_conv *c, form f, const rheo_device_facts *dev)
{
    return panels_of(c, f, dev) * panel_floats(c, f, dev);
}

size_t rheo_conv_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const form f = form_of(c, dev);
    return f == PANELS || f == THIN ? (size_t)(c->batch * packed_floats(c, f, dev)) : 0;
}

static rheo_status launch_pack(rheo_launcher *l, const rheo_conv *c, form f, cl_mem w, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t vec = dev->vector_width, width = panel_width(f, dev), blocks = divide_up(depth(c), vec);
    const int64_t items = panels_of(c, f, dev) * blocks;
    rheo_grid grid = rheo_grid_items(l, items * width * vec);
    grid.global[2] = (size_t)c->batch;
    return RHEO_EMIT(l, err, "conv2d", "conv2d_pack", grid, RHEO_BUF(w), RHEO_BUF(rheo_work(l)), RHEO_INT(c->base), RHEO_INT(c->s_tap),
                     RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(c->i), RHEO_INT(depth(c)), RHEO_INT(c->o), RHEO_INT(width),
                     RHEO_INT(f == THIN ? 1 : width), RHEO_INT(f == THIN ? vec : 1), RHEO_INT(blocks), RHEO_INT(items),
                     RHEO_INT(depth(c) * c->o), RHEO_INT(packed_floats(c, f, dev)));
}

/* ---- its launches --------------------------------------------------------------------------------------------- */

/* What every kernel takes of a product, from x's height to the reduction's length. */
#define GEOMETRY(c)                                                                                                        \
    RHEO_INT((c)->h), RHEO_INT((c)->w), RHEO_INT((c)->i), RHEO_INT((c)->o), RHEO_INT((c)->oh), RHEO_INT((c)->ow),          \
        RHEO_INT(positions(c)), RHEO_INT((c)->kw), RHEO_INT((c)->pad_h), RHEO_INT((c)->pad_w), RHEO_INT((c)->dilation),    \
        RHEO_INT(depth(c))
static int64_t x_floats(const rheo_conv *c) { return c->n * c->h * c->w * c->i; }

/* Tiles a group: long beside a group's start, many groups beside the cores. */
static int64_t tiles_a_group(int64_t tiles, int64_t flops_a_tile)
{
    return larger(1, smaller(4000000 / larger(1, flops_a_tile), tiles / WANTED_GROUPS));
}

static rheo_status launch_small(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e, rheo_error *err)
{
    const int64_t p = positions(c), chunk = larger(64, divide_up(p, WANTED_GROUPS));
    return RHEO_EMIT(l, err, "conv2d", "conv2d_small", rheo_grid_single(divide_up(p, chunk), 1, c->batch), RHEO_BUF(x), RHEO_BUF(w),
                     RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(y), RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(p), RHEO_INT(c->base),
                     RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(chunk), RHEO_INT(e->act), RHEO_FLOAT(e->factor),
                     RHEO_INT(x_floats(c)), RHEO_INT(depth(c) * c->o), RHEO_INT(p * c->o));
}

static rheo_status launch_thin(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem y, const rheo_epilogue *e, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t rows = cpu_rows(dev) / 2, all_tiles = divide_up(positions(c), rows);
    const int64_t tiles = tiles_a_group(all_tiles, 2 * rows * depth(c) * c->o);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_thin", rheo_grid_single(divide_up(all_tiles, tiles), 1, c->batch), RHEO_BUF(x),
                     RHEO_BUF(rheo_work(l)), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(y), GEOMETRY(c),
                     RHEO_INT(panel_floats(c, THIN, dev)), RHEO_INT(tiles), RHEO_INT(e->act), RHEO_FLOAT(e->factor), RHEO_INT(x_floats(c)),
                     RHEO_INT(packed_floats(c, THIN, dev)), RHEO_INT(positions(c) * c->o));
}

static rheo_status launch_columns(rheo_launcher *l, const rheo_conv *c, form f, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t columns = cpu_columns(dev), rows = cpu_rows(dev), k = depth(c), all_tiles = divide_up(positions(c), rows);
    /* Weights that a group reads again with every tile stay in a core's second-level cache. */
    const int64_t all_panels = divide_up(c->o, columns), cached = larger(1, 512 * 1024 / 4 / (k * columns));
    const int64_t panels = divide_up(all_panels, divide_up(all_panels, cached));
    const int64_t tiles = tiles_a_group(all_tiles, 2 * rows * k * columns * panels);
    /* Full vectors of row k in the last panel end at k o + all_panels columns, which must not pass the tensor's end. */
    const int64_t over = all_panels * columns - c->o, whole = f == PANELS ? k : larger(0, k - divide_up(over, c->o));
    return RHEO_EMIT(l, err, "conv2d", "conv2d", rheo_grid_single(divide_up(all_tiles, tiles), divide_up(all_panels, panels), c->batch),
                     RHEO_BUF(x), RHEO_BUF(f == PANELS ? rheo_work(l) : w), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(y), GEOMETRY(c),
                     RHEO_INT(f == PANELS ? columns : c->o), RHEO_INT(f == PANELS ? panel_floats(c, f, dev) : columns), RHEO_INT(whole),
                     RHEO_INT(tiles), RHEO_INT(panels), RHEO_INT(e->act), RHEO_FLOAT(e->factor), RHEO_INT(x_floats(c)),
                     RHEO_INT(f == PANELS ? packed_floats(c, f, dev) : k * c->o), RHEO_INT(positions(c) * c->o));
}

static rheo_status launch_simt(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e, rheo_error *err)
{
    const rheo_grid grid = {
        { (size_t)(divide_up(c->o, SIMT_TILE) * SIMT_SIDE), (size_t)(divide_up(positions(c), SIMT_TILE) * SIMT_SIDE), (size_t)c->batch },
        { SIMT_SIDE, SIMT_SIDE, 1 },
    };
    return RHEO_EMIT(l, err, "conv2d", "conv2d", grid, RHEO_BUF(x), RHEO_BUF(w), RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(y), GEOMETRY(c),
                     RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(e->act), RHEO_FLOAT(e->factor),
                     RHEO_INT(x_floats(c)), RHEO_INT(depth(c) * c->o), RHEO_INT(positions(c) * c->o));
}

rheo_status rheo_conv_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *epilogue,
                             rheo_error *err)
{
    const rheo_epilogue none = { w, w, -1, 0 }, *e = epilogue ? epilogue : &none;
    const form f = form_of(c, rheo_launcher_facts(l));
    if (f == SIMT) return launch_simt(l, c, x, w, y, e, err);
    if (f == SMALL) return launch_small(l, c, x, w, y, e, err);
    const rheo_status st = f == AS_IS ? RHEO_OK : launch_pack(l, c, f, w, err);
    if (st) return st;
    return f == THIN ? launch_thin(l, c, x, y, e, err) : launch_columns(l, c, f, x, w, y, e, err);
}

/* ---- dw = patch^T dy ---------------------------------------------------------------------------------------- */

/* How dw is cut: blocks of k and o a group, and parts of the positions where those blocks are too few to fill a
 * device. By shape alone, so that results are the same whatever the device's number of cores. */
typedef struct cut {
    bool swapped, in_place;
    int64_t k_block, o_block, parts, span;
} cut;

static int64_t even_block(int64_t count, int64_t most, int64_t tile) { return round_up(divide_up(count, divide_up(count, most)), tile); }

static cut cut_dw(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t k = depth(c), p = positions(c);
    cut u = { .k_block = SIMT_TILE, .o_block = SIMT_TILE };
    if (dev->kind == RHEO_CPU) {
        /* Vectors along the side that wastes less of them. */
        const int64_t columns = cpu_columns(dev), rows = cpu_rows(dev);
        const double by_o = (double)c->o / (double)round_up(c->o, columns), by_k = (double)k / (double)round_up(k, columns);
        u.swapped = by_k > by_o;
        const int64_t all_rows = u.swapped ? c->o : k, all_columns = u.swapped ? k : c->o, a = even_block(all_rows, CPU_A_MAX, rows);
        /* Columns need not be gathered where whole panels of them lie together and few rows use them again: they lie far
         * apart, in few sets of the first-level cache. */
        u.in_place = (u.swapped ? c->i : c->o) % columns == 0 && a <= CPU_IN_PLACE_MAX;
        const int64_t b = even_block(all_columns, u.in_place ? CPU_C_MAX / a / columns * columns : CPU_B_MAX, columns);
        u.k_block = u.swapped ? b : a;
        u.o_block = u.swapped ? a : b;
    }
    const int64_t blocks = divide_up(k, u.k_block) * divide_up(c->o, u.o_block) * c->batch;
    const int64_t wanted = smaller(divide_up(WANTED_GROUPS, blocks), larger(1, p / 256));
    u.span = round_up(divide_up(p, wanted), CPU_SPAN);
    u.parts = divide_up(p, u.span);
    return u;
}

size_t rheo_conv_dw_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const cut u = cut_dw(c, dev);
    return u.parts > 1 ? (size_t)(c->batch * u.parts * depth(c) * c->o) : 0;
}

static rheo_status launch_dw_cpu(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = rheo_grid_single(divide_up(depth(c), u->k_block), divide_up(c->o, u->o_block), u->parts * c->batch);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_dw", grid, RHEO_BUF(x), RHEO_BUF(dy), RHEO_BUF(dw), GEOMETRY(c), RHEO_INT(u->k_block),
                     RHEO_INT(u->o_block), RHEO_INT(u->swapped), RHEO_INT(u->in_place),
                     RHEO_INT(u->span), RHEO_INT(u->parts), RHEO_INT(x_floats(c)),
                     RHEO_INT(positions(c) * c->o));
}

static rheo_status launch_dw_simt(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = {
        { (size_t)(divide_up(c->o, SIMT_TILE) * SIMT_SIDE), (size_t)(divide_up(depth(c), SIMT_TILE) * SIMT_SIDE),
          (size_t)(u->parts * c->batch) },
        { SIMT_SIDE, SIMT_SIDE, 1 },
    };
    return RHEO_EMIT(l, err, "conv2d", "conv2d_dw", grid, RHEO_BUF(x), RHEO_BUF(dy), RHEO_BUF(dw), GEOMETRY(c), RHEO_INT(u->span),
                     RHEO_INT(u->parts), RHEO_INT(x_floats(c)), RHEO_INT(positions(c) * c->o));
}

static rheo_status launch_total(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem dw, rheo_error *err)
{
    const int64_t n = depth(c) * c->o, width = rheo_launcher_facts(l)->vector_width;
    rheo_grid grid = rheo_grid_items(l, divide_up(n, width) * u->parts);
    grid.global[2] = (size_t)c->batch;
    return RHEO_EMIT(l, err, "conv2d", "conv2d_total", grid, RHEO_BUF(rheo_work(l)), RHEO_BUF(dw), RHEO_INT(n), RHEO_INT(u->parts));
}

rheo_status rheo_conv_dw_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const cut u = cut_dw(c, dev);
    const cl_mem to = u.parts > 1 ? rheo_work(l) : dw;
    const rheo_status st = dev->kind == RHEO_CPU ? launch_dw_cpu(l, c, &u, x, dy, to, err) : launch_dw_simt(l, c, &u, x, dy, to, err);
    return st || u.parts == 1 ? st : launch_total(l, c, &u, dw, err);
}
