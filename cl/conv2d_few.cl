// conv2d where channels are few; with the means of conv2d.cl, which comes before it.

#if RHEO_CPU
// ---- few columns: vectors along the reduction ------------------------------------------------------------------------

// A group keeps all weights of its columns, in the order in which they are used, and a tile's sums stay in registers over the whole
// window, so that x, read once a tap, comes from the first-level cache.
#define THIN_WEIGHTS (1 << 16)
#define THIN_COLUMNS 12     // a group has at most
#define THIN_TILE (2 * ROWS)
#define THIN_SUMS ((THIN_TILE + VEC - 1) / VEC)     // vectors that hold a sum for each of a tile

// sums[r C + c] = sum over taps and i of row r at the tap [i] times w[tap, i, c], for R positions at, h, v as locate() gives them and
// C columns, w in vectors along i. Each tap asks for `lines` lines from `next` on.
#define THIN_MULTIPLY(name, R, C)                                                                                             \
    NOINLINE static void name(floatv *sums, const global float *x, const global float *zeros, const int *at, const int *h,  \
                              const int *v, int H, int W, int I, int x_c, int kh, int kw, int dilation, const floatv *w,      \
                              const global float *next, int lines)                                                            \
    {                                                                                                                         \
        floatv acc[R][C], flat[THIN_SUMS * VEC];                                                                              \
        _Pragma("unroll") for (int r = 0; r < R; ++r)                                                                         \
            _Pragma("unroll") for (int c = 0; c < C; ++c) acc[r][c] = (floatv)(0.0f);                                         \
        for (int i = 0; i < kh; ++i) {                                                                                        \
            for (int j = 0; j < kw; ++j) {                                                                                    \
                const int dh = i * dilation, dw = j * dilation, shift = (dh * W + dw) * x_c;                                  \
                const global float *row[R];                                                                                   \
                _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                               \
                    const bool inside = (uint)(h[r] + dh) < (uint)H & (uint)(v[r] + dw) < (uint)W;                            \
                    row[r] = inside ? x + at[r] + shift : zeros;                                                              \
                }                                                                                                             \
                for (int k = 0; k < lines; ++k, next += 16) FETCH(next);                                                      \
                for (int k = 0; k < I; k += VEC, w += C) {                                                                    \
                    if (R < C) {                                                                                              \
                        floatv xr[R];                                                                                         \
                        _Pragma("unroll") for (int r = 0; r < R; ++r) xr[r] = LOAD_GLOBAL(row[r] + k);                        \
                        _Pragma("unroll") for (int c = 0; c < C; ++c) {                                                       \
                            const floatv wc = w[c];                                                                           \
                            _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][c] = RHEO_FMA(xr[r], wc, acc[r][c]);         \
                        }                                                                                                     \
                    } else {                                                                                                  \
                        floatv wc[C];                                                                                         \
                        _Pragma("unroll") for (int c = 0; c < C; ++c) wc[c] = w[c];                                           \
                        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                       \
                            const floatv xr = LOAD_GLOBAL(row[r] + k);                                                        \
                            _Pragma("unroll") for (int c = 0; c < C; ++c) acc[r][c] = RHEO_FMA(xr, wc[c], acc[r][c]);         \
                        }                                                                                                     \
                    }                                                                                                         \
                }                                                                                                             \
            }                                                                                                                 \
        }                                                                                                                     \
        _Pragma("unroll") for (int s = 0; s < THIN_SUMS * VEC; ++s) flat[s] = s < R * C ? acc[s / C][s % C] : (floatv)(0.0f); \
        _Pragma("unroll") for (int s = 0; s < THIN_SUMS; ++s) sums[s] = sums_of(flat + s * VEC);                              \
    }
THIN_MULTIPLY(thin_multiply2, THIN_TILE / 2, 2)
THIN_MULTIPLY(thin_multiply3, THIN_TILE / 3, 3)
THIN_MULTIPLY(thin_multiply4, THIN_TILE / 4, 4)

// to[k / VEC, j] = vectors of w[k, j] for k < depth and j < width, zeros from column n on; w[k, j] at k s_in + j s_out.
NOINLINE static void thin_weights(float *to, const global float *w, int s_in, int s_out, int depth, int n, int width)
{
    if (n < width) clear_row(to, width * depth);
    for (int k = 0; k < depth; k += VEC, to += width * VEC) {
        const global float *from = w + k * s_in;
        if (s_in == 1) {
            for (int c = 0; c < n; ++c) STORE(LOAD_GLOBAL(from + c * s_out), to + c * VEC);
        } else if (s_out == 1 && n == 4) {
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
                for (int c = 0; c < n; ++c) to[c * VEC + d] = from[d * s_in + c * s_out];
        }
    }
}

// conv2d for I a multiple of VEC; w[tap, i, o] at base + tap s_tap + i s_in + o s_out. Group (g, j): a share of the tiles of
// THIN_TILE / width positions, and `columns` columns from j columns on, in panels of `width`; K columns <= THIN_WEIGHTS. work has I floats
// a group, which stand for positions outside x; without padding there are none and it is not used.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_thin(const global float *x, const global float *w, const global float *b, const global float *l,
                 const global float *add, global float *y, global float *work,
                 int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
                 int x_c, int y_c, int base, int s_tap, int s_in, int s_out, int columns, int width,
                 int adds, int act, float factor, int x_batch, int w_batch, int y_batch)
{
    floatv weights[THIN_WEIGHTS / VEC], sums_[THIN_SUMS];
    float shift[THIN_COLUMNS], scale[THIN_COLUMNS], *sums = (float *)sums_;
    int at[THIN_TILE / 2], h[THIN_TILE / 2], v[THIN_TILE / 2];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    add += (size_t)get_group_id(2) * y_batch;
    const global float *zeros = x;
    if (pad_h + pad_w > 0) {
        work += ((get_group_id(2) * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0)) * (size_t)I;
        for (int i = 0; i < I; i += VEC) STORE_GLOBAL((floatv)(0.0f), work + i);
        zeros = work;
    }
    const int rows = THIN_TILE / width, tiles = (P + rows - 1) / rows, o = (int)get_group_id(1) * columns, n = min(columns, O - o);
    const int first = (int)(get_group_id(0) * (size_t)tiles / get_num_groups(0)) * rows;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)tiles / get_num_groups(0)) * rows, P);
    for (int c = 0; c < n; c += width)
        for (int tap = 0; tap < K / I; ++tap)
            thin_weights((float *)weights + c * K + tap * I * width, w + tap * s_tap + (o + c) * s_out, s_in, s_out, I, min(width, n - c), width);
    for (int c = 0; c < n; ++c) {
        shift[c] = act >= 0 ? b[o + c] : 0.0f;
        scale[c] = act >= 0 ? exp(factor * l[o + c]) : 1.0f;
    }
    for (int p = first; p < last; p += rows) {
        locate(p, last, rows, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
        // The last tap of the next tile's positions is what no tile has read yet.
        const global float *const next = x + at[0] + (K / I / kw - 1) * dilation * W * x_c + (kw - 1) * dilation * x_c + rows * x_c;
        for (int j = 0; j < n; j += width) {
            const floatv *wj = weights + j * K / VEC;
            const int lines = j == 0 ? (rows * x_c / 16 + K / I - 1) / (K / I) : 0;
            if (width == 2) thin_multiply2(sums_, x, zeros, at, h, v, H, W, I, x_c, K / I / kw, kw, dilation, wj, next, lines);
            else if (width == 3) thin_multiply3(sums_, x, zeros, at, h, v, H, W, I, x_c, K / I / kw, kw, dilation, wj, next, lines);
            else thin_multiply4(sums_, x, zeros, at, h, v, H, W, I, x_c, K / I / kw, kw, dilation, wj, next, lines);
            for (int r = 0; r < min(rows, last - p); ++r) {
                const size_t to = (size_t)(p + r) * y_c + o;
                for (int c = j; c < min(j + width, n); ++c) {
                    const float z = (sums[r * width + c - j] + shift[c]) * scale[c];
                    y[to + c] = adds ? add[to + c] + z : act == 1 && z < 0.0f ? 0.0f : z;
                }
            }
        }
        if (!adds || o + n < O) continue;
        for (int r = 0; r < min(rows, last - p); ++r)
            for (int c = O; c < y_c; ++c) y[(size_t)(p + r) * y_c + c] = add[(size_t)(p + r) * y_c + c];
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
    take_act(shift, scale, b, l, act, factor, O);
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
