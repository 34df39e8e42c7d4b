// conv2d with a window of 3x3 on CPUs, by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016); with the means of
// conv2d.cl, which comes before it. A tile is 2x2 of the output, `dilation` apart, and the 4x4 of x which they see:
//
//   y = A' [ sum over i of (G w_i G') . (B' x_i B) ] A          . elementwise
//
// 16 products a channel of x instead of 36. At each of the 16 points that is a matrix product, tiles by channels by columns.

#if RHEO_CPU
#define TILES 48                // at a time, a multiple of ROWS
#define TRANSFORMED (1 << 16)   // floats of x at a time, 16 points x tiles x (channels + GAP)
#define GAP 16                  // rows an odd number of cache lines apart share no set

// ---- weights --------------------------------------------------------------------------------------------------------------

// to[4 p + q] = (G g G')[p, q], g[3 r + s] the window
static void transform_window(floatv to[16], const floatv g[9])
{
    floatv t[12];
#pragma unroll
    for (int s = 0; s < 3; ++s) {
        const floatv sum = 0.5f * (g[s] + g[6 + s]), middle = 0.5f * g[3 + s];
        t[s] = g[s];
        t[3 + s] = sum + middle;
        t[6 + s] = sum - middle;
        t[9 + s] = g[6 + s];
    }
#pragma unroll
    for (int p = 0; p < 4; ++p) {
        const floatv sum = 0.5f * (t[3 * p] + t[3 * p + 2]), middle = 0.5f * t[3 * p + 1];
        to[4 * p] = t[3 * p];
        to[4 * p + 1] = sum + middle;
        to[4 * p + 2] = sum - middle;
        to[4 * p + 3] = t[3 * p + 2];
    }
}

// u[panel, point, i, column] of w, whose element (tap, i, o) is at base + tap s_tap + i s_in + o s_out; columns beyond the last
// are zero, and so are I floats after the last panel.
kernel void winograd_weights(const global float *w, global float *u, int I, int O, int base, int s_tap, int s_in, int s_out)
{
    const int panels = (O + COLS - 1) / COLS;
    if (get_global_id(0) == 0)
        for (int i = 0; i < I; ++i) u[panels * 16 * I * COLS + i] = 0.0f;
    FOR_ITEMS(k, panels * 2 * I) {
        const int i = k % I, part = k / I, o = part * VEC;
        const global float *from = w + base + i * s_in + o * s_out;
        global float *to = u + ((part / 2 * 16) * I + i) * COLS + part % 2 * VEC;
        floatv g[9], points[16];
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
        for (int p = 0; p < 16; ++p) STORE_GLOBAL(points[p], to + p * I * COLS);
    }
}

// ---- tiles ----------------------------------------------------------------------------------------------------------------

// Tiles lie down x across in each residue class of rows and columns modulo the dilation, class by class, image by image.
typedef struct tiling { int down, across, dilation; } tiling;
typedef struct spot { int n, row, column, i, j; } spot;     // image, class, tile there

static spot spot_of(int t, tiling g)
{
    const int line = t / g.across, residue = line / g.down, row = residue / g.dilation;
    const spot s = { row / g.dilation, row % g.dilation, residue % g.dilation, line % g.down, t % g.across };
    return s;
}

static void step_on(spot *s, tiling g)
{
    if (++s->j < g.across) return;
    s->j = 0;
    if (++s->i < g.down) return;
    s->i = 0;
    if (++s->column < g.dilation) return;
    s->column = 0;
    if (++s->row < g.dilation) return;
    s->row = 0;
    ++s->n;
}

// The output's position at a tile's corner.
static int corner_h(spot s, tiling g) { return s.row + 2 * g.dilation * s.i; }
static int corner_w(spot s, tiling g) { return s.column + 2 * g.dilation * s.j; }

// from[k] = the line of x's channels at row h + k / side dilation, column w + k % side dilation, or zeros outside.
static void window(const global float **from, const global float *x, const global float *zeros, int n, int h, int w, int side,
                   int dilation, int H, int W, int C)
{
    for (int r = 0; r < side; ++r, h += dilation) {
        for (int s = 0; s < side; ++s, ++from) {
            const int at = w + s * dilation;
            *from = (uint)h < (uint)H && (uint)at < (uint)W ? x + ((size_t)(n * H + h) * W + at) * C : zeros;
        }
    }
}

// to[p `apart` + :] = (B' x B)[p] of `channels` channels; from[4 r + s] is x's row r, column s, or zeros outside of x
NOINLINE static void transform_x(float *to, int apart, const global float *const *from, int channels)
{
    for (int c = 0; c < channels; c += VEC) {
        floatv t[16];
#pragma unroll
        for (int s = 0; s < 4; ++s) {
            const floatv x0 = LOAD_GLOBAL(from[s] + c), x1 = LOAD_GLOBAL(from[4 + s] + c);
            const floatv x2 = LOAD_GLOBAL(from[8 + s] + c), x3 = LOAD_GLOBAL(from[12 + s] + c);
            t[s] = x0 - x2;
            t[4 + s] = x1 + x2;
            t[8 + s] = x2 - x1;
            t[12 + s] = x1 - x3;
        }
#pragma unroll
        for (int r = 0; r < 16; r += 4) {
            STORE(t[r] - t[r + 2], to + r * apart + c);
            STORE(t[r + 1] + t[r + 2], to + (r + 1) * apart + c);
            STORE(t[r + 2] - t[r + 1], to + (r + 2) * apart + c);
            STORE(t[r + 1] - t[r + 3], to + (r + 3) * apart + c);
        }
    }
}

// to[r COLS + :] = sum over k < n of v[r stride + k] u[k COLS + :], r < ROWS
NOINLINE static void multiply_point(float *to, const float *v, int stride, const global float *u, int n)
{
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);
    for (int k = 0; k < n; ++k, ++v, u += COLS) {
        const floatv u0 = LOAD_GLOBAL(u), u1 = LOAD_GLOBAL(u + VEC);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(v[r * stride]);
            acc[r][0] = RHEO_FMA(t, u0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, u1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        STORE(acc[r][0], to + r * COLS);
        STORE(acc[r][1], to + r * COLS + VEC);
    }
}

// y[2 r + s] = (A' m A)[r, s], element p of m at m + p TILES COLS
static void transform_y(floatv y[4], const float *m)
{
    floatv t[8];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        const floatv m0 = LOAD(m + s * TILES * COLS), m1 = LOAD(m + (4 + s) * TILES * COLS);
        const floatv m2 = LOAD(m + (8 + s) * TILES * COLS), m3 = LOAD(m + (12 + s) * TILES * COLS);
        t[s] = m0 + m1 + m2;
        t[4 + s] = m1 - m2 - m3;
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
        y[2 * r] = t[4 * r] + t[4 * r + 1] + t[4 * r + 2];
        y[2 * r + 1] = t[4 * r + 1] - t[4 * r + 2] - t[4 * r + 3];
    }
}

// The first n of a vector's elements, zeros after them.
static floatv load_part(const global float *from, int n)
{
    float row[VEC];
    if (n >= VEC) return LOAD_GLOBAL(from);
    for (int j = 0; j < VEC; ++j) row[j] = j < n ? from[j] : 0.0f;
    return LOAD(row);
}

static void store_part(floatv x, global float *to, int n)
{
    float row[VEC];
    if (n >= VEC) {
        STORE_GLOBAL(x, to);
        return;
    }
    STORE(x, row);
    for (int j = 0; j < n; ++j) to[j] = row[j];
}

// What conv2d of conv2d_columns.cl computes, of y as wide as O. A group takes a share of `all` tiles, `tiles` at a time.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_winograd(const global float *x, const global float *u, const global float *b, const global float *l, const global float *add,
                     global float *y, int H, int W, int I, int O, int OH, int OW, int pad_h, int pad_w, int dilation, int x_c, int y_c,
                     int all, int down, int across, int tiles, int adds, int act, float factor)
{
    floatv v_[TRANSFORMED / VEC], m_[16 * TILES * 2];
    float *v = (float *)v_, *m = (float *)m_;
    int at[TILES], h[TILES], w[TILES];
    const tiling g = { down, across, dilation };
    const int stride = I + GAP, apart = tiles * stride, panels = (O + COLS - 1) / COLS;
    const global float *const zeros = u + panels * 16 * I * COLS;
    const int blocks = (all + tiles - 1) / tiles;
    const int first = (int)(get_group_id(0) * (size_t)blocks / get_num_groups(0)) * tiles;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)blocks / get_num_groups(0)) * tiles, all);
    for (int r = 0; r < 16 * tiles; ++r)        // rows of a tile of ROWS that stand for nothing
        for (int i = 0; i < I; i += VEC) STORE((floatv)(0.0f), v + r * stride + i);
    for (int t0 = first; t0 < last; t0 += tiles) {
        const int count = min(tiles, last - t0);
        spot s = spot_of(t0, g);
        for (int t = 0; t < count; ++t, step_on(&s, g)) {
            const global float *from[16];
            h[t] = corner_h(s, g);
            w[t] = corner_w(s, g);
            at[t] = (s.n * OH + h[t]) * OW + w[t];
            window(from, x, zeros, s.n, h[t] - pad_h, w[t] - pad_w, 4, dilation, H, W, x_c);
            transform_x(v + t * stride, apart, from, I);
        }
        for (int panel = 0; panel < panels; ++panel) {
            for (int p = 0; p < 16; ++p)
                for (int t = 0; t < count; t += ROWS)
                    multiply_point(m + (p * TILES + t) * COLS, v + p * apart + t * stride, stride, u + (panel * 16 + p) * I * COLS, I);
            for (int o = panel * COLS, part = 0; part < COLS && o < O; part += VEC, o += VEC) {
                const int n = min(VEC, O - o);
                floatv shift = (floatv)(0.0f), scale = (floatv)(1.0f);
                if (act >= 0) {
                    shift = load_part(b + o, n);
                    scale = exp(factor * load_part(l + o, n));
                }
                for (int t = 0; t < count; ++t) {
                    floatv out[4];
                    transform_y(out, m + t * COLS + part);
#pragma unroll
                    for (int k = 0; k < 4; ++k) {
                        const int down_k = k / 2 * dilation, right_k = k % 2 * dilation;
                        if (h[t] + down_k >= OH || w[t] + right_k >= OW) continue;
                        const size_t to = (size_t)(at[t] + down_k * OW + right_k) * y_c + o;
                        floatv z = out[k];
                        if (adds) z += load_part(add + to, n);
                        if (act >= 0) z = (z + shift) * scale;
                        if (act == 1) z = select(z, (floatv)(0.0f), z < (floatv)(0.0f));
                        store_part(z, y + to, n);
                    }
                }
            }
        }
    }
}
#endif
