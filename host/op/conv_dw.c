/* dw = patch^T dy: how it is cut, and its launches. */
#include "op/conv_geometry.h"

/* ---- CPUs ---------------------------------------------------------------------------------------------------- */

/* Of cl/conv2d_dw.cl. */
enum { X_MAX = 40960, DY_MAX = 1 << 16, CHUNK_MAX = 256, SMALL_TILE = 4, TURNED = 64 };

/* Flops that are worth a group of their own. */
static const double WORTH_A_GROUP = 16e6;

/* How dw is cut for CPUs: the block of a group and the chunk of positions it takes at a time, see the kernel. By shape
 * alone, so that results are the same whatever the device's number of cores. */
typedef struct cpu_cut {
    int64_t i_block, o_block, images, lines, columns, taps_h, taps_w, chunks, parts;
} cpu_cut;

/* Do the positions of a chunk and the x they read have room? */
static bool fits(const rheo_conv *c, const rheo_device_facts *dev, const cpu_cut *u)
{
    const int64_t h = u->lines + (u->taps_h - 1) * c->dilation, w = u->columns + (u->taps_w - 1) * c->dilation;
    const int64_t positions = u->images * u->lines * u->columns;
    return positions <= CHUNK_MAX && u->images * h * w * round_up(u->i_block, conv_rows(dev)) <= X_MAX;
}

/* Whole images, else whole lines of one, else part of a line: as many positions as can be packed. */
static void cut_positions(const rheo_conv *c, const rheo_device_facts *dev, cpu_cut *u)
{
    u->images = c->n, u->lines = c->oh, u->columns = c->ow;
    for (int64_t k = 1; !fits(c, dev, u) && u->images > 1; ++k) u->images = divide_up(c->n, k);
    for (int64_t k = 1; !fits(c, dev, u) && u->lines > 1; ++k) u->lines = divide_up(c->oh, k);
    for (int64_t k = 1; !fits(c, dev, u) && u->columns > 1; ++k) u->columns = divide_up(c->ow, k);
}

/* Taps share a packed x unless they lie so far apart that it is mostly what is between them. */
static void cut_chunk(const rheo_conv *c, const rheo_device_facts *dev, cpu_cut *u)
{
    u->taps_h = c->kh, u->taps_w = c->kw;
    cut_positions(c, dev, u);
    const int64_t h = u->lines + (u->taps_h - 1) * c->dilation, w = u->columns + (u->taps_w - 1) * c->dilation;
    if (!fits(c, dev, u) || h * w > c->kh * c->kw * u->lines * u->columns) {
        u->taps_h = u->taps_w = 1;
        cut_positions(c, dev, u);
    }
}

static int64_t cpu_blocks(const rheo_conv *c, const cpu_cut *u)
{
    return divide_up(c->i, u->i_block) * divide_up(c->o, u->o_block) * c->batch;
}

/* Positions are cut into parts rather than blocks made smaller, which pack x and dy over and over, unless parts of dw, each written
 * and read once, come to more than some of x and dy. An even number: three keep one of two cores waiting. */
static int64_t parts_worth(const rheo_conv *c, int64_t blocks, double flops)
{
    const int64_t most = smaller(divide_up(RHEO_WANTED_GROUPS / 4, blocks), (int64_t)(flops / (WORTH_A_GROUP * (double)blocks)));
    const int64_t wanted = most > 1 ? round_up(most, 2) : most;
    return wanted > 1 && 4 * wanted * conv_depth(c) * c->o <= conv_positions(c) * (c->i + c->o) ? wanted : 1;
}

static cpu_cut cut_cpu(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t columns = conv_columns(dev);
    cpu_cut u = { 0 };
    const double flops = conv_flops(c);
    int64_t i_most = c->kh * c->kw == 1 ? 128 : 64, o_most = DY_MAX / CHUNK_MAX;
    for (;;) {
        u.i_block = conv_even_block(c->i, i_most, SMALL_TILE);
        u.o_block = conv_even_block(c->o, o_most, columns);
        const int64_t blocks = cpu_blocks(c, &u);
        if (blocks >= RHEO_WANTED_GROUPS / 4 || flops < WORTH_A_GROUP * (double)blocks || parts_worth(c, blocks, flops) > 1) break;
        if (u.o_block > 2 * columns)
            o_most /= 2;
        else if (u.i_block > 2 * columns)
            i_most /= 2;
        else
            break;
    }
    cut_chunk(c, dev, &u);
    const int64_t all = divide_up(c->n, u.images) * divide_up(c->oh, u.lines) * divide_up(c->ow, u.columns), blocks = cpu_blocks(c, &u);
    u.chunks = divide_up(all, smaller(all, parts_worth(c, blocks, flops)));
    u.parts = divide_up(all, u.chunks);
    return u;
}

/* Vectors lie along the outputs. Where the channels of x fill them better, dy is taken for x and x for dy: the same sum in another order,
 *
 *   dw[t, i, o] = sum over p of x[p + d t - pad, i] dy[p, o] = sum over q of dy[q + d (T - 1 - t) - pad', o] x[q, i],
 *
 * pad' = d (T - 1) - pad, whose taps and channels change places in the end. */
static bool mirrors(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t columns = conv_columns(dev);
    return c->i * round_up(c->o, columns) > c->o * round_up(c->i, columns);
}

/* As the kernel is to see it: mirrored or not, and a window of one element has no lines. */
static rheo_conv seen(const rheo_conv *c, const rheo_device_facts *dev)
{
    rheo_conv s = *c;
    s.y_c = c->o;
    if (mirrors(c, dev)) {
        s.h = c->oh, s.w = c->ow, s.i = c->o, s.x_c = c->o;
        s.oh = c->h, s.ow = c->w, s.o = c->i, s.y_c = c->x_c;
        s.pad_h = (c->kh - 1) * c->dilation - c->pad_h;
        s.pad_w = (c->kw - 1) * c->dilation - c->pad_w;
    }
    if (s.kh * s.kw > 1 || s.pad_h || s.pad_w) return s;
    s.n = s.h = s.oh = 1;
    s.w = s.ow = c->n * c->oh * c->ow;
    return s;
}

/* c as it is seen. */
static rheo_status launch_dw_cpu(rheo_launcher *l, const rheo_conv *c, const cpu_cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = rheo_grid_single(divide_up(c->i, u->i_block), divide_up(c->o, u->o_block), u->parts * c->batch);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_dw", grid, RHEO_BUF(x), RHEO_BUF(dy), RHEO_BUF(dw), RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c),
                     RHEO_INT(c->y_c), RHEO_INT(u->i_block), RHEO_INT(u->o_block), RHEO_INT(u->images), RHEO_INT(u->lines),
                     RHEO_INT(u->columns), RHEO_INT(u->taps_h), RHEO_INT(u->taps_w), RHEO_INT(u->chunks), RHEO_INT(u->parts),
                     RHEO_INT(c->n * c->h * c->w * c->x_c), RHEO_INT(conv_positions(c) * c->y_c));
}

/* ---- SIMT ---------------------------------------------------------------------------------------------------- */

enum { SIMT_SPAN = 128 };

/* Parts of the positions where tiles are too few to fill a device. */
typedef struct simt_cut {
    int64_t parts, span;
} simt_cut;

static simt_cut cut_simt(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t tile = conv_simt_tile(dev), p = conv_positions(c);
    const int64_t tiles = divide_up(conv_depth(c), tile) * divide_up(c->o, tile) * c->batch;
    const int64_t wanted = smaller(divide_up(RHEO_WANTED_GROUPS, tiles), larger(1, p / 256));
    const int64_t span = round_up(divide_up(p, wanted), SIMT_SPAN);
    return (simt_cut){ divide_up(p, span), span };
}

static rheo_status launch_dw_simt(rheo_launcher *l, const rheo_conv *c, const simt_cut *u, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t k = conv_depth(c), step = conv_simt_rows(dev, k, conv_flops(c));
    rheo_status st = RHEO_OK;
    for (int64_t first = 0; first < k && !st; first += step)
        st = RHEO_EMIT(l, err, "conv2d", "conv2d_dw", conv_simt_grid(dev, c->o, smaller(step, k - first), u->parts * c->batch), RHEO_BUF(x),
                       RHEO_BUF(dy), RHEO_BUF(dw), RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c), RHEO_INT(u->span), RHEO_INT(u->parts),
                       RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_positions(c) * c->o), RHEO_INT(first));
    return st;
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

static int64_t parts_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    if (dev->kind != RHEO_CPU) return cut_simt(c, dev).parts;
    const rheo_conv s = seen(c, dev);
    return cut_cpu(&s, dev).parts;
}

/* Parts, and what is mirrored, go through the workspace. */
static bool needs_total(const rheo_conv *c, const rheo_device_facts *dev)
{
    return parts_of(c, dev) > 1 || (dev->kind == RHEO_CPU && mirrors(c, dev));
}

bool rheo_conv_dw_by_winograd(const rheo_conv *c, rheo_conv_way way, const rheo_device_facts *dev)
{
    rheo_conv so = *c;
    so.way = way;
    return way != RHEO_CONV_DIRECT && rheo_conv_dw_suits_winograd(&so, dev);
}

size_t rheo_conv_dw_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    if (rheo_conv_dw_by_winograd(c, c->way, dev)) return rheo_conv_dw_winograd_workspace(c, dev);
    return needs_total(c, dev) ? (size_t)(c->batch * parts_of(c, dev) * conv_depth(c) * c->o) : 0;
}

static rheo_status launch_parts(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    if (rheo_launcher_facts(l)->kind != RHEO_CPU) {
        const simt_cut u = cut_simt(c, rheo_launcher_facts(l));
        return launch_dw_simt(l, c, &u, x, dy, dw, err);
    }
    const rheo_conv s = seen(c, rheo_launcher_facts(l));
    const cpu_cut u = cut_cpu(&s, rheo_launcher_facts(l));
    const bool mirrored = mirrors(c, rheo_launcher_facts(l));
    return launch_dw_cpu(l, &s, &u, mirrored ? dy : x, mirrored ? x : dy, dw, err);
}

rheo_status rheo_conv_launch_total(rheo_launcher *l, const rheo_conv *c, int64_t parts, cl_mem dw, rheo_error *err)
{
    const int64_t n = conv_depth(c) * c->o, width = rheo_launcher_facts(l)->vector_width;
    rheo_grid grid = rheo_grid_items(l, divide_up(n, width) * parts);
    grid.global[2] = (size_t)c->batch;
    return RHEO_EMIT(l, err, "conv2d", "conv2d_total", grid, RHEO_BUF(rheo_work(l)), RHEO_BUF(dw), RHEO_INT(n), RHEO_INT(parts));
}

static rheo_status launch_total_mirrored(rheo_launcher *l, const rheo_conv *c, int64_t parts, cl_mem dw, rheo_error *err)
{
    const rheo_grid grid = rheo_grid_single(c->kh * c->kw, divide_up(c->i, TURNED), c->batch);
    return RHEO_EMIT(l, err, "conv2d", "conv2d_total_mirrored", grid, RHEO_BUF(rheo_work(l)), RHEO_BUF(dw), RHEO_INT(c->kh * c->kw),
                     RHEO_INT(c->i), RHEO_INT(c->o), RHEO_INT(parts));
}

rheo_status rheo_conv_dw_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    if (rheo_conv_dw_by_winograd(c, c->way, dev)) return rheo_conv_dw_launch_winograd(l, c, x, dy, dw, err);
    const bool total = needs_total(c, dev);
    const int64_t parts = parts_of(c, dev);
    const rheo_status st = launch_parts(l, c, x, dy, total ? rheo_work(l) : dw, err);
    if (st || !total) return st;
    return dev->kind == RHEO_CPU && mirrors(c, dev) ? launch_total_mirrored(l, c, parts, dw, err) : rheo_conv_launch_total(l, c, parts, dw, err);
}
