// The gradient of three convolutions in a row (conv2d_stack.cl), what is between them having been kept: for few positions at a time what the
// gradient is at both hidden layers stays in the cache, and serves the gradients of all weights. With the means of conv2d_stack.cl, which
// comes before it.

#if RHEO_CPU
// ---- weights, transposed -----------------------------------------------------------------------------------------------------------------

// Row k of n: its `parts` begin `parts_apart` from each other, in each `run` floats lie `apart`.
static void pack_spread(global float *to, const global float *w, int k, int n, int parts, int parts_apart, int run, int apart)
{
    const int columns = parts * run, all = padded(columns), width = panel_width(columns);
    int i = 0;
    for (int c = 0; c < all; c += width) {
        global float *row = to + packed_at(k, c, n, columns);
        const int here = min(width, all - c), own = min(here, columns - c);
        for (int j = 0; j < own; ++j) {
            row[j] = w[i * apart];
            if (++i == run) w += parts_apart, i = 0;
        }
        for (int j = own; j < here; ++j) row[j] = 0.0f;
    }
}

// work, from element `at` on, has w3 [taps3, O2, O3] as [(tap, O3), O2], w2 [O, O2] as [O2, O] and w [taps, I, O] as [O, (tap, I)], taps in
// reverse order, each packed.
kernel void stack_backward_weights(const global float *w, const global float *w2, const global float *w3, global float *work, int at, int I,
                                   int O, int O2, int O3, int taps, int taps3)
{
    const int K3 = taps3 * O3;
    global float *to3 = work + at, *to2 = to3 + K3 * padded(O2), *to = to2 + O2 * padded(O);
    FOR_ITEMS(row, K3 + O2 + O) {
        const int k2 = row - K3, k = k2 - O2;
        if (k2 < 0) pack_spread(to3, w3 + (taps3 - 1 - row / O3) * O2 * O3 + row % O3, row, K3, 1, 0, O2, O3);
        else if (k < 0) pack_spread(to2, w2 + k2, k2, O2, 1, 0, O, O2);
        else pack_spread(to, w + (taps - 1) * I * O + k, k, O, taps, -I * O, I, O);
    }
}

// ---- gradients of weights --------------------------------------------------------------------------------------------------------------

// to[r, c] (or with `more` +=) the sum over p < n of a[p, r] b[p, c], r < rows, of R rows and V vectors of columns. By fours as ADD_OUTER.
#define NEAR_OUTER_ADD(R, V, k)                                                                                                           \
    {                                                                                                                                     \
        floatv row[V];                                                                                                                    \
        _Pragma("unroll") for (int v = 0; v < V; ++v) row[v] = LOAD(b + (k) * NEAR_STRIDE + v * VEC);                                     \
        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                                                   \
            const floatv t = (floatv)(a[(k) * NEAR_STRIDE + r]);                                                                          \
            _Pragma("unroll") for (int v = 0; v < V; ++v) acc[r][v] = RHEO_FMA(t, row[v], acc[r][v]);                                     \
        }                                                                                                                                 \
    }
#define NEAR_OUTER(name, R, V)                                                                                                            \
    NOINLINE static void name(global float *to, int columns, const float *a, const float *b, int n, int rows, int more,                   \
                              stream *soon)                                                                                               \
    {                                                                                                                                     \
        floatv acc[R][V];                                                                                                                 \
        stream s = *soon;                                                                                                                 \
        int p = 0;                                                                                                                        \
        _Pragma("unroll") for (int r = 0; r < R; ++r)                                                                                     \
            _Pragma("unroll") for (int v = 0; v < V; ++v)                                                                                 \
                acc[r][v] = more && r < rows ? LOAD_GLOBAL(to + r * columns + v * VEC) : (floatv)(0.0f);                                  \
        fetch_before(&s, n / 4);                                                                                                          \
        for (; p + 4 <= n; p += 4, a += 4 * NEAR_STRIDE, b += 4 * NEAR_STRIDE) {                                                          \
            if (p < 4 * s.share) fetch_next(&s);                                                                                          \
            _Pragma("unroll") for (int j = 0; j < 4; ++j) NEAR_OUTER_ADD(R, V, j)                                                         \
        }                                                                                                                                 \
        for (; p < n; ++p, a += NEAR_STRIDE, b += NEAR_STRIDE) NEAR_OUTER_ADD(R, V, 0)                                                    \
        *soon = s;                                                                                                                        \
        _Pragma("unroll") for (int r = 0; r < R; ++r)                                                                                     \
            if (r < rows) {                                                                                                               \
                _Pragma("unroll") for (int v = 0; v < V; ++v) STORE_GLOBAL(acc[r][v], to + r * columns + v * VEC);                        \
            }                                                                                                                             \
    }
NEAR_OUTER(near_outer1, NEAR_ROWS, 1)
NEAR_OUTER(near_outer2, NEAR_ROWS, 2)
NEAR_OUTER(near_outer_small1, SMALL, 1)
NEAR_OUTER(near_outer_small2, SMALL, 2)
#if VEC == 16
NEAR_OUTER(near_outer3, NEAR_ROWS, 3)
NEAR_OUTER(near_outer4, NEAR_ROWS, 4)
NEAR_OUTER(near_outer_small3, SMALL, 3)
NEAR_OUTER(near_outer_small4, SMALL, 4)
#endif

#define OUTER_ROWS(all, few)                                                                                                              \
    {                                                                                                                                     \
        if (m == SMALL) few(tile, columns, a + r, b + c, n, left, more, soon);                                                            \
        else all(tile, columns, a + r, b + c, n, left, more, soon);                                                                       \
    }

// to [rows, columns], or more of it, the sum over n positions of a's column r times b's; columns are whole vectors. Beside each tile, some of
// what is read next.
static void outer_near(global float *to, int rows, int columns, const float *a, const float *b, int n, int more, stream *soon)
{
    const int width = panel_width(columns);
    for (int c = 0; c < columns; c += width) {
        const int vectors = min(width, columns - c) / VEC;
        for (int r = 0, m; r < rows; r += m) {
            const int left = rows - r;
            global float *tile = to + (size_t)r * columns + c;
            m = left <= SMALL || (left > NEAR_ROWS && left <= 2 * SMALL) ? SMALL : NEAR_ROWS;
            if (vectors == 1) OUTER_ROWS(near_outer1, near_outer_small1)
            else if (vectors == 2) OUTER_ROWS(near_outer2, near_outer_small2)
#if VEC == 16
            else if (vectors == 3) OUTER_ROWS(near_outer3, near_outer_small3)
            else OUTER_ROWS(near_outer4, near_outer_small4)
#endif
        }
    }
}

// ---- hidden layers -----------------------------------------------------------------------------------------------------------------------

static void take_rows(float *to, const global float *from, int rows, int n)
{
    for (int r = 0; r < rows; ++r) copy_row(to + r * NEAR_STRIDE, from + (size_t)r * n, n);
}

// Rows of dy become dz, see undo_act; sums as of add_to_sums. n is whole vectors.
static void undo_near(float *dy, const float *y, int rows, int n, const float *scale, int relu, floatv *sums)
{
    const intv all = relu ? 0 : -1;
    for (int c = 0; c < n; c += VEC) {
        const floatv by = LOAD(scale + c);
        floatv e = (floatv)(0.0f), ey = (floatv)(0.0f);
        for (int r = 0; r < rows; ++r) {
            const int at = r * NEAR_STRIDE + c;
            STORE(undo_act(LOAD(dy + at), LOAD(y + at), by, all, &e, &ey), dy + at);
        }
        add_to_sums(sums, c, e, ey);
    }
}

// dz = gradient at the last convolution's output, of it: dz2 = undone(dz3 w3^T) at h2, dz1 = undone(dz2 w2^T) at h, and work[p, (tap, i)] =
// dz1 w[tap, i, :], taps in reverse order. Group g's positions, a share of the tiles of NEAR_ROWS, add to its part of `part` floats, all
// parts in work from `parts` on: [K3, O2] patch of dz3 times h2, [O, O2] h times dz2, [K, O] patch of x times dz1, and db2, e2 h2, db1, e1 h.
// Weights are in work from `weights` on.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_stack_backward(const global float *dz3, const global float *h2, const global float *h1, const global float *x,
                           const global float *l, const global float *l2, global float *work, int H, int W, int I, int O, int OH, int OW,
                           int P, int kw, int pad_h, int pad_w, int dilation, int K, int x_c, int O2, int H3, int W3, int O3, int kw3, int pad3,
                           int dilation3, int K3, int act, float factor, int act2, float factor2, int weights, int parts, int part)
{
    floatv near_[SPAN_ROWS * NEAR_STRIDE / VEC], next_[SPAN_ROWS * NEAR_STRIDE / VEC], kept_[SPAN_ROWS * NEAR_STRIDE / VEC];
    floatv sums[4 * COLUMNS_MAX / VEC], sums2[4 * COLUMNS_MAX / VEC];
    floatv shift_[NEAR_CHANNELS / VEC], scale_[NEAR_CHANNELS / VEC], scale2_[NEAR_CHANNELS / VEC];
    float *near = (float *)near_, *next = (float *)next_, *kept = (float *)kept_;
    float *shift = (float *)shift_, *scale = (float *)scale_, *scale2 = (float *)scale2_;
    int at[SPAN_ROWS], h[SPAN_ROWS], v[SPAN_ROWS];
    const global float *w3 = work + weights, *w2 = w3 + K3 * padded(O2), *w = w2 + O2 * padded(O);
    global float *dw3 = work + parts + (size_t)get_group_id(0) * part, *dw2 = dw3 + K3 * O2, *dw = dw2 + O * O2;
    global float *db2 = dw + K * O, *db = db2 + 2 * O2;
    const int tiles = (P + NEAR_ROWS - 1) / NEAR_ROWS, N = P / (OH * OW);
    const int first = (int)(get_group_id(0) * (size_t)tiles / get_num_groups(0)) * NEAR_ROWS;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)tiles / get_num_groups(0)) * NEAR_ROWS, P);
    take_act(shift, scale2, l2, l2, 0, factor2, O2);
    take_act(shift, scale, l, l, 0, factor, O);
    clear_sums(sums2, O2);
    clear_sums(sums, O);
    for (int q = first; q < last; q += SPAN_ROWS) {
        const int positions = min(SPAN_ROWS, last - q), up = (positions + NEAR_ROWS - 1) / NEAR_ROWS * NEAR_ROWS, more = q > first;
        const int left = min(SPAN_ROWS, last - q - positions);
        stream none = { 0 }, soon = stream_of(h1 + (size_t)(q + positions) * O, O, O, left, tiles_near(O, O2));
        stream soon2 = stream_of(h2 + (size_t)(q + positions) * O2, O2, O2, left, tiles_near(up, O));
        locate(q, last, up, H3, W3, O3, OH, OW, pad3, pad3, at, h, v);
        gather(near, NEAR_STRIDE, up, dz3, dz3 + N * H3 * W3 * O3, at, h, v, H3, W3, O3, O3, kw3, dilation3, 0, K3);
        layer_near(next, near, w3, K3, O2, up, shift, shift, -1, &none);
        take_rows(kept, h2 + (size_t)q * O2, positions, O2);
        undo_near(next, kept, positions, O2, scale2, act2, sums2);
        outer_near(dw3, K3, O2, near, kept, positions, more, &none);
        take_rows(near, h1 + (size_t)q * O, positions, O);
        outer_near(dw2, O, O2, near, next, positions, more, &soon);
        layer_near(kept, next, w2, O2, O, up, shift, shift, -1, &soon2);
        undo_near(kept, near, positions, O, scale, act, sums);
        locate(q, last, up, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
        gather(near, NEAR_STRIDE, up, x, x + N * H * W * x_c, at, h, v, H, W, x_c, I, kw, dilation, 0, K);
        outer_near(dw, K, O, near, kept, positions, more, &none);
        layer_near(next, kept, w, O, K, up, shift, shift, -1, &none);
        keep_rows(work + (size_t)q * K, next, positions, K);
    }
    for (int c = 0; c < O2; c += VEC) put_sums(db2 + c, O2, sums2, c, LOAD(scale2 + c));
    for (int c = 0; c < O; c += VEC) put_sums(db + c, O, sums, c, LOAD(scale + c));
}

// ---- sums over groups ----------------------------------------------------------------------------------------------------------------------

// Items are rows of the parts, see above: their sums go where they belong.
kernel void stack_backward_totals(const global float *work, global float *dw, global float *db, global float *dl, global float *dw2,
                                  global float *db2, global float *dl2, global float *dw3, int at, int parts, int part, int K, int O, int O2,
                                  int O3, int K3, float factor, float factor2)
{
    floatv sum_[NEAR_CHANNELS / VEC];
    float *sum = (float *)sum_;
    work += at;
    FOR_ITEMS(row, K3 + O + K + 4) {
        const int k2 = row - K3, k = k2 - O, rest = k - K, narrow = rest >= 2 || (k >= 0 && rest < 0), width = narrow ? O : O2;
        const global float *from = work + min(row, K3 + O) * O2 + min(max(k, 0), K) * O + clamp(rest, 0, 2) * O2 + (rest > 2 ? O : 0);
        for (int c = 0; c < width; c += VEC) {
            floatv s = LOAD_GLOBAL(from + c);
            for (int p = 1; p < parts; ++p) s += LOAD_GLOBAL(from + (size_t)p * part + c);
            if (rest == 1) s *= factor2;
            if (rest == 3) s *= factor;
            STORE(s, sum + c);
        }
        if (k2 < 0) {
            global float *to = dw3 + (K3 / O3 - 1 - row / O3) * O2 * O3 + row % O3;
            for (int c = 0; c < O2; ++c) to[c * O3] = sum[c];
        } else {
            global float *to = k < 0 ? dw2 + k2 * O2 : rest < 0 ? dw + k * O : rest == 0 ? db2 : rest == 1 ? dl2 : rest == 2 ? db : dl;
            store_row(to, sum, width);
        }
    }
}
#endif
