// Two-dimensional convolution (stride 1, zero padding, dilation), its two gradients and, as convolutions with a 1x1
// window, matrix products.
//
//   y[p, o] = sum over k of patch[p, k] w[k, o]      p = (n OH + oh) OW + ow, k = (r kw + s) I + i
//   patch[p, k] = x[n, oh + r d - pad_h, ow + s d - pad_w, i], 0 outside
//   dw[k, o] = sum over p of patch[p, k] dy[p, o]
//
// Tensors are [N, H, W, C] and [kh, kw, I, O], rows densely packed. dx is the first form with dy for x and with
// weights flipped in r, s and transposed in i, o. Group dimension 2 is a batch of independent products whose tensors
// follow one another at the strides x_batch, w_batch, y_batch; convolutions have a batch of one.

// What the rows of a tile read: row r stands for input position (h[r], w[r]) at element at[r], window origin included.
// h is far outside for rows beyond the last.
#define OUTSIDE (-(1 << 30))

static void locate(int p, int P, int H, int W, int I, int OH, int OW, int pad_h, int pad_w, int *at, int *h, int *w)
{
    const int line = p / OW, n = line / OH;
    *w = p - line * OW - pad_w;
    const int row = line - n * OH - pad_h;
    *at = ((n * H + row) * W + *w) * I;
    *h = p < P ? row : OUTSIDE;
}

// y[i] = sum over s < parts of part[s n + i], in that order. Dimension 2: batch.
kernel void conv2d_total(const global float *part, global float *y, int n, int parts)
{
    part += get_global_id(2) * (size_t)parts * n;
    y += get_global_id(2) * (size_t)n;
    FOR_ITEMS(v, (n + VEC - 1) / VEC) {
        const int i = v * VEC;
        if (i + VEC <= n) {
            floatv sum = vloadv(0, part + i);
            for (int s = 1; s < parts; ++s) sum += vloadv(0, part + (size_t)s * n + i);
            vstorev(sum, 0, y + i);
        } else {
            for (int j = i; j < n; ++j) {
                float sum = part[j];
                for (int s = 1; s < parts; ++s) sum += part[(size_t)s * n + j];
                y[j] = sum;
            }
        }
    }
}

#if RHEO_CPU
// ---- CPUs: one work-item a group, a register tile of ROWS x 2 vectors ----------------------------------------------

// 24 accumulators, two vectors of weights and a broadcast fit 32 registers, 12 fit 16.
#if VEC == 16
#define ROWS 12
#else
#define ROWS 6
#endif
#define COLS (2 * VEC)
#define FEW (ROWS / 3)      // rows of the small tile that ends a block
#define DEPTH 512           // of the reduction, gathered at a time
#define STRIDE (DEPTH + 16) // rows an odd number of cache lines apart share no set

static void copy_row(float *to, const global float *from, int n)
{
    int j = 0;
    for (; j + VEC <= n; j += VEC) vstorev(vloadv(0, from + j), 0, to + j);
    for (; j < n; ++j) to[j] = from[j];
}

static void clear_row(float *to, int n)
{
    int j = 0;
    for (; j + VEC <= n; j += VEC) vstorev((floatv)(0.0f), 0, to + j);
    for (; j < n; ++j) to[j] = 0.0f;
}

// to[r stride + j] = patch[r, k0 + j] for j < n
static void gather(float *to, int stride, int rows, const global float *x, const int *at, const int *h, const int *w,
                   int H, int W, int I, int kw, int dilation, int k0, int n)
{
    for (int k = 0; k < n;) {
        const int tap = (k0 + k) / I, c = k0 + k - tap * I, len = min(I - c, n - k);
        const int dh = tap / kw * dilation, dw = tap % kw * dilation, shift = (dh * W + dw) * I + c;
        for (int r = 0; r < rows; ++r) {
            if ((uint)(h[r] + dh) < (uint)H && (uint)(w[r] + dw) < (uint)W) copy_row(to + r * stride + k, x + at[r] + shift, len);
            else clear_row(to + r * stride + k, len);
        }
        k += len;
    }
}

// The first n <= VEC elements, zeros after them.
static floatv load_part(const global float *from, int n)
{
    if (n >= VEC) return vloadv(0, from);
    if (n <= 0) return (floatv)(0.0f);
    float part[VEC];
    for (int j = 0; j < VEC; ++j) part[j] = j < n ? from[j] : 0.0f;
    return vloadv(0, part);
}

static void store_part(floatv x, global float *to, int n)
{
    if (n >= VEC) {
        vstorev(x, 0, to);
    } else {
        float part[VEC];
        vstorev(x, 0, part);
        for (int j = 0; j < n; ++j) to[j] = part[j];
    }
}

// acc[r] += sum over k < n of a[r, k] w[k], weights `step` elements apart
static void multiply_two(floatv acc[ROWS][2], const float *a, const global float *w, int step, int n)
{
    for (int k = 0; k < n; ++k, w += step) {
        const floatv w0 = vloadv(0, w), w1 = vloadv(1, w);
#ifdef PF
        __builtin_prefetch((const void *)(ulong)(w + PF * step));
        __builtin_prefetch((const void *)(ulong)(w + PF * step + VEC));
#endif
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(a[r * STRIDE + k]);
            acc[r][0] = RHEO_FMA(t, w0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, w1, acc[r][1]);
        }
    }
}

static void multiply_one(floatv acc[ROWS][2], const float *a, const global float *w, int step, int n)
{
    for (int k = 0; k < n; ++k, w += step) {
        const floatv w0 = vloadv(0, w);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) acc[r][0] = RHEO_FMA((floatv)(a[r * STRIDE + k]), w0, acc[r][0]);
    }
}

// The last rows of unpacked weights: whole vectors would read past the end of the tensor.
static void multiply_end(floatv acc[ROWS][2], const float *a, const global float *w, int step, int n, int left)
{
    for (int k = 0; k < n; ++k, w += step) {
        const floatv w0 = load_part(w, left), w1 = load_part(w + VEC, left - VEC);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(a[r * STRIDE + k]);
            acc[r][0] = RHEO_FMA(t, w0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, w1, acc[r][1]);
        }
    }
}

// y = patch w; with act >= 0, y = act((patch w + b) exp(a)), act 0: none, 1: relu.
// Weights k of column panel j start at w + j panel + k step; rows k < whole can be read by full vectors.
// Group (g, c): tiles [g tiles, ..) of ROWS positions and panels [c panels, ..) of COLS columns. What was gathered
// serves all panels; a reduction longer than DEPTH is added up in y.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *a, global float *y,
            int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
            int step, int panel, int whole, int tiles, int panels, int act, int x_batch, int w_batch, int y_batch)
{
    float patch[ROWS * STRIDE];
    int at[ROWS], h[ROWS], v[ROWS];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch;
    y += (size_t)get_group_id(2) * y_batch;
    const int first = (int)get_group_id(0) * tiles, last = min(first + tiles, (P + ROWS - 1) / ROWS);
    const int j0 = (int)get_group_id(1) * panels, j1 = min(j0 + panels, (O + COLS - 1) / COLS);
    for (int t = first; t < last; ++t) {
        const int rows = min(ROWS, P - t * ROWS);
        for (int r = 0; r < ROWS; ++r) locate(t * ROWS + r, P, H, W, I, OH, OW, pad_h, pad_w, at + r, h + r, v + r);
        for (int k = 0; k < K; k += DEPTH) {
            const int n = min(DEPTH, K - k);
            gather(patch, STRIDE, ROWS, x, at, h, v, H, W, I, kw, dilation, k, n);
            for (int j = j0; j < j1; ++j) {
                const int left = O - j * COLS, safe = left >= COLS ? n : clamp(whole - k, 0, n);
                const global float *wj = w + (size_t)j * panel + (size_t)k * step;
                global float *to = y + (size_t)t * ROWS * O + j * COLS;
                floatv acc[ROWS][2];
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    const int more = k > 0 && r < rows;
                    acc[r][0] = load_part(to + r * O, more ? left : 0);
                    acc[r][1] = load_part(to + r * O + VEC, more ? left - VEC : 0);
                }
                if (left > VEC) multiply_two(acc, patch, wj, step, safe);
                else multiply_one(acc, patch, wj, step, safe);
                multiply_end(acc, patch + safe, wj + (size_t)safe * step, step, n - safe, left);
                if (act >= 0 && k + n == K) {
                    const floatv b0 = load_part(b + j * COLS, left), b1 = load_part(b + j * COLS + VEC, left - VEC);
                    const floatv e0 = exp(load_part(a + j * COLS, left)), e1 = exp(load_part(a + j * COLS + VEC, left - VEC));
                    const floatv zero = (floatv)(0.0f);
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) {
                        acc[r][0] = (acc[r][0] + b0) * e0;
                        acc[r][1] = (acc[r][1] + b1) * e1;
                        if (act) {
                            acc[r][0] = select(acc[r][0], zero, acc[r][0] < zero);
                            acc[r][1] = select(acc[r][1], zero, acc[r][1] < zero);
                        }
                    }
                }
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    if (r < rows) {
                        store_part(acc[r][0], to + r * O, left);
                        store_part(acc[r][1], to + r * O + VEC, left - VEC);
                    }
                }
            }
        }
    }
}

// ---- thin outputs: vectors along the reduction, THIN_ROWS x THIN_COLS of them ----------------------------------------

#define THIN_ROWS (ROWS / 2)
#define THIN_COLS 4
#define THIN_MAX 32         // columns at most

// sum[r, c] += sum over k < n of a[r, k] w[c, k] by lanes; w is [n / VEC, THIN_COLS, VEC]
static void multiply_thin(floatv *sum, const float *a, const global float *w, int n)
{
    floatv acc[THIN_ROWS][THIN_COLS];
#pragma unroll
    for (int r = 0; r < THIN_ROWS; ++r)
#pragma unroll
        for (int c = 0; c < THIN_COLS; ++c) acc[r][c] = sum[r * THIN_MAX + c];
    for (int k = 0; k < n; k += VEC, w += THIN_COLS * VEC) {
        floatv wk[THIN_COLS];
#pragma unroll
        for (int c = 0; c < THIN_COLS; ++c) wk[c] = vloadv(c, w);
#pragma unroll
        for (int r = 0; r < THIN_ROWS; ++r) {
            const floatv t = vloadv(0, a + r * STRIDE + k);
#pragma unroll
            for (int c = 0; c < THIN_COLS; ++c) acc[r][c] = RHEO_FMA(t, wk[c], acc[r][c]);
        }
    }
#pragma unroll
    for (int r = 0; r < THIN_ROWS; ++r)
#pragma unroll
        for (int c = 0; c < THIN_COLS; ++c) sum[r * THIN_MAX + c] = acc[r][c];
}

// conv2d for O <= THIN_MAX. Weights come packed: panel j of THIN_COLS columns starts at w + j panel.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_thin(const global float *x, const global float *w, const global float *b, const global float *a, global float *y,
                 int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
                 int panel, int tiles, int act, int x_batch, int w_batch, int y_batch)
{
    float patch[ROWS * STRIDE];
    floatv sum[ROWS * THIN_MAX];
    int at[ROWS], h[ROWS], v[ROWS];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch;
    y += (size_t)get_group_id(2) * y_batch;
    const int first = (int)get_group_id(0) * tiles, last = min(first + tiles, (P + ROWS - 1) / ROWS);
    for (int t = first; t < last; ++t) {
        for (int r = 0; r < ROWS; ++r) locate(t * ROWS + r, P, H, W, I, OH, OW, pad_h, pad_w, at + r, h + r, v + r);
        for (int i = 0; i < ROWS * THIN_MAX; ++i) sum[i] = (floatv)(0.0f);
        for (int k = 0; k < K; k += DEPTH) {
            const int n = min(DEPTH, K - k), whole = (n + VEC - 1) / VEC * VEC;
            gather(patch, STRIDE, ROWS, x, at, h, v, H, W, I, kw, dilation, k, n);
            for (int r = 0; r < ROWS; ++r) clear_row(patch + r * STRIDE + n, whole - n);
            for (int o = 0; o < O; o += THIN_COLS) {
                const global float *wo = w + (size_t)(o / THIN_COLS) * panel + (size_t)k * THIN_COLS;
                for (int r = 0; r < ROWS; r += THIN_ROWS) multiply_thin(sum + r * THIN_MAX + o, patch + r * STRIDE, wo, whole);
            }
        }
        const int rows = min(ROWS, P - t * ROWS);
        for (int o = 0; o < O; ++o) {
            const float shift = act >= 0 ? b[o] : 0.0f, scale = act >= 0 ? exp(a[o]) : 1.0f;
            for (int r = 0; r < rows; ++r) {
                const float z = (sumv(sum[r * THIN_MAX + o]) + shift) * scale;
                y[(size_t)(t * ROWS + r) * O + o] = act == 1 && z < 0.0f ? 0.0f : z;
            }
        }
    }
}

// Weights in the order a kernel reads them, zeros beyond the last k or column: to[j, k / VEC] is a block of VEC k's and
// `width` columns of panel j, element (k, c) at k s_k + c s_c in it. They are read at base + tap s_tap + i s_in + column
// s_out, k = tap I + i. Work-items share blocks; dimension 2: batch.
kernel void conv2d_pack(const global float *w, global float *to, int base, int s_tap, int s_in, int s_out, int I, int K,
                        int columns, int width, int s_k, int s_c, int blocks, int items, int w_batch, int to_batch)
{
    w += (size_t)get_global_id(2) * w_batch + base;
    to += (size_t)get_global_id(2) * to_batch;
    FOR_ITEMS(item, items) {
        const int j = item / blocks, k0 = (item - j * blocks) * VEC, n = min(width, columns - j * width);
        const global float *from = w + j * width * s_out;
        global float *out = to + (size_t)item * width * VEC;
        const int deep = min(VEC, K - k0);
        int at[VEC];
        for (int d = 0; d < deep; ++d) {
            const int tap = (k0 + d) / I;
            at[d] = tap * s_tap + (k0 + d - tap * I) * s_in;
        }
        for (int c = 0; c < width; ++c) {
            for (int d = 0; d < VEC; ++d) out[d * s_k + c * s_c] = c < n && d < deep ? from[c * s_out + at[d]] : 0.0f;
        }
    }
}

#define SPAN 64                     // positions gathered at a time
#ifndef A_MAX
#define A_MAX 192                    // rows of a block of dw, a multiple of ROWS
#define B_MAX 256                   // its columns, a multiple of COLS
#endif
#define A_STRIDE (A_MAX + 16)
#define B_STRIDE (B_MAX + 16)

// to[p stride + j] = dy[p, o0 + j] for j < n and p < rows; zeros for p >= valid
static void gather_dy(float *to, int stride, int valid, const global float *dy, int O, int n)
{
    for (int p = 0; p < SPAN; ++p) {
        if (p < valid) copy_row(to + p * stride, dy + (size_t)p * O, n);
        else clear_row(to + p * stride, n);
    }
}

// c[r, :] += sum over p < SPAN of a[p, r] b[p, :]
static void outer_rows(float *c, const float *a, const float *b)
{
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        acc[r][0] = vloadv(0, c + r * B_MAX);
        acc[r][1] = vloadv(1, c + r * B_MAX);
    }
    for (int p = 0; p < SPAN; ++p, a += A_STRIDE, b += B_STRIDE) {
        const floatv b0 = vloadv(0, b), b1 = vloadv(1, b);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(a[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        vstorev(acc[r][0], 0, c + r * B_MAX);
        vstorev(acc[r][1], 1, c + r * B_MAX);
    }
}

static void outer_few(float *c, const float *a, const float *b)
{
    floatv acc[FEW][2];
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        acc[r][0] = vloadv(0, c + r * B_MAX);
        acc[r][1] = vloadv(1, c + r * B_MAX);
    }
    for (int p = 0; p < SPAN; ++p, a += A_STRIDE, b += B_STRIDE) {
        const floatv b0 = vloadv(0, b), b1 = vloadv(1, b);
#pragma unroll
        for (int r = 0; r < FEW; ++r) {
            const floatv t = (floatv)(a[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        vstorev(acc[r][0], 0, c + r * B_MAX);
        vstorev(acc[r][1], 1, c + r * B_MAX);
    }
}

// dw = patch^T dy over positions [split span, ..). Group (g, c): k in [g k_block, ..), o in [c o_block, ..). Broadcast
// rows are k and vectors o; swapped, rows are o and vectors k, for thin O. Dimension 2: batch parts + split, each
// leaving a whole dw.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
               int k_block, int o_block, int swapped, int span, int parts, int x_batch, int dy_batch)
{
    float a[SPAN * A_STRIDE], b[SPAN * B_STRIDE], c[A_MAX * B_MAX];
    int at[SPAN], h[SPAN], v[SPAN];
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int k0 = (int)get_group_id(0) * k_block, nk = min(k_block, K - k0);
    const int o0 = (int)get_group_id(1) * o_block, no = min(o_block, O - o0);
    const int rows = swapped ? no : nk, cols = swapped ? nk : no;
    const int rows_up = (rows + ROWS - 1) / ROWS * ROWS, cols_up = (cols + COLS - 1) / COLS * COLS;
    for (int r = 0; r < rows_up; ++r) clear_row(c + r * B_MAX, cols_up);
    for (int p = 0; p < SPAN; ++p) {
        clear_row(a + p * A_STRIDE, rows_up);
        clear_row(b + p * B_STRIDE, cols_up);
    }
    const int end = min(part * span + span, P);
    for (int p0 = part * span; p0 < end; p0 += SPAN) {
        for (int p = 0; p < SPAN; ++p) locate(p0 + p, end, H, W, I, OH, OW, pad_h, pad_w, at + p, h + p, v + p);
        gather(swapped ? b : a, swapped ? B_STRIDE : A_STRIDE, SPAN, x, at, h, v, H, W, I, kw, dilation, k0, nk);
        gather_dy(swapped ? a : b, swapped ? A_STRIDE : B_STRIDE, end - p0, dy + (size_t)p0 * O + o0, O, no);
        for (int j = 0; j < cols; j += COLS) {
            int r = 0;
            for (; rows - r > 2 * FEW; r += ROWS) outer_rows(c + r * B_MAX + j, a + r, b + j);
            for (; rows - r > 0; r += FEW) outer_few(c + r * B_MAX + j, a + r, b + j);
        }
    }
    for (int r = 0; r < nk; ++r) {
        global float *to = dw + (size_t)(k0 + r) * O + o0;
        const float *from = swapped ? c + r : c + r * B_MAX;
        const int step = swapped ? B_MAX : 1;
        for (int o = 0; o < no; ++o) to[o] = from[o * step];
    }
}

#else
// ---- SIMT: 16 x 16 work-items, tiles of 64 x 64 with 4 x 4 a work-item, 16 of the reduction in local memory ----------

#define SIDE 16
#define TILE 64
#define SLICE 16

// acc[i][j] += sum over k of as[k][row 4 i's] bs[k][..]: rows ly + 16 i, columns lx + 16 j
static void multiply_slice(float acc[4][4], const local float *as, const local float *bs, int lx, int ly)
{
    for (int k = 0; k < SLICE; ++k) {
        float ak[4], bk[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            ak[i] = as[k * (TILE + 1) + ly + SIDE * i];
            bk[i] = bs[k * (TILE + 1) + lx + SIDE * i];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) acc[i][j] = RHEO_FMA(ak[i], bk[j], acc[i][j]);
    }
}

// y = patch w, the weights read where they lie: w[k, o] at base + tap s_tap + i s_in + o s_col. Epilogue as above.
// Groups: columns, positions, batch.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *a, global float *y,
            int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
            int base, int s_tap, int s_in, int s_col, int act, int x_batch, int w_batch, int y_batch)
{
    local float as[SLICE * (TILE + 1)], bs[SLICE * (TILE + 1)];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), l = ly * SIDE + lx;
    const int o0 = (int)get_group_id(0) * TILE, p0 = (int)get_group_id(1) * TILE;
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    int at[4], h[4], v[4];
    float acc[4][4];
    for (int i = 0; i < 4; ++i) {
        locate(p0 + ly + SIDE * i, P, H, W, I, OH, OW, pad_h, pad_w, at + i, h + i, v + i);
        for (int j = 0; j < 4; ++j) acc[i][j] = 0.0f;
    }
    for (int k0 = 0; k0 < K; k0 += SLICE) {
        const int k = k0 + lx, tap = k / I, dh = tap / kw * dilation, dw = tap % kw * dilation;
        const int shift = (dh * W + dw) * I + k - tap * I;
        for (int i = 0; i < 4; ++i) {
            const int inside = k < K && (uint)(h[i] + dh) < (uint)H && (uint)(v[i] + dw) < (uint)W;
            as[lx * (TILE + 1) + ly + SIDE * i] = inside ? x[at[i] + shift] : 0.0f;
        }
        for (int i = 0; i < 4; ++i) {
            const int row = l / TILE + 4 * i, kk = k0 + row, o = o0 + l % TILE, t = kk / I;
            bs[row * (TILE + 1) + l % TILE] = kk < K && o < O ? w[t * s_tap + (kk - t * I) * s_in + o * s_col] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_slice(acc, as, bs, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int j = 0; j < 4; ++j) {
        const int o = o0 + lx + SIDE * j;
        if (o >= O) continue;
        const float shift = act >= 0 ? b[o] : 0.0f, scale = act >= 0 ? exp(a[o]) : 1.0f;
        for (int i = 0; i < 4; ++i) {
            const int p = p0 + ly + SIDE * i;
            if (p >= P) continue;
            const float z = (acc[i][j] + shift) * scale;
            y[(size_t)p * O + o] = act == 1 && z < 0.0f ? 0.0f : z;
        }
    }
}

// dw = patch^T dy over positions [split span, ..). Groups: columns o, rows k, batch parts + split.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
               int span, int parts, int x_batch, int dy_batch)
{
    local float as[SLICE * (TILE + 1)], bs[SLICE * (TILE + 1)];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), l = ly * SIDE + lx;
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    const int o0 = (int)get_group_id(0) * TILE, k0 = (int)get_group_id(1) * TILE;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int column = l % TILE, k = k0 + column, o = o0 + column;
    const int tap = k / I, dh = tap / kw * dilation, dv = tap % kw * dilation, shift = (dh * W + dv) * I + k - tap * I;
    const int end = min(part * span + span, P);
    float acc[4][4];
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) acc[i][j] = 0.0f;
    for (int p0 = part * span; p0 < end; p0 += SLICE) {
        for (int i = 0; i < 4; ++i) {
            const int row = l / TILE + 4 * i, p = p0 + row;
            int at, h, v;
            locate(p, end, H, W, I, OH, OW, pad_h, pad_w, &at, &h, &v);
            const int inside = k < K && (uint)(h + dh) < (uint)H && (uint)(v + dv) < (uint)W;
            as[row * (TILE + 1) + column] = inside ? x[at + shift] : 0.0f;
            bs[row * (TILE + 1) + column] = p < end && o < O ? dy[(size_t)p * O + o] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_slice(acc, as, bs, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < 4; ++i) {
        const int row = k0 + ly + SIDE * i;
        for (int j = 0; j < 4; ++j) {
            const int col = o0 + lx + SIDE * j;
            if (row < K && col < O) dw[(size_t)row * O + col] = acc[i][j];
        }
    }
}
#endif
