// conv2d on CPUs with vectors along the output's channels: a register tile of ROWS positions x COLS columns, for all but few
// columns; with the means of conv2d.cl and conv2d_patch.cl, which come before it.

#if RHEO_CPU
#define DEPTH 256               // of the reduction at most, packed and gathered at a time
#define STRIDE (DEPTH + 16)     // rows an odd number of cache lines apart share no set
#define WEIGHTS (1 << 16)       // a group packs at a time: half the second-level cache where that is small
#define STREAMS 3               // x, what backward() reads, y
#define SPAN_ROWS 48            // positions gathered at a time, a multiple of ROWS

// ---- weights in private memory: to[j, k, c] is weight k of column j COLS + c, k < n --------------------------------------

// Rows of columns lie side by side. Columns beyond the last are zero.
NOINLINE static void pack_rows(float *to, const global float *w, int s_tap, int s_in, int I, int k0, int n, int columns)
{
    int tap = k0 / I, i = k0 - tap * I;
    for (int k = 0; k < n; ++k, to += COLS) {
        const global float *row = w + tap * s_tap + i * s_in;
        int c = 0;
        for (; c + COLS <= columns; c += COLS) {
            STORE(LOAD_GLOBAL(row + c), to + c * n);
            STORE(LOAD_GLOBAL(row + c + VEC), to + c * n + VEC);
        }
        if (c < columns) {
            clear_row(to + c * n, COLS);
            copy_row(to + c * n, row + c, columns - c);
        }
        if (++i == I) {
            i = 0;
            ++tap;
        }
    }
}

// t[i] element j becomes t[j] element i: halves of the rows interleaved, as often as VEC can be halved.
static void transpose(floatv t[VEC])
{
#pragma unroll
    for (int s = 1; s < VEC; s *= 2) {
        floatv u[VEC];
#pragma unroll
        for (int i = 0; i < VEC / 2; ++i) {
            u[2 * i].even = t[i].lo;
            u[2 * i].odd = t[i + VEC / 2].lo;
            u[2 * i + 1].even = t[i].hi;
            u[2 * i + 1].odd = t[i + VEC / 2].hi;
        }
#pragma unroll
        for (int i = 0; i < VEC; ++i) t[i] = u[i];
    }
}

// Weights i side by side, columns s_out apart: blocks of VEC x VEC transposed while they can be read by full vectors, up to `end`. VEC
// columns at a time, each read along a line.
NOINLINE static void pack_columns(float *to, const global float *w, const global float *end, int s_tap, int s_out, int I, int k0, int n,
                                  int columns)
{
    for (int c = 0; c < columns; c += VEC) {
        const int wide = min(VEC, columns - c);
        float *panel = to + c / COLS * COLS * n + c % COLS;
        for (int k = 0, deep; k < n; k += deep) {
            const int tap = (k0 + k) / I, i = k0 + k - tap * I;
            const global float *from = w + tap * s_tap + i + c * s_out;
            float *out = panel + k * COLS;
            deep = min(min(VEC, I - i), n - k);
            if (wide == VEC && from + (VEC - 1) * s_out + VEC <= end) {
                floatv t[VEC];
#pragma unroll
                for (int r = 0; r < VEC; ++r) t[r] = LOAD_GLOBAL(from + r * s_out);
                transpose(t);
#pragma unroll
                for (int r = 0; r < VEC; ++r)
                    if (r < deep) STORE(t[r], out + r * COLS);
            } else {
                for (int d = 0; d < deep; ++d)
                    for (int j = 0; j < VEC; ++j) out[d * COLS + j] = j < wide ? from[j * s_out + d] : 0.0f;
            }
        }
    }
}

// ---- the product ------------------------------------------------------------------------------------------------------

// acc[r] += sum over k < n of a[r, k] w[k], by fours as ADD_OUTER. Inlined, to have the sums in registers.
__attribute__((always_inline)) static void multiply_two(floatv acc[ROWS][2], const float *a, const float *w, int n, stream soon[STREAMS])
{
    stream s[STREAMS];
    int k = 0;
#pragma unroll
    for (int i = 0; i < STREAMS; ++i) s[i] = soon[i];
    for (; k + 4 <= n; k += 4) {
#pragma unroll
        for (int i = 0; i < STREAMS; ++i)
            if (WITHIN && k < 4 * s[i].share) fetch_next(&s[i]);
#pragma unroll
        for (int j = 0; j < 4; ++j) add_product(acc, a + k + j, STRIDE, w + (k + j) * COLS);
    }
    for (; k < n; ++k) add_product(acc, a + k, STRIDE, w + k * COLS);
#pragma unroll
    for (int i = 0; i < STREAMS; ++i)
        if (WITHIN) soon[i] = s[i];
}

static void multiply_one(floatv acc[ROWS][2], const float *a, const float *w, int n)
{
    for (int k = 0; k < n; ++k, w += COLS) {
        const floatv w0 = LOAD(w);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) acc[r][0] = RHEO_FMA((floatv)(a[r * STRIDE + k]), w0, acc[r][0]);
    }
}

// What becomes of a sum: act((z + shift) scale) with act >= 0, 0: nothing, 1: relu.
static floatv finish(floatv z, floatv shift, floatv scale, int act)
{
    const floatv zero = (floatv)(0.0f), s = (z + shift) * scale;
    return act < 0 ? z : act == 1 ? select(s, zero, s < zero) : s;
}

// to[r stride + c] = finish(sum over k < n of a[r, k] w[k, c], plus `more` where there is any) for r < rows, c < cols
NOINLINE static void product(global float *to, const global float *more, int stride, const float *a, const float *w, int n, int rows,
                             int cols, const float *shift, const float *scale, int act, stream soon[STREAMS])
{
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);
    if (cols > VEC) multiply_two(acc, a, w, n, soon);
    else multiply_one(acc, a, w, n);
    const bool two = cols == COLS;
    if (rows < ROWS || (!two && cols != VEC)) {
        floatv tile[ROWS][2], row[2];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            tile[r][0] = acc[r][0];
            tile[r][1] = acc[r][1];
        }
        for (int r = 0; r < rows; ++r) {
            row[0] = row[1] = (floatv)(0.0f);
            if (more) copy_row((float *)row, more + r * stride, cols);
            for (int v = 0; v < 2; ++v) row[v] = finish(row[v] + tile[r][v], LOAD(shift + v * VEC), LOAD(scale + v * VEC), act);
            store_row(to + r * stride, (float *)row, cols);
        }
        return;
    }
    if (more) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            acc[r][0] += LOAD_GLOBAL(more + r * stride);
            if (two) acc[r][1] += LOAD_GLOBAL(more + r * stride + VEC);
        }
    }
    if (act >= 0) {
        const floatv shift0 = LOAD(shift), shift1 = LOAD(shift + VEC), scale0 = LOAD(scale), scale1 = LOAD(scale + VEC);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            acc[r][0] = finish(acc[r][0], shift0, scale0, act);
            acc[r][1] = finish(acc[r][1], shift1, scale1, act);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        STORE_GLOBAL(acc[r][0], to + r * stride);
        if (two) STORE_GLOBAL(acc[r][1], to + r * stride + VEC);
    }
}

static void undo_vector(global float *dy, const global float *y, floatv scale, intv all, floatv *e_sum, floatv *ey_sum)
{
    STORE_GLOBAL(undo_act(LOAD_GLOBAL(dy), LOAD_GLOBAL(y), scale, all, e_sum, ey_sum), dy);
}

// Rows of dy become dz, see undo_act: `rows` of them and `cols` columns, a multiple of VEC; sums as of add_to_sums. Whole rows one after
// another, as memory has them, by fours.
NOINLINE static void backward(global float *dy, const global float *y, int stride, int rows, int cols, const float *scale, int relu,
                              floatv *sums)
{
    floatv e_sums[COLUMNS_MAX / VEC], ey_sums[COLUMNS_MAX / VEC];
    const intv all = relu ? 0 : -1;
    for (int c = 0; c < cols / VEC; ++c) e_sums[c] = ey_sums[c] = (floatv)(0.0f);
    for (int r = 0, n; r < rows; r += n, dy += n * stride, y += n * stride) {
        n = min(4, rows - r);
        for (int c = 0; c < cols; c += VEC) {
            floatv e_sum = e_sums[c / VEC], ey_sum = ey_sums[c / VEC];
            const floatv by = LOAD(scale + c);
            if (n == 4) {
#pragma unroll
                for (int j = 0; j < 4; ++j) undo_vector(dy + j * stride + c, y + j * stride + c, by, all, &e_sum, &ey_sum);
            } else {
                for (int j = 0; j < n; ++j) undo_vector(dy + j * stride + c, y + j * stride + c, by, all, &e_sum, &ey_sum);
            }
            e_sums[c / VEC] = e_sum;
            ey_sums[c / VEC] = ey_sum;
        }
    }
    for (int c = 0; c < cols / VEC; ++c) add_to_sums(sums, c * VEC, e_sums[c], ey_sums[c]);
}

// y = patch w, or with adds, add + patch w; with act >= 0, y = act((patch w + b) exp(factor l)). Positions have x_c channels in x,
// y_c in y and add; what add has beyond the first O goes to y as it is. Weight k = (tap, i) of column o is at
// base + tap s_tap + i s_in + o s_out, s_in or s_out being 1. Group (g, c): a share of the tiles of ROWS positions and `panels` of
// COLS columns from c panels on. It takes the reduction in steps of `depth`, whose weights it packs for all its positions;
// what was gathered of x serves all its panels. Sums of several steps are added up in y. With undo, patch w is dy of
// add = act((z + b) exp(factor l)), y becomes dz, and totals [g, 2, O] its sum and that of e add (see backward); O a multiple of VEC.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *l, const global float *add,
            global float *y, global float *totals, int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w,
            int dilation, int K, int x_c, int y_c, int base, int s_tap, int s_in, int s_out, int depth, int panels, int adds, int undo,
            int act, float factor, int x_batch, int w_batch, int y_batch)
{
    floatv sums_[4 * COLUMNS_MAX / VEC];
    floatv weights_[WEIGHTS / VEC], patch_[SPAN_ROWS * STRIDE / VEC];     // aligned as vectors are
    floatv shift_[COLUMNS_MAX / VEC], scale_[COLUMNS_MAX / VEC];
    float *weights = (float *)weights_, *patch = (float *)patch_, *shift = (float *)shift_, *scale = (float *)scale_;
    int at[SPAN_ROWS], h[SPAN_ROWS], v[SPAN_ROWS];
    const int tiles = (P + ROWS - 1) / ROWS, o0 = (int)get_group_id(1) * panels * COLS, columns = min(panels * COLS, O - o0);
    const int first = (int)(get_group_id(0) * (size_t)tiles / get_num_groups(0)) * ROWS;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)tiles / get_num_groups(0)) * ROWS, P);
    x += get_group_id(2) * (size_t)x_batch;
    w += get_group_id(2) * (size_t)w_batch;
    y += get_group_id(2) * (size_t)y_batch + o0;
    add += get_group_id(2) * (size_t)y_batch + o0;
    take_act(shift, scale, b + o0, l + o0, act, factor, columns);
    if (undo) clear_sums(sums_, columns);
    for (int k = 0; k < K; k += depth) {
        const int n = min(depth, K - k), ends = k + n == K && !undo ? act : -1;
        const global float *more = k > 0 ? y : adds ? add : 0;
        if (s_out == 1) pack_rows(weights, w + base + o0, s_tap, s_in, I, k, n, columns);
        else pack_columns(weights, w + base + o0 * s_out, w + K * O, s_tap, s_out, I, k, n, columns);
        for (int q = first; q < last; q += SPAN_ROWS) {
            const int positions = min(SPAN_ROWS, last - q), up = (positions + ROWS - 1) / ROWS * ROWS;
            locate(q, last, up, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
            gather(patch, STRIDE, up, x, x + P / (OH * OW) * H * W * x_c, at, h, v, H, W, x_c, I, kw, dilation, k, n);
            // Beside each tile, some of what is read after it, and where it is stored or, if it is too short for that, the next positions are.
            const int tiles = up / ROWS * ((columns + COLS - 1) / COLS), left = K == I ? min(SPAN_ROWS, last - q - positions) : 0;
            const int of_y = undo && k + n == K ? positions : 0;
            const global float *next_x = x + (size_t)(q + positions) * x_c + k, *next_y = add + (size_t)q * y_c;
            const global float *const after = y + (size_t)(q + positions) * y_c;
            stream soon[STREAMS] = { stream_of(next_x, x_c, n, left, tiles), stream_of(next_y, y_c, columns, of_y, tiles),
                                     stream_of(after, y_c, columns, min(SPAN_ROWS, last - q - positions), tiles) };
            int due_x = 0, due_y = 0;
            for (int c = 0; c < columns; c += COLS) {
                for (int p = 0; p < positions; p += ROWS) {
                    const size_t to = (size_t)(q + p) * y_c + c;
                    if (WITHIN) {
                        if (n / 4 >= ROWS * COLS / 16) soon[2] = stream_of(y + to, y_c, COLS, ROWS, 1);
                        for (int i = 0; i < STREAMS; ++i) fetch_before(&soon[i], n / 4);
                    } else {
                        for (due_x += left; due_x >= tiles; due_x -= tiles, next_x += x_c) fetch_row(next_x, n);
                        for (due_y += of_y; due_y >= tiles; due_y -= tiles, next_y += y_c) fetch_row(next_y, columns);
                    }
                    product(y + to, more ? more + to : 0, y_c, patch + p * STRIDE, weights + c * n, n, min(ROWS, positions - p),
                            min(COLS, columns - c), shift + c, scale + c, ends, soon);
                }
            }
            if (undo && k + n == K) backward(y + (size_t)q * y_c, add + (size_t)q * y_c, y_c, positions, columns, scale, act, sums_);
            if (!adds || k > 0 || o0 + columns < O) continue;
            for (int r = 0; r < positions; ++r)
                for (int c = columns; c < y_c - o0; ++c) y[(size_t)(q + r) * y_c + c] = add[(size_t)(q + r) * y_c + c];
        }
    }
    totals += get_group_id(0) * (size_t)2 * O + o0;
    for (int c = 0; undo && c < columns; c += VEC) put_sums(totals + c, O, sums_, c, scale_[c / VEC]);
}
#endif
