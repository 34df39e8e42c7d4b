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

// What positions p0 .. p0 + rows read: row r stands for position (h[r], w[r]) of x at element at[r], the window's origin
// included; h is far outside for positions from `end` on.
#define OUTSIDE (-(1 << 30))

static void locate(int p0, int end, int rows, int H, int W, int I, int OH, int OW, int pad_h, int pad_w, int *at, int *h, int *w)
{
    const int line = p0 / OW;
    int n = line / OH, oh = line - n * OH, ow = p0 - line * OW;
    for (int r = 0; r < rows; ++r) {
        at[r] = ((n * H + oh - pad_h) * W + ow - pad_w) * I;
        h[r] = p0 + r < end ? oh - pad_h : OUTSIDE;
        w[r] = ow - pad_w;
        if (++ow < OW) continue;
        ow = 0;
        if (++oh < OH) continue;
        oh = 0;
        ++n;
    }
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

// PoCL compiles each kernel three times over, with every function inlined that does not forbid it.
#define NOINLINE __attribute__((noinline))

// Vectors at any address. vload and vstore do the same, but PoCL 3.1 makes several moves of them.
typedef struct __attribute__((packed)) anywhere { floatv v; } anywhere;
typedef struct __attribute__((packed)) anywhere4 { float4 v; } anywhere4;
#define LOAD(p) (((const anywhere *)(p))->v)
#define LOAD_GLOBAL(p) (((const global anywhere *)(p))->v)
#define STORE(x, p) (((anywhere *)(p))->v = (x))
#define STORE_GLOBAL(x, p) (((global anywhere *)(p))->v = (x))
#define LOAD_GLOBAL4(p) (((const global anywhere4 *)(p))->v)
#define STORE4(x, p) (((anywhere4 *)(p))->v = (x))

// The last vector overlaps the one before.
NOINLINE static void copy_row(float *to, const global float *from, int n)
{
    if (n >= VEC) {
        for (int j = 0; j < n - VEC; j += VEC) STORE(LOAD_GLOBAL(from + j), to + j);
        STORE(LOAD_GLOBAL(from + n - VEC), to + n - VEC);
    } else if (n >= 4) {
        for (int j = 0; j < n - 4; j += 4) STORE4(LOAD_GLOBAL4(from + j), to + j);
        STORE4(LOAD_GLOBAL4(from + n - 4), to + n - 4);
    } else {
        if (n > 0) to[0] = from[0];
        if (n > 1) to[1] = from[1];
        if (n > 2) to[2] = from[2];
    }
}

NOINLINE static void clear_row(float *to, int n)
{
    if (n >= VEC) {
        for (int j = 0; j < n - VEC; j += VEC) STORE((floatv)(0.0f), to + j);
        STORE((floatv)(0.0f), to + n - VEC);
    } else if (n >= 4) {
        for (int j = 0; j < n - 4; j += 4) STORE4((float4)(0.0f), to + j);
        STORE4((float4)(0.0f), to + n - 4);
    } else {
        if (n > 0) to[0] = 0.0f;
        if (n > 1) to[1] = 0.0f;
        if (n > 2) to[2] = 0.0f;
    }
}

// to[r stride + j] = patch[r, k0 + j] for j < n. Taps side by side read side by side unless dilated: one run a window row.
NOINLINE static void gather(float *to, int stride, int rows, const global float *x, const int *at, const int *h, const int *w,
                            int H, int W, int I, int kw, int dilation, int k0, int n)
{
    const int taps = dilation == 1 ? kw : 1, run = taps * I;
    for (int k = 0; k < n;) {
        const int part = (k0 + k) / run, c = k0 + k - part * run, len = min(run - c, n - k), tap = part * taps;
        const int dh = tap / kw * dilation, dw = tap % kw * dilation, shift = (dh * W + dw) * I + c;
        for (int r = 0; r < rows; ++r) {
            float *row = to + r * stride + k;
            const int left = (w[r] + dw) * I + c, first = max(-left, 0), last = min(W * I - left, len);
            if ((uint)(h[r] + dh) >= (uint)H || first >= last) {
                clear_row(row, len);
            } else {
                if (first > 0) clear_row(row, first);
                copy_row(row + first, x + at[r] + shift + first, last - first);
                if (last < len) clear_row(row + last, len - last);
            }
        }
        k += len;
    }
}

// acc[r] += sum over k < n of a[r, k] w[k], weights `step` elements apart
static void multiply_two(floatv acc[ROWS][2], const float *a, const global float *w, int step, int n)
{
    for (int k = 0; k < n; ++k, w += step) {
        const floatv w0 = LOAD_GLOBAL(w), w1 = LOAD_GLOBAL(w + VEC);
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
        const floatv w0 = LOAD_GLOBAL(w);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) acc[r][0] = RHEO_FMA((floatv)(a[r * STRIDE + k]), w0, acc[r][0]);
    }
}

// The last rows of unpacked weights, of which whole vectors would read past the end of the tensor.
static void multiply_end(floatv acc[ROWS][2], const float *a, const global float *w, int step, int n, int left)
{
    floatv row[2];
    row[0] = row[1] = (floatv)(0.0f);
    for (int k = 0; k < n; ++k, w += step) {
        copy_row((float *)row, w, min(left, COLS));
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(a[r * STRIDE + k]);
            acc[r][0] = RHEO_FMA(t, row[0], acc[r][0]);
            acc[r][1] = RHEO_FMA(t, row[1], acc[r][1]);
        }
    }
}

NOINLINE static void store_row(global float *to, const float *from, int n)
{
    int j = 0;
    for (; j + VEC <= n; j += VEC) STORE_GLOBAL(LOAD(from + j), to + j);
    for (; j < n; ++j) to[j] = from[j];
}

// row = act((row + b) exp(factor l)) for the panel's columns
static void finish_row(float *row, const float *shift, const float *scale, int relu)
{
    for (int j = 0; j < COLS; j += VEC) {
        const floatv y = (LOAD(row + j) + LOAD(shift + j)) * LOAD(scale + j), zero = (floatv)(0.0f);
        STORE(relu ? select(y, zero, y < zero) : y, row + j);
    }
}

// y = patch w; with act >= 0, y = act((patch w + b) exp(factor l)), act 0: none, 1: relu.
// Weights k of column panel j start at w + j panel + k step; rows k < whole can be read by full vectors.
// Group (g, c): tiles [g tiles, ..) of ROWS positions and panels [c panels, ..) of COLS columns. What was gathered
// serves all panels; a reduction longer than DEPTH is added up in y.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *l, global float *y,
            int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
            int step, int panel, int whole, int tiles, int panels, int act, float factor, int x_batch, int w_batch, int y_batch)
{
    floatv patch_[ROWS * STRIDE / VEC], tile_[ROWS * 2], shift_[2], scale_[2];      // aligned as vectors are
    float *patch = (float *)patch_, *tile = (float *)tile_, *shift = (float *)shift_, *scale = (float *)scale_;
    int at[ROWS], h[ROWS], v[ROWS];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch;
    y += (size_t)get_group_id(2) * y_batch;
    const int first = (int)get_group_id(0) * tiles, last = min(first + tiles, (P + ROWS - 1) / ROWS);
    const int j0 = (int)get_group_id(1) * panels, j1 = min(j0 + panels, (O + COLS - 1) / COLS);
    for (int t = first; t < last; ++t) {
        const int rows = min(ROWS, P - t * ROWS);
        locate(t * ROWS, P, ROWS, H, W, I, OH, OW, pad_h, pad_w, at, h, v);
        for (int k = 0; k < K; k += DEPTH) {
            const int n = min(DEPTH, K - k);
            gather(patch, STRIDE, ROWS, x, at, h, v, H, W, I, kw, dilation, k, n);
            for (int j = j0; j < j1; ++j) {
                const int left = min(O - j * COLS, COLS), safe = left == COLS ? n : clamp(whole - k, 0, n);
                const global float *wj = w + (size_t)j * panel + (size_t)k * step;
                global float *to = y + (size_t)t * ROWS * O + j * COLS;
                floatv acc[ROWS][2];
                if (k > 0) {
                    clear_row(tile, ROWS * COLS);
                    for (int r = 0; r < rows; ++r) copy_row(tile + r * COLS, to + r * O, left);
                }
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    acc[r][0] = k > 0 ? tile_[2 * r] : (floatv)(0.0f);
                    acc[r][1] = k > 0 ? tile_[2 * r + 1] : (floatv)(0.0f);
                }
                if (left > VEC) multiply_two(acc, patch, wj, step, safe);
                else multiply_one(acc, patch, wj, step, safe);
                if (safe < n) multiply_end(acc, patch + safe, wj + (size_t)safe * step, step, n - safe, left);
                const int finish = act >= 0 && k + n == K;
                if (!finish && rows == ROWS && left == COLS) {
#pragma unroll
                    for (int r = 0; r < ROWS; ++r) {
                        STORE_GLOBAL(acc[r][0], to + r * O);
                        STORE_GLOBAL(acc[r][1], to + r * O + VEC);
                    }
                    continue;
                }
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    tile_[2 * r] = acc[r][0];
                    tile_[2 * r + 1] = acc[r][1];
                }
                if (finish) {
                    copy_row(shift, b + j * COLS, left);
                    copy_row(scale, l + j * COLS, left);
                    for (int i = 0; i < 2; ++i) scale_[i] = exp(factor * scale_[i]);
                    for (int r = 0; r < rows; ++r) finish_row(tile + r * COLS, shift, scale, act);
                }
                for (int r = 0; r < rows; ++r) store_row(to + r * O, tile + r * COLS, left);
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
#endif
