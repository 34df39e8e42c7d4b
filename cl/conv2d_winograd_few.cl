// conv2d_winograd.cl for few columns, with the means of winograd.cl: vectors along the reduction, whose elements are added up after all else.

#if RHEO_CPU
#define FEW_SUMS (2 * ROWS)     // tiles x columns at a time
#define FEW_PANELS 8            // of columns
#define FEW_X (16 * ROWS * 80)  // floats of x transformed at a time, 16 points x tiles x (channels + GAP)

// u[panel, point, i, column] of w, vectors along i; w[tap, i, o] at base + tap s_tap + i s_in + o s_out. Columns beyond the last are zero,
// and so are I floats after the last panel. Panels have `width` columns.
kernel void winograd_few_weights(const global float *w, global float *u, int I, int O, int base, int s_tap, int s_in, int s_out, int width)
{
    const int panels = (O + width - 1) / width, deep = I / VEC;
    if (get_global_id(0) == 0)
        for (int i = 0; i < I; ++i) u[panels * 16 * I * width + i] = 0.0f;
    FOR_ITEMS(k, panels * width * deep) {
        const int v = k % deep, o = k / deep, i = v * VEC;
        const global float *from = w + base + i * s_in + o * s_out;
        global float *to = u + ((o / width * 16 * deep + v) * width + o % width) * VEC;
        floatv g[9], points[16];
        for (int tap = 0; tap < 9; ++tap, from += s_tap) {
            float row[VEC];
            for (int j = 0; j < VEC; ++j) row[j] = o < O ? from[j * s_in] : 0.0f;
            g[tap] = LOAD(row);
        }
        transform_window(points, g);
        for (int p = 0; p < 16; ++p) STORE_GLOBAL(points[p], to + p * I * width);
    }
}

// m[p, r C + c] = (or with `more` +=) the sum over n vectors k of v[p, r, k] u[p, k, c], of R tiles and C columns. Points are FEW_SUMS
// vectors apart in m, `apart` and `u_apart` floats in v and u, tiles `stride`. 12 sums leave 4 of 16 registers. Each point asks for `lines`
// lines from `next` on.
#define FEW_MULTIPLY(name, R, C)                                                                                             \
    NOINLINE static void name(floatv *m, const float *v, int apart, int stride, const global float *u, int u_apart, int n,  \
                              int more, const global float *next, int lines)                                                \
    {                                                                                                                        \
        for (int p = 0; p < 16; ++p, m += FEW_SUMS, v += apart, u += u_apart) {                                              \
            floatv acc[R][C];                                                                                                \
            for (int k = 0; k < lines; ++k, next += 16) FETCH(next);                                                         \
            _Pragma("unroll") for (int s = 0; s < R * C; ++s) acc[s / C][s % C] = more ? m[s] : (floatv)(0.0f);              \
            for (int k = 0; k < n; ++k) {                                                                                    \
                floatv held[R < C ? R : C];                                                                                  \
                if (R < C) {                                                                                                 \
                    _Pragma("unroll") for (int r = 0; r < R; ++r) held[r] = LOAD(v + r * stride + k * VEC);                  \
                    _Pragma("unroll") for (int c = 0; c < C; ++c) {                                                          \
                        const floatv t = LOAD_GLOBAL(u + (k * C + c) * VEC);                                                 \
                        _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][c] = RHEO_FMA(held[r], t, acc[r][c]);           \
                    }                                                                                                        \
                } else {                                                                                                     \
                    _Pragma("unroll") for (int c = 0; c < C; ++c) held[c] = LOAD_GLOBAL(u + (k * C + c) * VEC);              \
                    _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                          \
                        const floatv t = LOAD(v + r * stride + k * VEC);                                                     \
                        _Pragma("unroll") for (int c = 0; c < C; ++c) acc[r][c] = RHEO_FMA(t, held[c], acc[r][c]);           \
                    }                                                                                                        \
                }                                                                                                            \
            }                                                                                                                \
            _Pragma("unroll") for (int s = 0; s < R * C; ++s) m[s] = acc[s / C][s % C];                                      \
        }                                                                                                                    \
    }
FEW_MULTIPLY(few_multiply2, FEW_SUMS / 2, 2)
FEW_MULTIPLY(few_multiply3, FEW_SUMS / 3, 3)
FEW_MULTIPLY(few_multiply4, FEW_SUMS / 4, 4)

// out[k, s] = the sum of the elements of (A' m A)[k] of column s
NOINLINE static void few_outputs(float *out, const floatv *m)
{
    floatv flat[4 * FEW_SUMS];
    for (int s = 0; s < FEW_SUMS; ++s) {
        floatv y[4];
        transform_y(y, (const float *)(m + s), FEW_SUMS * VEC);
#pragma unroll
        for (int k = 0; k < 4; ++k) flat[k * FEW_SUMS + s] = y[k];
    }
    for (int s = 0; s < 4 * FEW_SUMS; s += VEC) STORE(sums_of(flat + s), out + s);
}

// What conv2d_winograd computes, without undo; add and y have y_c channels, of which those beyond O go from add to y. Panels have `width`
// columns; the reduction goes in steps of `depth`, and both are such that what they count fits the arrays.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_winograd_few(const global float *x, const global float *u, const global float *b, const global float *l,
                         const global float *add, global float *y, int H, int W, int I, int O, int OH, int OW, int pad_h, int pad_w, int dilation, int x_c, int y_c,
                         int all, int down, int across, int width, int depth, int adds, int act, float factor)
{
    floatv v_[FEW_X / VEC], m[FEW_PANELS * 16 * FEW_SUMS], out_[4 * FEW_SUMS / VEC];
    float *v = (float *)v_, *out = (float *)out_, shift[FEW_PANELS * 4], scale[FEW_PANELS * 4];
    const global float *from[FEW_SUMS / 2][16];
    int at[FEW_SUMS / 2], high[FEW_SUMS / 2], wide[FEW_SUMS / 2];
    const tiling g = { down, across, dilation };
    const int tiles = FEW_SUMS / width, panels = (O + width - 1) / width, stride = depth + GAP, apart = tiles * stride;
    const global float *const zeros = u + panels * 16 * I * width;
    const int blocks = (all + tiles - 1) / tiles;
    const int first = (int)(get_group_id(0) * (size_t)blocks / get_num_groups(0)) * tiles;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)blocks / get_num_groups(0)) * tiles, all);
    for (int o = 0; o < O; ++o) {
        shift[o] = act >= 0 ? b[o] : 0.0f;
        scale[o] = act >= 0 ? exp(factor * l[o]) : 1.0f;
    }
    for (int k = 0; k < 16 * apart; k += VEC) STORE((floatv)(0.0f), v + k);     // tiles that stand for nothing
    for (int t0 = first; t0 < last; t0 += tiles) {
        const int count = min(tiles, last - t0);
        spot s = spot_of(t0, g);
        for (int t = 0; t < count; ++t, step_on(&s, g)) {
            place(s, g, OH, OW, &at[t], &high[t], &wide[t]);
            window(from[t], x, zeros, s.n, corner_h(s, g) - pad_h, corner_w(s, g) - pad_w, 4, dilation, H, W, x_c);
        }
        // About what the next tiles see that none has seen yet: as many positions, two lines further.
        const global float *const next = x + (size_t)(4 * (t0 + tiles) + 2 * W) * x_c;
        for (int i = 0; i < I; i += depth) {
            const int n = min(depth, I - i), lines = i == 0 && dilation == 1 ? (4 * tiles * x_c / 16 + 16 * panels - 1) / (16 * panels) : 0;
            for (int t = 0; t < count; ++t) transform_x(v + t * stride, apart, from[t], i, n, I, 0);
            for (int j = 0; j < panels; ++j) {
                const global float *uj = u + (j * 16 * I + i) * width;
                floatv *mj = m + j * 16 * FEW_SUMS;
                if (width == 2) few_multiply2(mj, v, apart, stride, uj, I * 2, n / VEC, i > 0, next + j * 256 * lines, lines);
                else if (width == 3) few_multiply3(mj, v, apart, stride, uj, I * 3, n / VEC, i > 0, next + j * 256 * lines, lines);
                else few_multiply4(mj, v, apart, stride, uj, I * 4, n / VEC, i > 0, next + j * 256 * lines, lines);
            }
        }
        for (int j = 0; j < panels; ++j) {
            const int o = j * width;
            few_outputs(out, m + j * 16 * FEW_SUMS);
            for (int t = 0; t < count; ++t) {
                for (int k = 0; k < 4; ++k) {
                    if (k / 2 >= high[t] || k % 2 >= wide[t]) continue;
                    const size_t to = (size_t)(at[t] + (k / 2 * OW + k % 2) * dilation) * y_c;
                    for (int c = 0; c < min(width, O - o); ++c) {
                        const float z = (out[k * FEW_SUMS + t * width + c] + shift[o + c]) * scale[o + c];
                        y[to + o + c] = adds ? add[to + o + c] + z : act == 1 && z < 0.0f ? 0.0f : z;
                    }
                    for (int c = O; adds && j == 0 && c < y_c; ++c) y[to + c] = add[to + c];
                }
            }
        }
    }
}
#endif
