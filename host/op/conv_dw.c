/* dw = patch^T dy: how it is cut, and its launches. */
#include "op/conv_geometry.h"

enum { CPU_SPAN = 128, CPU_A_MAX = 96, CPU_B_MAX = 256, CPU_C_MAX = 32768, CPU_IN_PLACE_MAX = 64 }; /* of cl/conv2d_dw.cl */

/* How dw is cut: blocks of k and o a group, and parts of the positions where those blocks are too few to fill a
 * device. By shape alone, so that results are the same whatever the device's number of cores. */
typedef struct cut {
    bool swapped, in_place;
    int64_t k_block, o_block, parts, span;
} cut;

static int64_t even_block(int64_t count, int64_t most, int64_t tile)
{
    return round_up(divide_up(count, divide_up(count, most)), tile);
}

static cut cut_dw(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t k = conv_depth(c), p = conv_positions(c);
    cut u = { .k_block = RHEO_SIMT_TILE, .o_block = RHEO_SIMT_TILE };
    if (dev->kind == RHEO_CPU) {
        /* Vectors along the side that wastes less of them. */
        const int64_t columns = conv_columns(dev), rows = conv_rows(dev);
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
    const int64_t wanted = smaller(divide_up(RHEO_WANTED_GROUPS, blocks), larger(1, p / 256));
    u.span = round_up(divide_up(p, wanted), CPU_SPAN);
    u.parts = divide_up(p, u.span);
    return u;
}

size_t rheo_conv_dw_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const cut u = cut_dw(c, dev);
    return u.parts > 1 ? (size_t)(c->batch * u.parts * conv_depth(c) * c->o) : 0;
}

static rheo_status launch_dw_cpu(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = rheo_grid_single(divide_up(conv_depth(c), u->k_block), divide_up(c->o, u->o_block), u->parts * c->batch);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_dw", grid, RHEO_BUF(x), RHEO_BUF(dy), RHEO_BUF(dw), RHEO_CONV_GEOMETRY(c),
                     RHEO_INT(u->k_block), RHEO_INT(u->o_block), RHEO_INT(u->swapped), RHEO_INT(u->in_place), RHEO_INT(u->span),
                     RHEO_INT(u->parts), RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_positions(c) * c->o));
}

static rheo_status launch_dw_simt(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = {
        { (size_t)(divide_up(c->o, RHEO_SIMT_TILE) * RHEO_SIMT_SIDE), (size_t)(divide_up(conv_depth(c), RHEO_SIMT_TILE) * RHEO_SIMT_SIDE),
          (size_t)(u->parts * c->batch) },
        { RHEO_SIMT_SIDE, RHEO_SIMT_SIDE, 1 },
    };
    return RHEO_EMIT(l, err, "conv2d", "conv2d_dw", grid, RHEO_BUF(x), RHEO_BUF(dy), RHEO_BUF(dw), RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c),
                     RHEO_INT(u->span), RHEO_INT(u->parts), RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_positions(c) * c->o));
}

static rheo_status launch_total(rheo_launcher *l, const rheo_conv *c, const cut *u, cl_mem dw, rheo_error *err)
{
    const int64_t n = conv_depth(c) * c->o, width = rheo_launcher_facts(l)->vector_width;
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
