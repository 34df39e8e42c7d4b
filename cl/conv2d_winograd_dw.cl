// The gradient of conv2d_winograd.cl with respect to the weights, with its means:
//
//   dw = G' [ sum over tiles of (B' x B) . (A dy A') ] G          . elementwise
//
// At each of the 16 points that is a product of x's channels by tiles by dy's channels.

#if RHEO_CPU
#define SIDE 32768          // floats of x, and of dy, transformed at a time, 16 points x tiles x (channels + GAP)
#define SUMS (1 << 16)      // of a group, 16 points x channels of x x channels of dy
#define SMALL 4             // rows of the tile that ends a block

// to[r n + :] += sum over q < tiles of a[q a_row + r] b[q b_row + :], r < R
#define OUTER(name, R)                                                                                                   \
    NOINLINE static void name(float *to, int n, const float *a, int a_row, const float *b, int b_row, int tiles)         \
    {                                                                                                                    \
        floatv acc[R][2];                                                                                                \
        _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);                            \
        for (int q = 0; q < tiles; ++q, a += a_row, b += b_row) {                                                        \
            const floatv b0 = LOAD(b), b1 = LOAD(b + VEC);                                                               \
            _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                              \
                const floatv t = (floatv)(a[r]);                                                                         \
                acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);                                                                  \
                acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);                                                                  \
            }                                                                                                            \
        }                                                                                                                \
        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                                  \
            STORE(LOAD(to + r * n) + acc[r][0], to + r * n);                                                             \
            STORE(LOAD(to + r * n + VEC) + acc[r][1], to + r * n + VEC);                                                 \
        }                                                                                                                \
    }
OUTER(outer_rows, ROWS)
OUTER(outer_small, SMALL)

// to[p `apart` + :] = (A dy A')[p] of `channels` channels and zeros up to `width`; from[2 r + s] is dy's row r, column s
NOINLINE static void transform_dy(float *to, int apart, const global float *const *from, int channels, int width)
{
    for (int c = 0; c < width; c += VEC) {
        floatv t[8];
#pragma unroll
        for (int s = 0; s < 2; ++s) {
            const floatv y0 = load_part(from[s] + c, channels - c), y1 = load_part(from[2 + s] + c, channels - c);
            t[s] = y0;
            t[2 + s] = y0 + y1;
            t[4 + s] = y0 - y1;
            t[6 + s] = -y1;
        }
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            STORE(t[2 * r], to + 4 * r * apart + c);
            STORE(t[2 * r] + t[2 * r + 1], to + (4 * r + 1) * apart + c);
            STORE(t[2 * r] - t[2 * r + 1], to + (4 * r + 2) * apart + c);
            STORE(-t[2 * r + 1], to + (4 * r + 3) * apart + c);
        }
    }
}

// g[3 r + s] = (G' m G)[r, s], element p of m at m + p apart
static void transform_sums(floatv g[9], const float *m, int apart)
{
    floatv t[12];
#pragma unroll
    for (int s = 0; s < 4; ++s) {
        const floatv m1 = LOAD(m + (4 + s) * apart), m2 = LOAD(m + (8 + s) * apart), sum = 0.5f * (m1 + m2);
        t[s] = LOAD(m + s * apart) + sum;
        t[4 + s] = 0.5f * (m1 - m2);
        t[8 + s] = sum + LOAD(m + (12 + s) * apart);
    }
#pragma unroll
    for (int r = 0; r < 3; ++r) {
        const floatv sum = 0.5f * (t[4 * r + 1] + t[4 * r + 2]);
        g[3 * r] = t[4 * r] + sum;
        g[3 * r + 1] = 0.5f * (t[4 * r + 1] - t[4 * r + 2]);
        g[3 * r + 2] = sum + t[4 * r + 3];
    }
}

// Group (g, c, part): the channels of x from g i_block and those of dy from c o_block, of a share of `all` tiles, `tiles` at a time;
// each leaves a dw in `work` if there are several. After these a group has a line of zeros there, as long as the longer block.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_winograd_dw(const global float *x, const global float *dy, global float *dw, global float *work, int H, int W, int I, int O,
                        int OH, int OW, int pad_h, int pad_w, int dilation, int x_c, int all, int down, int across, int tiles, int i_block,
                        int o_block)
{
    floatv v_[SIDE / VEC], d_[SIDE / VEC], sums_[SUMS / VEC];
    float *v = (float *)v_, *d = (float *)d_, *sums = (float *)sums_;
    const tiling g = { down, across, dilation };
    const int part = (int)get_group_id(2), parts = (int)get_num_groups(2);
    const int i0 = (int)get_group_id(0) * i_block, o0 = (int)get_group_id(1) * o_block;
    const int rows = min(i_block, I - i0), columns = min(o_block, O - o0), width = (columns + COLS - 1) / COLS * COLS;
    const int v_row = i_block + GAP, d_row = width + GAP, v_apart = tiles * v_row, d_apart = tiles * d_row;
    const int first = (int)(part * (size_t)all / parts), last = (int)((part + 1) * (size_t)all / parts);
    const int longer = max(i_block, o_block);
    global float *zeros = work + (parts > 1 ? parts * 9 * I * O : 0);
    zeros += (get_group_id(0) + get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * part)) * longer;
    for (int c = 0; c < longer; ++c) zeros[c] = 0.0f;
    for (int k = 0; k < 16 * rows * width; k += VEC) STORE((floatv)(0.0f), sums + k);
    for (int t0 = first; t0 < last; t0 += tiles) {
        const int count = min(tiles, last - t0);
        spot s = spot_of(t0, g);
        for (int t = 0; t < count; ++t, step_on(&s, g)) {
            const global float *from[16];
            const int h = corner_h(s, g), w = corner_w(s, g);
            window(from, x + i0, zeros, s.n, h - pad_h, w - pad_w, 4, dilation, H, W, x_c);
            transform_x(v + t * v_row, v_apart, from, rows);
            window(from, dy + o0, zeros, s.n, h, w, 2, dilation, OH, OW, O);
            transform_dy(d + t * d_row, d_apart, from, columns, width);
        }
        for (int p = 0; p < 16; ++p) {
            for (int o = 0; o < width; o += COLS) {
                for (int i = 0, m; i < rows; i += m) {
                    float *to = sums + (p * rows + i) * width + o;
                    const float *a = v + p * v_apart + i, *b = d + p * d_apart + o;
                    m = rows - i <= 2 * SMALL && rows - i != ROWS ? SMALL : ROWS;
                    if (m == ROWS) outer_rows(to, width, a, v_row, b, d_row, count);
                    else outer_small(to, width, a, v_row, b, d_row, count);
                }
            }
        }
    }
    dw = (parts > 1 ? work + part * 9 * I * O : dw) + i0 * O + o0;
    for (int i = 0; i < rows; ++i) {
        for (int o = 0; o < columns; o += VEC) {
            floatv out[9];
            transform_sums(out, sums + i * width + o, rows * width);
            for (int tap = 0; tap < 9; ++tap) store_part(out[tap], dw + (tap * I + i) * O + o, columns - o);
        }
    }
}
#endif
