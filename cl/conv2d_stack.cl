// Three convolutions in a row, from few channels to many, between many without a window, and back to few: what is between them stays in the
// cache. The last one is a product without a window too, whose columns are those of all its taps, and a sum over taps after it. With the
// means of conv2d_columns.cl, which comes before it.

#if RHEO_CPU
// A register tile of its own, of few rows: ten loads for 24 sums of wide vectors, where 12 rows of two vectors need fourteen. On a core that
// others use too it is some 10 % faster.
#define NEAR_ROWS 6
#define NEAR_VECTORS (VEC == 16 ? 4 : 2)
#define NEAR_CHANNELS 512                                   // of what is between the convolutions, and taps x columns
#define NEAR_STRIDE (NEAR_CHANNELS + 16)
#define NEAR_DEPTH (8192 / (NEAR_VECTORS * VEC))            // of the reduction at a time: 32 KB of weights

// Columns of a matrix are cut into panels of so many, alike but for the last and whole vectors.
static int panel_width(int columns)
{
    const int vectors = (columns + VEC - 1) / VEC, panels = (vectors + NEAR_VECTORS - 1) / NEAR_VECTORS;
    return (vectors + panels - 1) / panels * VEC;
}

static int padded(int columns) { return (columns + VEC - 1) / VEC * VEC; }

// ---- weights of [n, columns]: blocks of NEAR_DEPTH rows, in each the panels one after another, in each rows side by side ----------------

// Where row k of the panel from column c on is.
static size_t packed_at(int k, int c, int n, int columns)
{
    const int block = k / NEAR_DEPTH * NEAR_DEPTH, deep = min(NEAR_DEPTH, n - block), width = min(panel_width(columns), padded(columns) - c);
    return (size_t)block * padded(columns) + (size_t)c * deep + (k - block) * width;
}

// Row k, which lies at w in `parts` of `run` floats, `apart` from each other.
static void pack_row_near(global float *to, const global float *w, int k, int n, int parts, int run, int apart)
{
    const int columns = parts * run, all = padded(columns), width = panel_width(columns);
    int left = run;
    for (int c = 0; c < all; c += width) {
        global float *row = to + packed_at(k, c, n, columns);
        const int here = min(width, all - c), own = min(here, columns - c);
        for (int j = 0, some; j < own; j += some, w += some) {
            if (left == 0) w += apart - run, left = run;
            some = min(left, own - j), left -= some;
            int i = 0;
            for (; i + VEC <= some; i += VEC) STORE_GLOBAL(LOAD_GLOBAL(w + i), row + j + i);
            for (; i + 4 <= some; i += 4) STORE_GLOBAL4(LOAD_GLOBAL4(w + i), row + j + i);
            for (; i < some; ++i) row[j + i] = w[i];
        }
        for (int j = own; j < here; ++j) row[j] = 0.0f;
    }
}

// work, from element `at` on, has w [K, O], w2 [O, O2] and w3 [taps, O2, O3], its taps side by side, each packed.
kernel void stack_weights(const global float *w, const global float *w2, const global float *w3, global float *work, int at, int K, int O,
                          int O2, int O3, int taps)
{
    global float *to = work + at, *to2 = to + K * padded(O), *to3 = to2 + O * padded(O2);
    FOR_ITEMS(row, K + O + O2) {
        const int k2 = row - K, k3 = k2 - O;
        if (k2 < 0) pack_row_near(to, w + row * O, row, K, 1, O, 0);
        else if (k3 < 0) pack_row_near(to2, w2 + k2 * O2, k2, O, 1, O2, 0);
        else pack_row_near(to3, w3 + k3 * O3, k3, O2, taps, O3, O2 * O3);
    }
}

// ---- products -----------------------------------------------------------------------------------------------------------------------

// to[r, c] (or with `more` +=) the sum over k < n of a[r, k] w[k, c], of V vectors of columns; finished with act >= 0. By fours as ADD_OUTER,
// each asking for a line of what is read or stored next.
#define NEAR_ADD(V, k)                                                                                                                    \
    {                                                                                                                                     \
        floatv row[V];                                                                                                                    \
        _Pragma("unroll") for (int v = 0; v < V; ++v) row[v] = LOAD_GLOBAL(w + ((k) * V + v) * VEC);                                      \
        _Pragma("unroll") for (int r = 0; r < NEAR_ROWS; ++r) {                                                                           \
            const floatv t = (floatv)(a[r * NEAR_STRIDE + (k)]);                                                                          \
            _Pragma("unroll") for (int v = 0; v < V; ++v) acc[r][v] = RHEO_FMA(t, row[v], acc[r][v]);                                     \
        }                                                                                                                                 \
    }
#define NEAR_PRODUCT(name, V)                                                                                                             \
    NOINLINE static void name(float *to, const float *a, const global float *w, int n, int more, const float *shift, const float *scale,  \
                              int act, stream *soon)                                                                                      \
    {                                                                                                                                     \
        floatv acc[NEAR_ROWS][V];                                                                                                         \
        stream s = *soon;                                                                                                                 \
        int k = 0;                                                                                                                        \
        _Pragma("unroll") for (int r = 0; r < NEAR_ROWS; ++r)                                                                             \
            _Pragma("unroll") for (int v = 0; v < V; ++v) acc[r][v] = more ? LOAD(to + r * NEAR_STRIDE + v * VEC) : (floatv)(0.0f);       \
        fetch_before(&s, n / 4);                                                                                                          \
        for (; k + 4 <= n; k += 4, a += 4, w += 4 * V * VEC) {                                                                            \
            if (k < 4 * s.share) fetch_next(&s);                                                                                          \
            _Pragma("unroll") for (int j = 0; j < 4; ++j) NEAR_ADD(V, j)                                                                  \
        }                                                                                                                                 \
        for (; k < n; ++k, ++a, w += V * VEC) NEAR_ADD(V, 0)                                                                              \
        *soon = s;                                                                                                                        \
        _Pragma("unroll") for (int v = 0; v < V; ++v) {                                                                                   \
            const floatv by = LOAD(scale + v * VEC), plus = LOAD(shift + v * VEC);                                                        \
            _Pragma("unroll") for (int r = 0; r < NEAR_ROWS; ++r)                                                                         \
                STORE(finish(acc[r][v], plus, by, act), to + r * NEAR_STRIDE + v * VEC);                                                  \
        }                                                                                                                                 \
    }
NEAR_PRODUCT(near_product1, 1)
NEAR_PRODUCT(near_product2, 2)
#if VEC == 16
NEAR_PRODUCT(near_product3, 3)
NEAR_PRODUCT(near_product4, 4)
#endif

// How often layer_near and outer_near call a tile.
static int tiles_near(int rows, int columns)
{
    const int width = panel_width(columns);
    return (rows + NEAR_ROWS - 1) / NEAR_ROWS * ((padded(columns) + width - 1) / width);
}

// to = from w of whole tiles of rows, w [n, columns] as packed.
static void layer_near(float *to, const float *from, const global float *w, int n, int columns, int rows, const float *shift,
                       const float *scale, int act, stream *soon)
{
    const int width = panel_width(columns), all = padded(columns);
    for (int block = 0; block < n; block += NEAR_DEPTH) {
        const int deep = min(NEAR_DEPTH, n - block), ends = block + deep == n ? act : -1;
        for (int c = 0; c < all; c += width) {
            const global float *panel = w + packed_at(block, c, n, columns);
            const int vectors = min(width, all - c) / VEC;
            for (int p = 0; p < rows; p += NEAR_ROWS) {
                float *y = to + p * NEAR_STRIDE + c;
                const float *x = from + p * NEAR_STRIDE + block;
                if (vectors == 1) near_product1(y, x, panel, deep, block > 0, shift + c, scale + c, ends, soon);
                else if (vectors == 2) near_product2(y, x, panel, deep, block > 0, shift + c, scale + c, ends, soon);
#if VEC == 16
                else if (vectors == 3) near_product3(y, x, panel, deep, block > 0, shift + c, scale + c, ends, soon);
                else near_product4(y, x, panel, deep, block > 0, shift + c, scale + c, ends, soon);
#endif
            }
        }
    }
}

// Rows of n floats, one after another in `to`.
static void keep_rows(global float *to, const float *from, int rows, int n)
{
    for (int r = 0; r < rows; ++r) store_row(to + (size_t)r * n, from + r * NEAR_STRIDE, n);
}

// work[p, (tap, o)] = h2 w3[:, (tap, o)], h2 = act2((h w2 + b2) exp(factor2 l2)), h = act((patch w + b) exp(factor l)): h has O channels, h2
// O2, work taps O3 of them up to whole vectors, and all of these and K are at most NEAR_CHANNELS. The weights are in work from `weights` on.
// With `keep`, h and h2 go to hidden and hidden2. Group g: a share of the tiles of NEAR_ROWS positions.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_stack(const global float *x, const global float *b, const global float *l, const global float *b2, const global float *l2,
                  global float *work, global float *hidden, global float *hidden2, int H, int W, int I, int O, int OH, int OW, int P, int kw,
                  int pad_h, int pad_w, int dilation, int K, int x_c, int O2, int taps_O3, int act, float factor, int act2, float factor2,
                  int weights, int keep)
{
    floatv near_[SPAN_ROWS * NEAR_STRIDE / VEC], next_[SPAN_ROWS * NEAR_STRIDE / VEC];
    floatv shift_[NEAR_CHANNELS / VEC], scale_[NEAR_CHANNELS / VEC], shift2_[NEAR_CHANNELS / VEC], scale2_[NEAR_CHANNELS / VEC];
    float *near = (float *)near_, *next = (float *)next_;            // the patch, then h2; h, then the products
    float *shift = (float *)shift_, *scale = (float *)scale_, *shift2 = (float *)shift2_, *scale2 = (float *)scale2_;
    int at[SPAN_ROWS], h[SPAN_ROWS], v[SPAN_ROWS];
    const global float *w = work + weights, *w2 = w + K * padded(O), *w3 = w2 + O * padded(O2);
    const int tiles = (P + NEAR_ROWS - 1) / NEAR_ROWS;
    const int first = (int)(get_group_id(0) * (size_t)tiles / get_num_groups(0)) * NEAR_ROWS;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)tiles / get_num_groups(0)) * NEAR_ROWS, P);
    take_act(shift, scale, b, l, act, factor, O);
    take_act(shift2, scale2, b2, l2, act2, factor2, O2);
    for (int q = first; q < last; q += SPAN_ROWS) {
        const int positions = min(SPAN_ROWS, last - q), up = (positions + NEAR_ROWS - 1) / NEAR_ROWS * NEAR_ROWS;
        const int left = keep ? min(SPAN_ROWS, last - q - positions) : 0;
        stream none = { 0 }, soon2 = stream_of(hidden2 + (size_t)q * O2, O2, O2, keep ? positions : 0, tiles_near(up, O2));
        stream soon = stream_of(hidden + (size_t)(q + positions) * O, O, O, left, tiles_near(up, taps_O3));
        locate(q, last, up, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
        gather(near, NEAR_STRIDE, up, x, x + P / (OH * OW) * H * W * x_c, at, h, v, H, W, x_c, I, kw, dilation, 0, K);
        layer_near(next, near, w, K, O, up, shift, scale, act, &none);
        if (keep) keep_rows(hidden + (size_t)q * O, next, positions, O);
        layer_near(near, next, w2, O, O2, up, shift2, scale2, act2, &soon2);
        if (keep) keep_rows(hidden2 + (size_t)q * O2, near, positions, O2);
        layer_near(next, near, w3, O2, taps_O3, up, shift, scale, -1, &soon);
        keep_rows(work + (size_t)q * taps_O3, next, positions, taps_O3);
    }
}

// ---- the sum over taps ----------------------------------------------------------------------------------------------------------------

#define TAPS_MOST 49
#define TAP_COLUMNS 48      // O at most

// y[p, o] = act((sum over taps of work[p at the tap, tap O + o] + b) exp(factor l)). work has `wide` floats for each of H x W positions an
// image; an item is a line of y. With `adds`, act being -1, plus add[p, o]; y and add have y_c channels, those from O on are add's.
kernel void tap_sum(const global float *work, const global float *b, const global float *l, const global float *add, global float *y, int H,
                    int W, int O, int OH, int OW, int lines, int kh, int kw, int pad, int dilation, int wide, int y_c, int adds, int act,
                    float factor)
{
    floatv shift_[TAP_COLUMNS / VEC], scale_[TAP_COLUMNS / VEC];
    float *shift = (float *)shift_, *scale = (float *)scale_;
    take_act(shift, scale, b, l, act, factor, O);
    FOR_ITEMS(line, lines) {
        const int n = line / OH, top = line - n * OH - pad;
        // Of the taps whose line exists: where in work they lie from a position on, and how far to its right.
        int from[TAPS_MOST], right[TAPS_MOST], count = 0;
        for (int tap = 0; tap < kh * kw; ++tap) {
            const int h = top + tap / kw * dilation;
            if ((uint)h >= (uint)H) continue;
            right[count] = tap % kw * dilation - pad;
            from[count] = (h * W + right[count]) * wide + tap * O;
            ++count;
        }
        const global float *image = work + (size_t)n * H * W * wide;
        for (int w = 0; w < OW; ++w, image += wide) {
            global float *to = y + ((size_t)line * OW + w) * y_c;
            const global float *more = add + ((size_t)line * OW + w) * y_c;
            const bool all = w >= pad && w - pad + (kw - 1) * dilation < W;
            int some[TAPS_MOST], these = 0, o = 0;
            for (int t = 0; t < count && !all; ++t) {
                some[these] = from[t];
                these += (uint)(w + right[t]) < (uint)W;
            }
            const int *const inside = all ? from : some;
            if (all) these = count;
            for (; o < O; o += 4) {         // reads by fours, of the last what is too much
                float4 sum = (float4)(0.0f);
                for (int t = 0; t < these; ++t) sum += LOAD_GLOBAL4(image + inside[t] + o);
                sum = (sum + LOAD4(shift + o)) * LOAD4(scale + o);
                if (act == 1) sum = select(sum, (float4)(0.0f), sum < 0.0f);
                if (o + 4 <= O) STORE_GLOBAL4(sum, to + o);
                else for (int c = o; c < O; ++c) to[c] = ((float *)&sum)[c - o];
            }
            for (int c = 0; adds && c < y_c; ++c) to[c] = c < O ? to[c] + more[c] : more[c];
        }
    }
}
#endif
