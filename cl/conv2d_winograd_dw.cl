// The gradient of conv2d_winograd.cl with respect to the weights, with the means of winograd.cl:
//
//   dw = G' [ sum over tiles of (B' x B) . (A dy A') ] G          . elementwise
//
// At each point that is a product of x's channels by tiles by dy's channels, of which the rows are those that may be few.

#if RHEO_CPU
#define SIDE 32768                      // floats of the rows' side transformed at a time, POINTS x tiles x (channels + GAP)
#define DW_TILES 24                     // at a time
#define DW_ROWS (OUT == 2 ? 64 : 32)    // of a group, whose sums are to stay near
#define SUMS (POINTS * 64 * (DW_ROWS + ROWS))

// to[r n + :] += sum over q < tiles of a[q a_row + r] b[q COLS + :], r < R
#define OUTER(name, R, add)                                                                                              \
    NOINLINE static void name(float *to, int n, const float *a, int a_row, const float *b, int tiles)                    \
    {                                                                                                                    \
        floatv acc[R][2];                                                                                                \
        stream none = { 0 };                                                                                             \
        _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);                            \
        add(acc, a, a_row, b, tiles, &none, &none, 0);                                                                   \
        _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                                  \
            STORE(LOAD(to + r * n) + acc[r][0], to + r * n);                                                             \
            STORE(LOAD(to + r * n + VEC) + acc[r][1], to + r * n + VEC);                                                 \
        }                                                                                                                \
    }
OUTER(outer_rows, ROWS, add_outer)
OUTER(outer_small, SMALL, add_outer_small)

SPREAD(transform_dy, OUT, output_line_back)     // A dy A'
GATHER(transform_sums, 3, filter_line_back)     // G' m G

// What a chunk's tiles see of x and of dy.
typedef struct seen { const global float *x[POINTS], *dy[OUT * OUT]; int last; } seen;

static void transform(float *to, int apart, const seen *tile, int of_dy, int c0, int count, int channels)
{
    if (of_dy) transform_dy(to, apart, tile->dy, c0, count, channels, tile->last);
    else transform_x(to, apart, tile->x, c0, count, channels, tile->last);
}

// Asks for a panel of columns, c floats from the first channel, of what no other tile asks for.
static void fetch(const seen *tile, int of_dy, int c)
{
    for (int k = 0; k < OUT * OUT; ++k) fetch_row((of_dy ? tile->dy[k] : tile->x[(1 + k / OUT) * SEEN + 1 + k % OUT]) + c, COLS);
}

// Group (g, c, part): the rows from g row_block on and the columns from c column_block on, of a share of `all` tiles, `tiles` at a time;
// each leaves a dw in `work` if there are several. Rows are x's channels and columns dy's, or with `mirrored` the other way round. After
// the parts a group has a line of `longer` zeros there.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_winograd_dw(const global float *x, const global float *dy, global float *dw, global float *work, int H, int W, int I, int O,
                        int OH, int OW, int pad_h, int pad_w, int dilation, int x_c, int all, int down, int across, int tiles,
                        int row_block, int column_block, int mirrored, int longer)
{
    floatv v_[SIDE / VEC], d_[POINTS * DW_TILES * 2], sums_[SUMS / VEC];
    float *v = (float *)v_, *d = (float *)d_, *sums = (float *)sums_;
    seen see[DW_TILES];
    const tiling g = { down, across, dilation };
    const int part = (int)get_group_id(2), parts = (int)get_num_groups(2), images = all / (down * across * dilation * dilation);
    const int R = mirrored ? O : I, C = mirrored ? I : O;
    const int r0 = (int)get_group_id(0) * row_block, c0 = (int)get_group_id(1) * column_block;
    const int rows = min(row_block, R - r0), columns = min(column_block, C - c0), width = (columns + COLS - 1) / COLS * COLS;
    const int stride = (rows + VEC - 1) / VEC * VEC + GAP, apart = tiles * stride, room = (rows + ROWS) * width;
    const int first = (int)(part * (size_t)all / parts), last = (int)((part + 1) * (size_t)all / parts);
    global float *zeros = work + (parts > 1 ? parts * 9 * I * O : 0);
    zeros += (get_group_id(0) + get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * part)) * longer;
    for (int c = 0; c < longer; ++c) zeros[c] = 0.0f;
    for (int k = 0; k < POINTS * room; k += VEC) STORE((floatv)(0.0f), sums + k);
    for (int t0 = first; t0 < last; t0 += tiles) {
        const int count = min(tiles, last - t0);
        spot s = spot_of(t0, g);
        for (int t = 0; t < count; ++t, step_on(&s, g)) {
            const int h = corner_h(s, g), w = corner_w(s, g);
            window(see[t].x, x, zeros, s.n, h - pad_h, w - pad_w, SEEN, dilation, H, W, x_c);
            window(see[t].dy, dy, zeros, s.n, h, w, OUT, dilation, OH, OW, O);
            see[t].last = s.n == images - 1;
            transform(v + t * stride, apart, &see[t], mirrored, r0, rows, R);
        }
        for (int c = 0; c < width; c += COLS) {
            for (int t = 0; t < count; ++t) {
                transform(d + t * COLS, tiles * COLS, &see[t], !mirrored, c0 + c, COLS, C);
            }
            // The next panel of columns, after the last the first of the next tiles, which see as many positions further.
            const int next = c + COLS < width ? c0 + c + COLS : c0 + OUT * OUT * tiles * C;
            for (int p = 0, due = 0, t = 0; p < POINTS; ++p) {
                for (due += count; due >= POINTS; due -= POINTS, ++t) fetch(&see[t], !mirrored, next);
                const float *a = v + p * apart, *b = d + p * tiles * COLS;
                float *to = sums + p * room + c;
                for (int r = 0, m; r < rows; r += m) {
                    const int left = rows - r;
                    m = left <= SMALL || (left <= 2 * SMALL && left > (ROWS > 2 * SMALL ? 0 : ROWS)) ? SMALL : ROWS;
                    if (m == ROWS) outer_rows(to + r * width, width, a + r, stride, b, count);
                    else outer_small(to + r * width, width, a + r, stride, b, count);
                }
            }
        }
    }
    if (parts > 1) dw = work + part * 9 * I * O;
    for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; c += VEC) {
            const int n = min(VEC, columns - c);
            floatv out[9];
            transform_sums(out, sums + r * width + c, room);
            for (int tap = 0; tap < 9; ++tap) {
                float row[VEC];
                if (!mirrored) {
                    store_part(out[tap], dw + (tap * I + r0 + r) * O + c0 + c, n);
                    continue;
                }
                STORE(out[tap], row);
                for (int j = 0; j < n; ++j) dw[(tap * I + c0 + c + j) * O + r0 + r] = row[j];
            }
        }
    }
}
#endif
