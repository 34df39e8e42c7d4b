// The convolution's gradient with respect to its weights, on CPUs; with the means of conv2d.cl, which comes before it.
//
// A group makes a block of dw: the channels [i0, ..) of x at every tap by the outputs [o0, ..). It walks over chunks of
// positions: images x lines x columns. The x that a chunk reads is packed once for all taps, zeros around the image
// included, so that a tap is a shift of the packed x; dy is packed a panel of outputs at a time, which then comes from the
// first-level cache. Register tiles of dw add up a whole chunk without touching memory.

#if RHEO_CPU
#define X_MAX 40960         // floats of x packed at a time,
#define DY_MAX 65536        // of dy,
#define CHUNK_MAX 256       // and positions
#define SLACK (2 * COLS)    // tiles at a block's end read beyond it what is not stored; whole vectors, as arrays are of them
#define GAPS (32 * VEC)     // a vector after each panel of x
#define TURNED 64           // channels of x whose mirrored gradients a group puts in their places

// to[r O + :] = sum over q < lines columns of a[at[q / columns] + q % columns panel + r] b[q COLS + :], or more of it; without `to`,
// tile[r, :] = that.
#define OUTER(name, R, add)                                                                                              \
    NOINLINE static void name(global float *to, int O, int more, float *tile, const float *a, const int *at, int panel,  \
                              const float *b, int lines, int columns, stream *soon_x, stream *soon_dy)                   \
    {                                                                                                                    \
        floatv acc[R][2];                                                                                                \
        _Pragma("unroll") for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);                            \
        stream sx = *soon_x, sy = *soon_dy;                                                                              \
        for (int line = 0; line < lines; ++line, b += columns * COLS)                                                    \
            add(acc, a + at[line], panel, b, columns, &sx, &sy, line * (columns / 4));                                   \
        if (WITHIN) *soon_x = sx, *soon_dy = sy;                                                                         \
        if (to && more) {                                                                                                \
            _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                              \
                acc[r][0] += LOAD_GLOBAL(to + r * O);                                                                    \
                acc[r][1] += LOAD_GLOBAL(to + r * O + VEC);                                                              \
            }                                                                                                            \
        }                                                                                                                \
        if (to) {                                                                                                        \
            _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                              \
                STORE_GLOBAL(acc[r][0], to + r * O);                                                                     \
                STORE_GLOBAL(acc[r][1], to + r * O + VEC);                                                               \
            }                                                                                                            \
        } else {                                                                                                         \
            _Pragma("unroll") for (int r = 0; r < R; ++r) {                                                              \
                STORE(acc[r][0], tile + r * COLS);                                                                       \
                STORE(acc[r][1], tile + r * COLS + VEC);                                                                 \
            }                                                                                                            \
        }                                                                                                                \
    }
OUTER(outer_rows, ROWS, add_outer)
OUTER(outer_small, SMALL, add_outer_small)

// Rows of the next tile when `left` are left: two small ones instead of a large one where that wastes less and both lie in
// one panel of x.
static int tile_rows(int left)
{
    return left <= (ROWS > 2 * SMALL ? 2 * SMALL : SMALL) ? SMALL : ROWS;
}

// to[0 .. n) = from, or more of it
NOINLINE static void put_row(global float *to, const float *from, int n, int more)
{
    int j = 0;
    for (; j + VEC <= n; j += VEC) STORE_GLOBAL(more ? LOAD_GLOBAL(to + j) + LOAD(from + j) : LOAD(from + j), to + j);
    for (; j < n; ++j) to[j] = more ? to[j] + from[j] : from[j];
}

// Panels of `panel` channels, `apart` elements from one another; to[line, column, 0 .. panel) of each = x's channels there, or
// something beyond the last one: `lines` lines of `columns` columns of one image whose first is (h, w). A row's copy may run
// into the next row, which is written after it. A few positions at a time: those of all channels stay in the first-level cache.
NOINLINE static void pack_x(float *to, int panel, int apart, const global float *x, int x_c, int width, int H, int W, int h, int w,
                            int lines, int columns)
{
    const int left = clamp(-w, 0, columns), right = clamp(W - w, left, columns), up = (panel + VEC - 1) / VEC * VEC;
    for (int line = 0; line < lines; ++line, ++h, to += columns * panel) {
        const int inside = h >= 0 && h < H && left < right;
        const global float *from = x + ((size_t)h * W + w + left) * x_c;
        for (int c = 0; c < width; c += panel) clear_row(to + c / panel * apart, (inside ? left : columns) * panel);
        if (!inside) continue;
        if (panel == x_c) copy_row(to + left * panel, from, (right - left) * panel);
        else for (int v = left, n; v < right; v += n, from += n * x_c) {
            float *row = to + v * panel;
            n = min(8, right - v);
            for (int c = 0; c < width; c += panel, row += apart) {
                if (c + up <= width) {
                    for (int p = 0; p < n; ++p)
                        for (int k = 0; k < up; k += VEC) STORE(LOAD_GLOBAL(from + p * x_c + c + k), row + p * panel + k);
                } else for (int p = 0; p < n; ++p) copy_row(row + p * panel, from + p * x_c + c, min(panel, width - c));
            }
        }
        for (int c = 0; c < width; c += panel) clear_row(to + c / panel * apart + right * panel, (columns - right) * panel);
    }
}

// dy's `n` columns of `positions` rows, in panels of COLS `apart` elements from one another, the last filled up with what follows in dy,
// where something does: it comes to columns of tiles that are not stored.
NOINLINE static void pack_dy(float *to, int apart, const global float *dy, int stride, int positions, int n)
{
    for (int p = 0; p < positions; ++p, dy += stride) {
        float *row = to + p * COLS;
        int j = 0;
        for (const int follow = (positions - 1 - p) * stride; j < n && j + COLS <= n + follow; j += COLS, row += apart) {
            STORE(LOAD_GLOBAL(dy + j), row);
            STORE(LOAD_GLOBAL(dy + j + VEC), row + VEC);
        }
        if (j >= n) continue;
        clear_row(row, COLS);
        copy_row(row, dy + j, n - j);
    }
}

// Group (g, c): i0 = g i_block, o0 = c o_block. A chunk has at most images x lines x columns positions; taps_h x taps_w taps
// use a packed x. Tiles broadcast k and hold vectors of o. All channels of taps side by side lie together, a range of k. A position has
// x_c channels in x and dy_c in dy, of which the first I and O take part. Dimension 2: batch parts + part; a part takes `chunks` chunks
// and leaves a whole dw.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K, int x_c, int dy_c,
               int i_block, int o_block, int images, int lines, int columns, int taps_h, int taps_w,
               int chunks, int parts, int x_batch, int dy_batch)
{
    floatv x_[(X_MAX + GAPS + SLACK) / VEC], dy_[DY_MAX / VEC], tile_[ROWS * 2];
    float *xp = (float *)x_, *dyp = (float *)dy_, *tile = (float *)tile_;
    int x_at[CHUNK_MAX];
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int i0 = (int)get_group_id(0) * i_block, width = min(i_block, I - i0);
    const int o0 = (int)get_group_id(1) * o_block, outputs = min(o_block, O - o0);
    // A panel of x and one of dy stay in the first-level cache together.
    const int narrow = I < COLS && dilation == 1;
    const int taps = K / I, run = narrow ? taps_w : 1, panel = narrow ? I : ROWS, rows = run * width;
    // Where few tiles use a panel of dy, reading it counts, and all are packed at once, in runs as long as they come.
    const int wide = narrow ? (outputs + COLS - 1) / COLS * COLS : COLS;
    const int N = P / (OH * OW), down = (OH + lines - 1) / lines, across = (OW + columns - 1) / columns;
    const int last = min((part + 1) * chunks, (N + images - 1) / images * down * across);
    for (int chunk = part * chunks; chunk < last; ++chunk) {
        const int v0 = chunk % across * columns, h0 = chunk / across % down * lines, n0 = chunk / across / down * images;
        const int nv = min(columns, OW - v0), nh = min(lines, OH - h0), nn = min(images, N - n0), count = nn * nh * nv;
        const int xw = nv + (taps_w - 1) * dilation, xh = nh + (taps_h - 1) * dilation, more = chunk > part * chunks;
        const global float *const dy_here = dy + (((size_t)n0 * OH + h0) * OW + v0) * dy_c + o0;
        for (int line = 0; line < nn * nh; ++line) x_at[line] = (line / nh * xh + line % nh) * xw * panel;
        // Beside each tile, some rows of what is read next: of the next chunk's x, and of what is packed of dy after these columns.
        const int next = chunk + 1 < last ? chunk + 1 : chunk, left = chunk + 1 < last ? count : 0;
        const int next_n = next / across / down * images, next_h = next / across % down * lines, next_v = next % across * columns;
        const global float *next_x = x + ((size_t)(next_n * H + next_h) * W + next_v) * x_c + i0;
        const global float *next_dy = dy + ((size_t)(next_n * OH + next_h) * OW + next_v) * dy_c + o0;
        const int of_panel = taps_h * taps_w / run * ((rows + ROWS - 1) / ROWS), of_dy = wide / COLS * of_panel;
        const int tiles = taps / (taps_h * taps_w) * ((outputs + COLS - 1) / COLS) * of_panel;
        int due_x = 0;
        const int fours = nn * nh * (nv / 4);
        stream soon_x = stream_of(next_x, x_c, width, left, tiles);
        const int apart = nn * xh * xw * panel + VEC;
        clear_row(xp + (width + panel - 1) / panel * apart, SLACK);
        for (int tap0 = 0; tap0 < taps; tap0 += taps_h * taps_w) {
            const int h = h0 - pad_h + tap0 / kw * dilation, w = v0 - pad_w + tap0 % kw * dilation;
            for (int n = 0; n < nn; ++n) {
                pack_x(xp + n * xh * xw * panel, panel, apart, x + (size_t)(n0 + n) * H * W * x_c + i0, x_c, width, H, W, h, w, xh, xw);
            }
            const global float *next_columns = next_dy;
            stream soon_dy = { 0 };
            for (int j = 0, packed = 0, due_dy = 0; j < outputs; j += COLS) {
                if (j == packed) {
                    for (int line = 0; line < nn * nh; ++line) {
                        const size_t at = ((size_t)(line / nh) * OH + line % nh) * OW * dy_c;
                        pack_dy(dyp + line * nv * COLS, count * COLS, dy_here + at + j, dy_c, nv, min(wide, outputs - j));
                    }
                    packed += wide;
                    due_dy = 0;
                    next_columns = packed < outputs ? dy_here + packed : next_dy;
                    soon_dy = stream_of(next_columns, dy_c, wide, count, of_dy);
                }
                for (int r = 0, m; r < rows; r += m) {
                    m = tile_rows(rows - r);
                    const int whole = m <= rows - r && outputs - j >= COLS;
                    const float *xk = narrow ? xp + r : xp + r / panel * apart + r % panel;
                    for (int tap = 0; tap < taps_h * taps_w; tap += run) {
                        const float *a = xk + (tap / taps_w * xw + tap % taps_w) * dilation * panel, *b = dyp + (j + wide - packed) * count;
                        global float *to = dw + (size_t)((tap0 + tap) * I + i0 + r) * O + o0 + j;
                        global float *direct = whole ? to : 0;
                        if (WITHIN) {
                            fetch_before(&soon_x, fours);
                            fetch_before(&soon_dy, 3 * fours);
                        } else {
                            for (due_x += left; due_x >= tiles; due_x -= tiles, next_x += x_c) fetch_row(next_x, width);
                            for (due_dy += count; due_dy >= of_dy; due_dy -= of_dy, next_columns += dy_c) fetch_row(next_columns, wide);
                        }
                        if (m == ROWS) outer_rows(direct, O, more, tile, a, x_at, panel, b, nn * nh, nv, &soon_x, &soon_dy);
                        else outer_small(direct, O, more, tile, a, x_at, panel, b, nn * nh, nv, &soon_x, &soon_dy);
                        for (int k = 0; !whole && k < min(m, rows - r); ++k)
                            put_row(to + (size_t)k * O, tile + k * COLS, min(COLS, outputs - j), more);
                    }
                }
            }
        }
    }
}

// Group (t, g): dw[t, i, o] = sum over s < parts of part[s, T - 1 - t, o, i], of TURNED i from g TURNED on: what the gradient left that took dy
// for x. Dimension 2: batch.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_total_mirrored(const global float *part, global float *dw, int taps, int I, int O, int parts)
{
    const int n = taps * I * O, t = (int)get_group_id(0), first = (int)get_group_id(1) * TURNED, last = min(first + TURNED, I);
    part += get_group_id(2) * (size_t)parts * n + (taps - 1 - t) * O * I;
    dw += get_group_id(2) * (size_t)n + t * I * O;
    for (int i = first; i < last; i += VEC) {
        const int wide = min(VEC, last - i);
        for (int o = 0; o < O; o += VEC) {
            const int deep = min(VEC, O - o);
            floatv square[VEC], row;
            for (int r = 0; r < deep; ++r) {
                const global float *from = part + (o + r) * I + i;
                for (int s = 0; s < parts; ++s, from += n) {
                    if (wide == VEC) row = LOAD_GLOBAL(from);
                    else copy_row((float *)&row, from, wide);
                    square[r] = s ? square[r] + row : row;
                }
            }
            transpose(square);
            for (int j = 0; j < wide; ++j) store_row(dw + (i + j) * O + o, (const float *)&square[j], deep);
        }
    }
}
#endif
