// conv2d where channels are few; with the means of conv2d.cl, which comes before it.

#if RHEO_CPU
// ---- few columns: vectors along the reduction ------------------------------------------------------------------------

// A tap's weights are read and brought in order once for all of a group's positions, whose sums wait in private memory
// meanwhile. So a tile may be any positions: those outside x for this tap are left out instead of multiplied by zeros.
#define THIN_POSITIONS 128  // a group has at most
#define THIN_COLUMNS 12     // likewise
#define THIN_DEPTH 512      // of the reduction at a time
#define THIN_MOST ROWS      // rows of a tile at most
#define THIN_TILE (2 * ROWS)

// sums[place[p], c] += x[from[p] + k] w[k, c] elementwise in vectors of k < depth, for panels of C columns. p < n, a multiple of R.
#define THIN_MULTIPLY(name, R, C)                                                                                     \
    NOINLINE static void name(floatv *sums, int columns, const int *place, const int *from, int n,                    \
                              const global float *x, const floatv *w, int depth)                                      \
    {                                                                                                                 \
        for (int p = 0; p < n; p += R) {                                                                              \
            const global float *row[R];                                                                               \
            _Pragma("unroll") for (int r = 0; r < R; ++r) row[r] = x + from[p + r];                                   \
            const floatv *wk = w;                                                                                     \
            for (int j = 0; j < columns; j += C) {                                                                    \
                floatv acc[R][C];                                                                                     \
                _Pragma("unroll") for (int r = 0; r < R; ++r)                                                         \
                    _Pragma("unroll") for (int c = 0; c < C; ++c) acc[r][c] = sums[place[p + r] + j + c];             \
                for (int k = 0; k < depth; k += VEC, wk += C) {                                                       \
                    if (R < C) {                                                                                      \
                        floatv xr[R];                                                                                 \
                        _Pragma("unroll") for (int r = 0; r < R; ++r) xr[r] = LOAD_GLOBAL(row[r] + k);                \
                        _Pragma("unroll") for (int c = 0; c < C; ++c) {                                               \
                            const floatv wc = wk[c];                                                                  \
                            _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][c] = RHEO_FMA(xr[r], wc, acc[r][c]); \
                        }                                                                                             \
                    } else {                                                                                          \
                        floatv wc[C];                                                                                 \
                        _Pragma("unroll") for (int c = 0; c < C; ++c) wc[c] = wk[c];                                  \
                        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                               \
                            const floatv xr = LOAD_GLOBAL(row[r] + k);                                                \
                            _Pragma("unroll") for (int c = 0; c < C; ++c) acc[r][c] = RHEO_FMA(xr, wc[c], acc[r][c]); \
                        }                                                                                             \
                    }                                                                                                 \
                }                                                                                                     \
                _Pragma("unroll") for (int r = 0; r < R; ++r)                                                         \
                    _Pragma("unroll") for (int c = 0; c < C; ++c) sums[place[p + r] + j + c] = acc[r][c];             \
            }                                                                                                         \
        }                                                                                                             \
    }
THIN_MULTIPLY(thin_multiply2, THIN_TILE / 2, 2)
THIN_MULTIPLY(thin_multiply3, THIN_TILE / 3, 3)
THIN_MULTIPLY(thin_multiply4, THIN_TILE / 4, 4)

// to[j / width, k / VEC, j % width] = vectors of w[k, j], k < depth, zeros from column n on; w[k, j] at k s_in + j s_out.
NOINLINE static void thin_weights(float *to, const global float *w, int s_in, int s_out, int depth, int columns, int n, int width)
{
    if (n < columns) clear_row(to, columns * depth);
    for (int j = 0; j < n; j += width) {
        const int few = min(width, n - j);
        for (int k = 0; k < depth; k += VEC, to += width * VEC) {
            const global float *from = w + k * s_in + j * s_out;
            if (s_in == 1) {
                for (int c = 0; c < few; ++c) STORE(LOAD_GLOBAL(from + c * s_out), to + c * VEC);
            } else if (s_out == 1 && few == 4) {
                for (int d = 0; d < VEC; d += 4, from += 4 * s_in) {
                    const float4 p = LOAD_GLOBAL4(from), q = LOAD_GLOBAL4(from + s_in);
                    const float4 r = LOAD_GLOBAL4(from + 2 * s_in), s = LOAD_GLOBAL4(from + 3 * s_in);
                    STORE4((float4)(p.x, q.x, r.x, s.x), to + d);
                    STORE4((float4)(p.y, q.y, r.y, s.y), to + VEC + d);
                    STORE4((float4)(p.z, q.z, r.z, s.z), to + 2 * VEC + d);
                    STORE4((float4)(p.w, q.w, r.w, s.w), to + 3 * VEC + d);
                }
            } else {
                for (int d = 0; d < VEC; ++d)
                    for (int c = 0; c < few; ++c) to[c * VEC + d] = from[d * s_in + c * s_out];
            }
        }
    }
}

// conv2d for I a multiple of VEC; w[tap, i, o] at base + tap s_tap + i s_in + o s_out. Group (g, j): positions [g chunk, ..)
// and `columns` columns from j columns on, in panels of `width`.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_thin(const global float *x, const global float *w, const global float *b, const global float *l,
                 const global float *add, global float *y,
                 int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
                 int x_c, int y_c, int base, int s_tap, int s_in, int s_out, int chunk, int columns, int width,
                 int adds, int act, float factor, int x_batch, int w_batch, int y_batch)
{
    floatv sums[(THIN_POSITIONS + 1) * THIN_COLUMNS], weights[THIN_DEPTH * THIN_COLUMNS / VEC];
    int at[THIN_POSITIONS], h[THIN_POSITIONS], v[THIN_POSITIONS], place[THIN_POSITIONS + THIN_MOST], from[THIN_POSITIONS + THIN_MOST];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    add += (size_t)get_group_id(2) * y_batch;
    const int first = (int)get_group_id(0) * chunk, count = min(chunk, P - first);
    const int o = (int)get_group_id(1) * columns, n = min(columns, O - o);
    const int rows = THIN_TILE / width;
    locate(first, P, count, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
    clear_row((float *)sums, (count + 1) * columns * VEC);
    for (int tap = 0; tap < K / I; ++tap) {
        const int dh = tap / kw * dilation, dw = tap % kw * dilation;
        int inside = 0;
        for (int p = 0; p < count; ++p) {
            place[inside] = p * columns;
            from[inside] = at[p] + (dh * W + dw) * x_c;
            inside += (uint)(h[p] + dh) < (uint)H & (uint)(v[p] + dw) < (uint)W;
        }
        if (inside == 0) continue;
        for (; inside % rows != 0; ++inside) {
            place[inside] = count * columns;
            from[inside] = from[inside - 1];
        }
        for (int i = 0; i < I; i += THIN_DEPTH) {
            const int depth = min(THIN_DEPTH, I - i);
            thin_weights((float *)weights, w + tap * s_tap + i * s_in + o * s_out, s_in, s_out, depth, columns, n, width);
            if (width == 2) thin_multiply2(sums, columns, place, from, inside, x + i, weights, depth);
            else if (width == 3) thin_multiply3(sums, columns, place, from, inside, x + i, weights, depth);
            else thin_multiply4(sums, columns, place, from, inside, x + i, weights, depth);
        }
    }
    float shift[THIN_COLUMNS], scale[THIN_COLUMNS];
    for (int c = 0; c < n; ++c) {
        shift[c] = act >= 0 ? b[o + c] : 0.0f;
        scale[c] = act >= 0 ? exp(factor * l[o + c]) : 1.0f;
    }
    for (int p = 0; p < count; ++p) {
        const size_t to = (size_t)(first + p) * y_c;
        for (int c = 0; c < n; ++c) {
            const float z = (sumv(sums[p * columns + c]) + shift[c]) * scale[c];
            y[to + o + c] = adds ? add[to + o + c] + z : act == 1 && z < 0.0f ? 0.0f : z;
        }
        if (adds && o + n == O)
            for (int c = O; c < y_c; ++c) y[to + c] = add[to + c];
    }
}

// ---- 1x1 windows with few channels: all weights in private memory ----------------------------------------------------

#define SMALL_ROWS 8        // enough for the latency of their sums, one vector at a time
#define SMALL_MAX 48        // channels in and out at most

// conv2d for kh = kw = 1, no padding, I and O <= SMALL_MAX: w[i, o] at base + i s_in + o s_out. Group g: positions
// [g chunk, ..). Rows past the last position repeat it. A row's last vector may run into the next row, which is stored
// after it; so add is not y.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_small(const global float *x, const global float *w, const global float *b, const global float *l,
                  const global float *add, global float *y, int I, int O, int P, int x_c, int y_c, int base, int s_in, int s_out,
                  int chunk, int adds, int act, float factor, int x_batch, int w_batch, int y_batch)
{
    floatv weights_[SMALL_MAX * SMALL_MAX / VEC], shift_[SMALL_MAX / VEC], scale_[SMALL_MAX / VEC], part_[1];
    intv own_[1];
    float *weights = (float *)weights_, *shift = (float *)shift_, *scale = (float *)scale_, *part = (float *)part_;
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    add += (size_t)get_group_id(2) * y_batch;
    const int first = (int)get_group_id(0) * chunk, last = min(first + chunk, P);
    const int vectors = (O + VEC - 1) / VEC, stored = adds ? y_c : O;
    clear_row(weights, I * vectors * VEC);
    for (int i = 0; i < I; ++i)
        for (int o = 0; o < O; ++o) weights[i * vectors * VEC + o] = w[i * s_in + o * s_out];
    clear_row(shift, vectors * VEC);
    clear_row(scale, vectors * VEC);
    if (act >= 0) {
        copy_row(shift, b, O);
        copy_row(scale, l, O);
    }
    for (int v = 0; v < vectors; ++v) scale_[v] = exp(factor * scale_[v]);
    for (int j = 0; j < VEC; ++j) ((int *)own_)[j] = (vectors - 1) * VEC + j < O ? -1 : 0;
    for (int p = first; p < last; p += SMALL_ROWS) {
        for (int v = (stored + VEC - 1) / VEC - 1; v >= 0; --v) {
            floatv acc[SMALL_ROWS];
#pragma unroll
            for (int r = 0; r < SMALL_ROWS; ++r) acc[r] = (floatv)(0.0f);
            if (v < vectors) {
                const global float *row[SMALL_ROWS];
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) {
                    acc[r] = shift_[v];
                    row[r] = x + (size_t)min(p + r, last - 1) * x_c;
                }
                for (int i = 0; i < I; ++i) {
                    const floatv wi = weights_[i * vectors + v];
#pragma unroll
                    for (int r = 0; r < SMALL_ROWS; ++r) acc[r] = RHEO_FMA((floatv)(row[r][i]), wi, acc[r]);
                }
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) {
                    const floatv z = acc[r] * scale_[v], zero = (floatv)(0.0f);
                    acc[r] = act == 1 ? select(z, zero, z < zero) : z;
                    if (v == vectors - 1) acc[r] = as_floatv(as_intv(acc[r]) & own_[0]);      // no NaN beyond channel O
                }
            }
            const size_t to = (size_t)p * y_c + v * VEC;
            if (stored == y_c && to + (SMALL_ROWS - 1) * y_c + VEC <= (size_t)last * y_c) {
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) {
                    if (adds) acc[r] += LOAD_GLOBAL(add + to + r * y_c);
                    STORE_GLOBAL(acc[r], y + to + r * y_c);
                }
            } else {
                const int n = min(stored - v * VEC, VEC);
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) {
                    const size_t at = to + min(r, last - 1 - p) * y_c;
                    part_[0] = (floatv)(0.0f);
                    if (adds) copy_row(part, add + at, n);
                    part_[0] += acc[r];
                    store_row(y + at, part, n);
                }
            }
        }
    }
}
#endif
