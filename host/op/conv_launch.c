#include "op/conv_geometry.h"

enum { DEPTH = 256, WEIGHTS = 1 << 16 }; /* of cl/conv2d_columns.cl */

/* COLUMNS: vectors along the columns. THIN: vectors along the reduction, for few columns. SMALL: a product by a small matrix. WINOGRAD:
 * fewer products, and FEW of them vectors along the reduction. */
typedef enum form { SIMT, COLUMNS, THIN, SMALL, WINOGRAD, WINOGRAD_FEW } form;

static form form_of(const rheo_conv *c, const rheo_device_facts *dev)
{
    if (dev->kind != RHEO_CPU) return SIMT;
    const bool pointwise = c->kh == 1 && c->kw == 1 && c->pad_h == 0 && c->pad_w == 0;
    if (pointwise && larger(c->i, c->o) <= RHEO_SMALL_MAX) return SMALL;
    if (c->way != RHEO_CONV_DIRECT && rheo_conv_suits_winograd(c, dev)) return WINOGRAD;
    if (c->way == RHEO_CONV_F23 && rheo_conv_suits_winograd_few(c, dev)) return WINOGRAD_FEW;
    return rheo_conv_suits_thin(c, dev) ? THIN : COLUMNS;
}

/* How conv2d of cl/conv2d_columns.cl divides its work: steps of `depth` of the reduction, spans of positions and shares of columns, `panels` of
 * the register tile's width each. */
typedef struct division {
    int64_t depth, panels, spans, shares;
} division;

/* Each span of positions packs the weights anew, which costs about what five positions do, and each share of the columns
 * gathers x anew, at the price of about five columns: 256 of both while that gives many groups, else 128. */
static division divide(const rheo_conv *c, const rheo_device_facts *dev)
{
    const int64_t vec = dev->vector_width, columns = 2 * vec, k = conv_depth(c), p = conv_positions(c);
    const int64_t depth = smaller(k, round_up(divide_up(k, divide_up(k, DEPTH)), vec)), all_panels = divide_up(c->o, columns);
    const int64_t most = smaller(WEIGHTS / (depth * columns), RHEO_COLUMNS_MAX / columns);
    int64_t spans = larger(1, smaller(RHEO_WANTED_GROUPS, p / 256)), shares = divide_up(all_panels, most);
    if (c->batch * spans * shares < RHEO_WANTED_GROUPS / 4) {
        spans = larger(1, smaller(p / 128, divide_up(RHEO_WANTED_GROUPS / 4, c->batch * shares)));
        shares = larger(shares, smaller(c->o / 128, divide_up(RHEO_WANTED_GROUPS / 4, c->batch * spans)));
    }
    const int64_t panels = divide_up(all_panels, shares);
    return (division){ depth, panels, spans, divide_up(all_panels, panels) };
}

bool rheo_conv_has_backward(const rheo_conv *c, const rheo_device_facts *dev)
{
    const form f = form_of(c, dev);
    return c->batch == 1 && c->y_c == c->o && (f == COLUMNS || (f == WINOGRAD && rheo_conv_winograd_has_backward(c, dev)));
}

int64_t rheo_conv_backward_blocks(const rheo_conv *c, const rheo_device_facts *dev)
{
    return form_of(c, dev) == WINOGRAD ? rheo_conv_winograd_spans(c, dev) : divide(c, dev).spans;
}

static rheo_status launch_columns(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e,
                                  rheo_error *err)
{
    const division d = divide(c, rheo_launcher_facts(l));
    const cl_mem add = e->add ? e->add : e->backward ? e->backward : w;
    return RHEO_EMIT(l, err, "conv2d", "conv2d", rheo_grid_single(d.spans, d.shares, c->batch), RHEO_BUF(x), RHEO_BUF(w), RHEO_BUF(e->b),
                     RHEO_BUF(e->l), RHEO_BUF(add), RHEO_BUF(y), RHEO_BUF(e->backward ? rheo_work(l) : y), RHEO_CONV_GEOMETRY(c),
                     RHEO_INT(c->x_c), RHEO_INT(c->y_c), RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in), RHEO_INT(c->s_out),
                     RHEO_INT(d.depth), RHEO_INT(d.panels), RHEO_INT(e->add != NULL), RHEO_INT(e->backward != NULL), RHEO_INT(e->act),
                     RHEO_FLOAT(e->factor), RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_depth(c) * c->o),
                     RHEO_INT(conv_positions(c) * c->y_c));
}

static rheo_status launch_simt(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *e, rheo_error *err)
{
    const rheo_device_facts *dev = rheo_launcher_facts(l);
    const int64_t p = conv_positions(c), step = conv_simt_rows(dev, p, conv_flops(c));
    rheo_status st = RHEO_OK;
    for (int64_t first = 0; first < p && !st; first += step)
        st = RHEO_EMIT(l, err, "conv2d", "conv2d", conv_simt_grid(dev, c->o, smaller(step, p - first), c->batch), RHEO_BUF(x), RHEO_BUF(w),
                       RHEO_BUF(e->b), RHEO_BUF(e->l), RHEO_BUF(e->add ? e->add : x), RHEO_BUF(y), RHEO_CONV_GEOMETRY(c), RHEO_INT(c->x_c),
                       RHEO_INT(c->y_c), RHEO_INT(c->base), RHEO_INT(c->s_tap), RHEO_INT(c->s_in), RHEO_INT(c->s_out), RHEO_INT(e->act),
                       RHEO_FLOAT(e->factor), RHEO_INT(e->add != NULL), RHEO_INT(conv_x_floats(c)), RHEO_INT(conv_depth(c) * c->o),
                       RHEO_INT(p * c->y_c), RHEO_INT(first));
    return st;
}

bool rheo_conv_by_winograd(const rheo_conv *c, rheo_conv_way way, const rheo_device_facts *dev)
{
    rheo_conv so = *c;
    so.way = way;
    const form f = form_of(&so, dev);
    return f == WINOGRAD || f == WINOGRAD_FEW;
}

size_t rheo_conv_workspace(const rheo_conv *c, const rheo_device_facts *dev)
{
    const form f = form_of(c, dev);
    if (f == WINOGRAD) return rheo_conv_winograd_workspace(c, dev);
    if (f == WINOGRAD_FEW) return rheo_conv_winograd_few_workspace(c);
    return f == THIN ? rheo_conv_thin_workspace(c) : 0;
}

rheo_status rheo_conv_launch(rheo_launcher *l, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, const rheo_epilogue *epilogue,
                             rheo_error *err)
{
    const rheo_epilogue none = { w, w, -1, 0, NULL, NULL }, *e = epilogue ? epilogue : &none;
    const form f = form_of(c, rheo_launcher_facts(l));
    if (f == SIMT) return launch_simt(l, c, x, w, y, e, err);
    if (f == SMALL) return rheo_conv_launch_small(l, c, x, w, y, e, err);
    if (f == WINOGRAD) return rheo_conv_launch_winograd(l, c, x, w, y, e, err);
    if (f == WINOGRAD_FEW) return rheo_conv_launch_winograd_few(l, c, x, w, y, e, err);
    if (f == THIN) return rheo_conv_launch_thin(l, c, x, w, y, e, err);
    return launch_columns(l, c, x, w, y, e, err);
}
