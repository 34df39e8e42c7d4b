// Two-dimensional convolution (stride 1, zero padding, dilation), its two gradients and, as convolutions with a 1x1
// window, matrix products.
//
//   y[p, o] = sum over k of patch[p, k] w[k, o]      p = (n OH + oh) OW + ow, k = (r kw + s) I + i
//   patch[p, k] = x[n, oh + r d - pad_h, ow + s d - pad_w, i], 0 outside
//   dw[k, o] = sum over p of patch[p, k] dy[p, o]
//
// Tensors are [N, H, W, C] and [kh, kw, I, O], rows densely packed. dx is the first form with dy for x and with
// weights flipped in r, s and transposed in i, o. Group dimension 2 is a batch of independent products whose tensors
// follow one another at the strides x_batch, w_batch, y_batch; convolutions have a batch of one.

// What positions p0 .. p0 + rows read: row r stands for position (h[r], w[r]) of x at element at[r], the window's origin
// included; h is far outside for positions from `end` on.
#define OUTSIDE (-(1 << 30))

static void locate(int p0, int end, int rows, int H, int W, int I, int OH, int OW, int pad_h, int pad_w, int *at, int *h, int *w)
{
    const int line = p0 / OW;
    int n = line / OH, oh = line - n * OH, ow = p0 - line * OW;
    for (int r = 0; r < rows; ++r) {
        at[r] = ((n * H + oh - pad_h) * W + ow - pad_w) * I;
        h[r] = p0 + r < end ? oh - pad_h : OUTSIDE;
        w[r] = ow - pad_w;
        if (++ow < OW) continue;
        ow = 0;
        if (++oh < OH) continue;
        oh = 0;
        ++n;
    }
}

// y[i] = sum over s < parts of part[s n + i], in that order. Dimension 2: batch.
kernel void conv2d_total(const global float *part, global float *y, int n, int parts)
{
    part += get_global_id(2) * (size_t)parts * n;
    y += get_global_id(2) * (size_t)n;
    FOR_ITEMS(v, (n + VEC - 1) / VEC) {
        const int i = v * VEC;
        if (i + VEC <= n) {
            floatv sum = vloadv(0, part + i);
            for (int s = 1; s < parts; ++s) sum += vloadv(0, part + (size_t)s * n + i);
            vstorev(sum, 0, y + i);
        } else {
            for (int j = i; j < n; ++j) {
                float sum = part[j];
                for (int s = 1; s < parts; ++s) sum += part[(size_t)s * n + j];
                y[j] = sum;
            }
        }
    }
}

#if RHEO_CPU
// ---- CPUs: one work-item a group, a register tile of ROWS x 2 vectors ----------------------------------------------

// 24 accumulators, two vectors of weights and a broadcast fit 32 registers, 12 fit 16.
#if VEC == 16
#define ROWS 12
#else
#define ROWS 6
#endif
#define COLS (2 * VEC)

// PoCL compiles each kernel three times over, with every function inlined that does not forbid it.
#define NOINLINE __attribute__((noinline))

// Vectors at any address. vload and vstore do the same, but PoCL 3.1 makes several moves of them.
typedef struct __attribute__((packed)) anywhere { floatv v; } anywhere;
typedef struct __attribute__((packed)) anywhere4 { float4 v; } anywhere4;
#define LOAD(p) (((const anywhere *)(p))->v)
#define LOAD_GLOBAL(p) (((const global anywhere *)(p))->v)
#define STORE(x, p) (((anywhere *)(p))->v = (x))
#define STORE_GLOBAL(x, p) (((global anywhere *)(p))->v = (x))
#define LOAD4(p) (((const anywhere4 *)(p))->v)
#define LOAD_GLOBAL4(p) (((const global anywhere4 *)(p))->v)
#define STORE_GLOBAL4(x, p) (((global anywhere4 *)(p))->v = (x))
#define STORE4(x, p) (((anywhere4 *)(p))->v = (x))

// Asks for lines of memory, to have them near when what is computed meanwhile is done.
#if defined(RHEO_PREFETCH) && defined(__has_builtin)
#if __has_builtin(__builtin_prefetch)
#define FETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#endif
#endif
#ifndef FETCH
#define FETCH(p)
#endif
static void fetch_row(const global float *p, int width)
{
    for (int c = 0; c < width; c += 16) FETCH(p + c);
}

// Of many lines asked for at once a core forgets some, and storing to lines that are far takes as long as reading them. So a tile of wide
// vectors, which takes four times as long, asks for one with each four steps of its sums, and for those it is stored to as well.
#define WITHIN (VEC == 16)
// Of rows of `width` floats, `stride` apart, from column c of the row at p on; a tile asks for `share` of them.
typedef struct stream { const global float *p; int c, width, stride, share; } stream;

// Of `rows` rows, shared by `tiles` tiles.
static stream stream_of(const global float *p, int stride, int width, int rows, int tiles)
{
    const stream s = { p, 0, width, stride, ((width + 15) / 16 * rows + tiles - 1) / tiles };
    return s;
}

static void fetch_next(stream *s)
{
    FETCH(s->p + s->c);
    s->c += 16;
    if (s->c < s->width) return;
    s->c = 0;
    s->p += s->stride;
}

// The part of a tile's share for which `fours` of steps are too few.
static void fetch_before(stream *s, int fours)
{
    for (int k = fours; k < s->share; ++k) fetch_next(s);
}

// The last vector overlaps the one before.
NOINLINE static void copy_row(float *to, const global float *from, int n)
{
    if (n >= VEC) {
        for (int j = 0; j < n - VEC; j += VEC) STORE(LOAD_GLOBAL(from + j), to + j);
        STORE(LOAD_GLOBAL(from + n - VEC), to + n - VEC);
    } else if (n >= 4) {
        for (int j = 0; j < n - 4; j += 4) STORE4(LOAD_GLOBAL4(from + j), to + j);
        STORE4(LOAD_GLOBAL4(from + n - 4), to + n - 4);
    } else {
        if (n > 0) to[0] = from[0];
        if (n > 1) to[1] = from[1];
        if (n > 2) to[2] = from[2];
    }
}

NOINLINE static void clear_row(float *to, int n)
{
    if (n >= VEC) {
        for (int j = 0; j < n - VEC; j += VEC) STORE((floatv)(0.0f), to + j);
        STORE((floatv)(0.0f), to + n - VEC);
    } else if (n >= 4) {
        for (int j = 0; j < n - 4; j += 4) STORE4((float4)(0.0f), to + j);
        STORE4((float4)(0.0f), to + n - 4);
    } else {
        if (n > 0) to[0] = 0.0f;
        if (n > 1) to[1] = 0.0f;
        if (n > 2) to[2] = 0.0f;
    }
}

NOINLINE static void store_row(global float *to, const float *from, int n)
{
    int j = 0;
    for (; j + VEC <= n; j += VEC) STORE_GLOBAL(LOAD(from + j), to + j);
    for (; j + 4 <= n; j += 4) STORE_GLOBAL4(LOAD4(from + j), to + j);
    for (; j < n; ++j) to[j] = from[j];
}

// What an epilogue adds and multiplies by: shift = b, scale = exp(factor l) of n channels, or 0 and 1 without it, act < 0; so up to whole vectors.
static void take_act(float *shift, float *scale, const global float *b, const global float *l, int act, float factor, int n)
{
    const int whole = (n + VEC - 1) / VEC * VEC;
    clear_row(shift, whole);
    clear_row(scale, whole);
    if (act >= 0) {
        copy_row(shift, b, n);
        copy_row(scale, l, n);
    }
    for (int c = 0; c < whole; c += VEC) STORE(exp(factor * LOAD(scale + c)), scale + c);
}

// sums[j] = sum of t[j]'s elements: neighbours are added up, as often as VEC can be halved.
static floatv sums_of(floatv t[VEC])
{
#pragma unroll
    for (int s = VEC / 2; s > 0; s /= 2) {
#pragma unroll
        for (int i = 0; i < s; ++i) {
            floatv a, b;
            a.lo = t[2 * i].even;
            a.hi = t[2 * i + 1].even;
            b.lo = t[2 * i].odd;
            b.hi = t[2 * i + 1].odd;
            t[i] = a + b;
        }
    }
    return t[0];
}

// acc[r] += a[r stride] b, r < R; b in an address space whose vectors `load` reads.
#define ADD_PRODUCT(name, R, space, load)                                                                                \
    static void name(floatv acc[R][2], const float *a, int stride, const space float *b)                                 \
    {                                                                                                                    \
        const floatv b0 = load(b), b1 = load(b + VEC);                                                                   \
        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                                  \
            const floatv t = (floatv)(a[r * stride]);                                                                    \
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);                                                                      \
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);                                                                      \
        }                                                                                                                \
    }
#define SMALL 4                 // rows of the tile that ends a block of a gradient
ADD_PRODUCT(add_product, ROWS, private, LOAD)
ADD_PRODUCT(add_product_small, SMALL, private, LOAD)

// acc[r] += sum over q < n of a[q a_row + r] b[q COLS + :], r < R. By fours: a core that is shared has no room for the counting beside
// the sums. They follow `done` others of the tile, and each asks for a line of x and three of y.
#define ADD_OUTER(name, R, add)                                                                                          \
    static void name(floatv acc[R][2], const float *a, int a_row, const float *b, int n, stream *x, stream *y,           \
                     int done)                                                                                           \
    {                                                                                                                    \
        int q = 0;                                                                                                       \
        for (; q + 4 <= n; q += 4, a += 4 * a_row, b += 4 * COLS) {                                                      \
            if (WITHIN && done + q / 4 < x->share) fetch_next(x);                                                        \
            _Pragma("unroll") for (int j = 0; j < 3; ++j)                                                                \
                if (WITHIN && 3 * (done + q / 4) + j < y->share) fetch_next(y);                                          \
            _Pragma("unroll") for (int j = 0; j < 4; ++j) add(acc, a + j * a_row, 1, b + j * COLS);                      \
        }                                                                                                                \
        for (; q < n; ++q, a += a_row, b += COLS) add(acc, a, 1, b);                                                     \
    }
ADD_OUTER(add_outer, ROWS, add_product)
ADD_OUTER(add_outer_small, SMALL, add_product_small)

// ---- the gradient of y = act((z + b) scale): e = dy where y > 0 (relu) or everywhere, dz = e scale ------------------------

// dz; e_sum += e, ey_sum += e y. `all` is -1 where it is everywhere, else 0.
static floatv undo_act(floatv dy, floatv y, floatv scale, intv all, floatv *e_sum, floatv *ey_sum)
{
    const floatv e = as_floatv(as_intv(dy) & ((y > 0.0f) | all));
    *e_sum += e;
    *ey_sum = RHEO_FMA(e, y, *ey_sum);
    return e * scale;
}

// Sums of e and of e y over many rows, with what rounding lost of each, COLUMNS_MAX columns each.

#define COLUMNS_MAX 1024        // of a group

static void clear_sums(floatv *sums, int n)
{
    for (int c = 0; c < n; c += VEC)
        for (int i = 0; i < 4; ++i) sums[(i * COLUMNS_MAX + c) / VEC] = (floatv)(0.0f);
}

// s += t; lost has what rounding lost (Kahan 1965).
static void add_lossless(floatv *s, floatv *lost, floatv t)
{
    const floatv u = t - *lost, v = *s + u;
    *lost = (v - *s) - u;
    *s = v;
}

// Of the vector at column c.
static void add_to_sums(floatv *sums, int c, floatv e, floatv ey)
{
    add_lossless(&sums[c / VEC], &sums[(COLUMNS_MAX + c) / VEC], e);
    add_lossless(&sums[(2 * COLUMNS_MAX + c) / VEC], &sums[(3 * COLUMNS_MAX + c) / VEC], ey);
}

static void put_sums(global float *to, int apart, const floatv *sums, int c, floatv scale)
{
    STORE_GLOBAL(sums[c / VEC] * scale, to);
    STORE_GLOBAL(sums[(2 * COLUMNS_MAX + c) / VEC], to + apart);
}
#endif
