/* The plain loops that the convolution kernels are held to, in double. */
#include <string.h>

#include "op/conv2d.h"

/* For each tap and position: where in x it reads, or -1 outside. */
static int64_t source(const rheo_conv *c, int64_t n, int64_t p, int64_t q, int64_t r, int64_t s)
{
    const int64_t h = p + r * c->dilation - c->pad_h, v = q + s * c->dilation - c->pad_w;
    return h < 0 || h >= c->h || v < 0 || v >= c->w ? -1 : ((n * c->h + h) * c->w + v) * c->x_c;
}

/* Calls `term` once for every (position, tap) inside x, with x's offset, w's and y's. */
static void walk(const rheo_conv *c, double *out, const double *a, const double *b,
                 void (*term)(const rheo_conv *c, double *out, const double *a, const double *b, int64_t x, int64_t w, int64_t y))
{
    int64_t position = 0;
    for (int64_t n = 0; n < c->n; n++)
        for (int64_t p = 0; p < c->oh; p++)
            for (int64_t q = 0; q < c->ow; q++, position++)
                for (int64_t tap = 0; tap < c->kh * c->kw; tap++) {
                    const int64_t x = source(c, n, p, q, tap / c->kw, tap % c->kw);
                    if (x >= 0) term(c, out, a, b, x, tap * c->i * c->o, position * c->y_c);
                }
}

static void add_y(const rheo_conv *c, double *out, const double *a, const double *b, int64_t x, int64_t w, int64_t y)
{
    for (int64_t i = 0; i < c->i; i++)
        for (int64_t o = 0; o < c->o; o++) out[y + o] += a[x + i] * b[w + i * c->o + o];
}
static void add_dx(const rheo_conv *c, double *out, const double *a, const double *b, int64_t x, int64_t w, int64_t y)
{
    for (int64_t i = 0; i < c->i; i++)
        for (int64_t o = 0; o < c->o; o++) out[x + i] += a[y + o] * b[w + i * c->o + o];
}
static void add_dw(const rheo_conv *c, double *out, const double *a, const double *b, int64_t x, int64_t w, int64_t y)
{
    for (int64_t i = 0; i < c->i; i++)
        for (int64_t o = 0; o < c->o; o++) out[w + i * c->o + o] += a[x + i] * b[y + o];
}

void rheo_conv2d_reference(const rheo_conv *c, const double *x, const double *w, double *y)
{
    memset(y, 0, (size_t)(c->n * c->oh * c->ow * c->y_c) * sizeof *y);
    walk(c, y, x, w, add_y);
}

void rheo_conv2d_dx_reference(const rheo_conv *c, const double *dy, const double *w, const double *add, double *dx)
{
    const size_t bytes = (size_t)(c->n * c->h * c->w * c->x_c) * sizeof *dx;
    if (add)
        memcpy(dx, add, bytes);
    else
        memset(dx, 0, bytes);
    walk(c, dx, dy, w, add_dx);
}

void rheo_conv2d_dw_reference(const rheo_conv *c, const double *x, const double *dy, double *dw)
{
    memset(dw, 0, (size_t)(c->kh * c->kw * c->i * c->o) * sizeof *dw);
    walk(c, dw, x, dy, add_dw);
}

rheo_cost rheo_conv2d_cost(const rheo_conv *c)
{
    const double x = (double)(c->n * c->h * c->w * c->i), w = (double)(c->kh * c->kw * c->i * c->o);
    const double y = (double)(c->n * c->oh * c->ow * c->o);
    return (rheo_cost){ 2 * y * (double)(c->kh * c->kw * c->i), 4 * (x + w + y) };
}
