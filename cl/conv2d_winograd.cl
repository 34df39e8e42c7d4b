// conv2d with a window of 3x3 on CPUs by Winograd's minimal filtering, with the means of winograd.cl, which comes before it: vectors along
// the columns.

#if RHEO_CPU
// Tiles at a time, a multiple of ROWS, and floats of x, POINTS x tiles x (channels + GAP).
#if OUT == 2
#define TILES 48
#define TRANSFORMED (1 << 16)
#else
#define TILES 24
#define TRANSFORMED (1 << 17)
#endif

// u[panel, point, i, column] of w, whose element (tap, i, o) is at base + tap s_tap + i s_in + o s_out; columns beyond the last
// are zero, and so are `width` floats after the last panel.
kernel void winograd_weights(const global float *w, global float *u, int I, int O, int base, int s_tap, int s_in, int s_out, int at,
                             int width)
{
    const int panels = (O + COLS - 1) / COLS;
    u += at;
    if (get_global_id(0) == 0)
        for (int i = 0; i < width; ++i) u[panels * POINTS * I * COLS + i] = 0.0f;
    FOR_ITEMS(k, panels * 2 * I) {
        const int i = k % I, part = k / I, o = part * VEC;
        const global float *from = w + base + i * s_in + o * s_out;
        global float *to = u + ((part / 2 * POINTS) * I + i) * COLS + part % 2 * VEC;
        floatv g[9], points[POINTS];
        for (int tap = 0; tap < 9; ++tap, from += s_tap) {
            float row[VEC];
            if (s_out == 1 && o + VEC <= O) {
                g[tap] = LOAD_GLOBAL(from);
            } else {
                for (int j = 0; j < VEC; ++j) row[j] = o + j < O ? from[j * s_out] : 0.0f;
                g[tap] = LOAD(row);
            }
        }
        transform_window(points, g);
        for (int p = 0; p < POINTS; ++p) STORE_GLOBAL(points[p], to + p * I * COLS);
    }
}

ADD_PRODUCT(add_product_global, ROWS, global, LOAD_GLOBAL)

// Asks for a panel of columns at the positions of a tile.
static void fetch_tile(const global float *p, int below, int right)
{
    for (int k = 0; k < OUT * OUT; ++k) fetch_row(p + k / OUT * below + k % OUT * right, COLS);
}

// m[p, t, :] = sum over k < n of v[p, t, k] u[p, k, :] of all points p and `count` tiles t; points are TILES COLS apart in m, `apart` in v,
// rows COLS and `stride`. Beside the products, asks for the tiles' panels of y, at `at`, and of `was`, where there is one.
NOINLINE static void multiply(float *m, const float *v, int apart, int stride, const global float *u, int n, int count, const int *at,
                              const global float *y, const global float *was, int y_c, int below, int right)
{
    const int products = POINTS * ((count + ROWS - 1) / ROWS);
    for (int p = 0, due = 0; p < POINTS; ++p, m += TILES * COLS, v += apart, u += n * COLS) {
        for (int t = 0; t < count; t += ROWS) {
            for (due += count; due >= products; due -= products, ++at) {
                fetch_tile(y + (size_t)*at * y_c, below, right);
                if (was) fetch_tile(was + (size_t)*at * y_c, below, right);
            }
            floatv acc[ROWS][2];
            const float *row = v + t * stride;
            float *to = m + t * COLS;
#pragma unroll
            for (int r = 0; r < ROWS; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);
            int k = 0;
            for (; k + 4 <= n; k += 4) {
#pragma unroll
                for (int j = 0; j < 4; ++j) add_product_global(acc, row + k + j, stride, u + (k + j) * COLS);
            }
            for (; k < n; ++k) add_product_global(acc, row + k, stride, u + k * COLS);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                STORE(acc[r][0], to + r * COLS);
                STORE(acc[r][1], to + r * COLS + VEC);
            }
        }
    }
}

// For each of `count` tiles, m as of transform_y: DO with z an output, `to` its position in y. Of a tile at the edge only high[t] x wide[t]
// are outputs.
#define OUTPUTS(DO)                                                                            \
    for (int t = 0; t < count; ++t) {                                                          \
        floatv out[OUT * OUT];                                                                         \
        transform_y(out, m + t * COLS, TILES * COLS);                                          \
        const size_t corner = (size_t)at[t] * y_c;                                             \
        _Pragma("unroll") for (int k = 0; k < OUT * OUT; ++k) {                                        \
            const size_t to = corner + k / OUT * below + k % OUT * right;                          \
            floatv z = out[k];                                                                 \
            if (k / OUT < high[t] && k % OUT < wide[t]) DO                                         \
        }                                                                                      \
    }

NOINLINE static void finish_tiles(global float *y, const global float *add, const float *m, const int *at, const int *high, const int *wide,
                                  int count, int y_c, int below, int right, int n, floatv shift, floatv scale, int act)
{
    const intv negative = act == 1 ? -1 : 0;
    if (act >= 0) OUTPUTS({
        z = (z + shift) * scale;
        store_part(as_floatv(as_intv(z) & ~((z < 0.0f) & negative)), y + to, n);
    }) else if (add) OUTPUTS(store_part(z + load_part(add + to, n), y + to, n);)
    else OUTPUTS(store_part(z, y + to, n);)
}

// dz from its output `was`, see undo_act.
NOINLINE static void undo_tiles(global float *y, const global float *was, const float *m, const int *at, const int *high, const int *wide,
                                int count, int y_c, int below, int right, floatv scale, int act, floatv *e_sum, floatv *ey_sum)
{
    const intv everywhere = act == 1 ? 0 : -1;
    floatv e = (floatv)(0.0f), ey = (floatv)(0.0f);
    OUTPUTS(STORE_GLOBAL(undo_act(z, LOAD_GLOBAL(was + to), scale, everywhere, &e, &ey), y + to);)
    *e_sum = e;
    *ey_sum = ey;
}

// What conv2d of conv2d_columns.cl computes, of y as wide as O; u at `u_at` in `work`. A group takes a share of `all` tiles, `tiles` at a
// time. With undo, its sums [g, 2, O] are at the beginning of `work`; then O is a multiple of VEC and at most COLUMNS_MAX.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_winograd(const global float *x, global float *work, const global float *b, const global float *l, const global float *add,
                     global float *y, int H, int W, int I, int O, int OH, int OW, int pad_h, int pad_w, int dilation, int x_c, int y_c,
                     int all, int down, int across, int tiles, int u_at, int adds, int undo, int act, float factor)
{
    floatv v_[TRANSFORMED / VEC], m_[POINTS * TILES * 2], sums_[4 * COLUMNS_MAX / VEC];
    float *v = (float *)v_, *m = (float *)m_;
    int at[TILES], high[TILES], wide[TILES];
    const tiling g = { down, across, dilation };
    const int stride = (I + VEC - 1) / VEC * VEC + GAP, apart = tiles * stride, panels = (O + COLS - 1) / COLS;
    const global float *const u = work + u_at, *const zeros = u + panels * POINTS * I * COLS;
    const int below = OW * dilation * y_c, right = dilation * y_c;
    const int images = all / (down * across * dilation * dilation), blocks = (all + tiles - 1) / tiles;
    const int first = (int)(get_group_id(0) * (size_t)blocks / get_num_groups(0)) * tiles;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)blocks / get_num_groups(0)) * tiles, all);
    for (int r = 0; r < POINTS * tiles; ++r)        // rows of a tile of ROWS that stand for nothing
        for (int i = 0; i < I; i += VEC) STORE((floatv)(0.0f), v + r * stride + i);
    for (int i = 0; undo && i < 4 * COLUMNS_MAX / VEC; ++i) sums_[i] = (floatv)(0.0f);
    for (int t0 = first; t0 < last; t0 += tiles) {
        const int count = min(tiles, last - t0);
        spot s = spot_of(t0, g);
        for (int t = 0; t < count; ++t, step_on(&s, g)) {
            const global float *from[POINTS];
            place(s, g, OH, OW, &at[t], &high[t], &wide[t]);
            window(from, x, zeros, s.n, corner_h(s, g) - pad_h, corner_w(s, g) - pad_w, SEEN, dilation, H, W, x_c);
            transform_x(v + t * stride, apart, from, 0, I, I, s.n == images - 1);
        }
        for (int panel = 0; panel < panels; ++panel) {
            multiply(m, v, apart, stride, u + panel * POINTS * I * COLS, I, count, at, y + panel * COLS, undo ? add + panel * COLS : 0, y_c,
                     below, right);
            for (int o = panel * COLS, part = 0; part < COLS && o < O; part += VEC, o += VEC) {
                const int n = min(VEC, O - o);
                floatv shift = (floatv)(0.0f), scale = (floatv)(0.0f), e, ey;
                if (act >= 0) {
                    shift = load_part(b + o, n);
                    scale = exp(factor * load_part(l + o, n));
                }
                if (undo) {
                    undo_tiles(y + o, add + o, m + part, at, high, wide, count, y_c, below, right, scale, act, &e, &ey);
                    add_to_sums(sums_, o, e, ey);
                } else finish_tiles(y + o, adds ? add + o : 0, m + part, at, high, wide, count, y_c, below, right, n, shift, scale, act);
            }
        }
    }
    work += get_group_id(0) * (size_t)2 * O;
    for (int c = 0; undo && c < O; c += VEC) put_sums(work + c, O, sums_, c, exp(factor * LOAD_GLOBAL(l + c)));
}
#endif
