// The convolution's gradient with respect to its weights, on CPUs; with the means of conv2d.cl, which comes before it.

#if RHEO_CPU
#define SPAN 128                    // positions gathered at a time
#define A_MAX 96                    // rows of a block of dw, a multiple of ROWS
#define B_MAX 256                   // its columns where they are gathered, a multiple of COLS
#define C_MAX 32768                 // its elements
#define A_STRIDE (A_MAX + 16)
#define B_STRIDE (B_MAX + 16)

// to[p stride + j] = dy[p, o0 + j] for j < n and p < rows
NOINLINE static void gather_dy(float *to, int stride, int rows, const global float *dy, int O, int n)
{
    for (int p = 0; p < rows; ++p) copy_row(to + p * stride, dy + (size_t)p * O, n);
}

// c[r, :] += sum over q < n of a[q, r] b[q, :]
NOINLINE static void outer_rows(float *c, const float *a, const float *b, int n)
{
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        acc[r][0] = LOAD(c + r * COLS);
        acc[r][1] = LOAD(c + r * COLS + VEC);
    }
    for (int q = 0; q < n; ++q, a += A_STRIDE, b += B_STRIDE) {
        const floatv b0 = LOAD(b), b1 = LOAD(b + VEC);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(a[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        STORE(acc[r][0], c + r * COLS);
        STORE(acc[r][1], c + r * COLS + VEC);
    }
}

NOINLINE static void outer_few(float *c, const float *a, const float *b, int n)
{
    floatv acc[FEW][2];
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        acc[r][0] = LOAD(c + r * COLS);
        acc[r][1] = LOAD(c + r * COLS + VEC);
    }
    for (int q = 0; q < n; ++q, a += A_STRIDE, b += B_STRIDE) {
        const floatv b0 = LOAD(b), b1 = LOAD(b + VEC);
#pragma unroll
        for (int r = 0; r < FEW; ++r) {
            const floatv t = (floatv)(a[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        STORE(acc[r][0], c + r * COLS);
        STORE(acc[r][1], c + r * COLS + VEC);
    }
}

// The same with rows of b where they lie: a's row[q] goes with b[at[q]].
NOINLINE static void outer_rows_at(float *c, const float *a, const int *row, const global float *b, const int *at, int n)
{
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        acc[r][0] = LOAD(c + r * COLS);
        acc[r][1] = LOAD(c + r * COLS + VEC);
    }
    for (int q = 0; q < n; ++q) {
        const float *aq = a + row[q] * A_STRIDE;
        const global float *bq = b + at[q];
        const floatv b0 = LOAD_GLOBAL(bq), b1 = LOAD_GLOBAL(bq + VEC);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const floatv t = (floatv)(aq[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        STORE(acc[r][0], c + r * COLS);
        STORE(acc[r][1], c + r * COLS + VEC);
    }
}

NOINLINE static void outer_few_at(float *c, const float *a, const int *row, const global float *b, const int *at, int n)
{
    floatv acc[FEW][2];
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        acc[r][0] = LOAD(c + r * COLS);
        acc[r][1] = LOAD(c + r * COLS + VEC);
    }
    for (int q = 0; q < n; ++q) {
        const float *aq = a + row[q] * A_STRIDE;
        const global float *bq = b + at[q];
        const floatv b0 = LOAD_GLOBAL(bq), b1 = LOAD_GLOBAL(bq + VEC);
#pragma unroll
        for (int r = 0; r < FEW; ++r) {
            const floatv t = (floatv)(aq[r]);
            acc[r][0] = RHEO_FMA(t, b0, acc[r][0]);
            acc[r][1] = RHEO_FMA(t, b1, acc[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < FEW; ++r) {
        STORE(acc[r][0], c + r * COLS);
        STORE(acc[r][1], c + r * COLS + VEC);
    }
}

// Lists the positions whose tap (dh, dw) is inside x, and where it reads: row[q], at_x[q]. Returns how many.
NOINLINE static int list_inside(int *row, int *at_x, const int *at, const int *h, const int *w, int H, int W, int dh, int dw, int shift)
{
    int n = 0;
    for (int p = 0; p < SPAN; ++p) {
        if ((uint)(h[p] + dh) >= (uint)H || (uint)(w[p] + dw) >= (uint)W) continue;
        row[n] = p;
        at_x[n++] = at[p] + shift;
    }
    return n;
}

// dw = patch^T dy over positions [split span, ..). Group (g, c): k in [g k_block, ..), o in [c o_block, ..). Broadcast
// rows are k and vectors o; swapped, rows are o and vectors k, for thin O. Rows are gathered; in_place, vectors are read where
// they lie, whole panels of columns together (I or O a multiple of COLS), else gathered. Dimension 2: batch parts + split,
// each leaving a whole dw.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
               int k_block, int o_block, int swapped, int in_place, int span, int parts, int x_batch, int dy_batch)
{
    floatv a_[SPAN * A_STRIDE / VEC], b_[SPAN * B_STRIDE / VEC], c_[C_MAX / VEC];
    float *a = (float *)a_, *b = (float *)b_, *c = (float *)c_;
    int at[SPAN], h[SPAN], v[SPAN], row[SPAN], b_at[SPAN];
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int k0 = (int)get_group_id(0) * k_block, nk = min(k_block, K - k0);
    const int o0 = (int)get_group_id(1) * o_block, no = min(o_block, O - o0);
    const int rows = swapped ? no : nk, cols = swapped ? nk : no;
    const int rows_up = (rows + ROWS - 1) / ROWS * ROWS, cols_up = (cols + COLS - 1) / COLS * COLS;
    clear_row(c, rows_up * cols_up);        // [cols_up / COLS, rows_up, COLS]
    for (int p = 0; p < SPAN; ++p) {
        clear_row(a + p * A_STRIDE, rows_up);
        if (!in_place) clear_row(b + p * B_STRIDE, cols_up);
    }
    const int end = min(part * span + span, P);
    for (int p0 = part * span; p0 < end; p0 += SPAN) {
        const int n = min(SPAN, end - p0);
        locate(p0, end, SPAN, H, W, I, OH, OW, pad_h, pad_w, at, h, v);
        if (swapped) gather_dy(a, A_STRIDE, n, dy + (size_t)p0 * O + o0, O, no);
        else gather(a, A_STRIDE, n, x, at, h, v, H, W, I, I, kw, dilation, k0, nk);
        if (!in_place && swapped) gather(b, B_STRIDE, n, x, at, h, v, H, W, I, I, kw, dilation, k0, nk);
        if (!in_place && !swapped) gather_dy(b, B_STRIDE, n, dy + (size_t)p0 * O + o0, O, no);
        if (in_place && !swapped) {
            for (int p = 0; p < n; ++p) {
                row[p] = p;
                b_at[p] = (p0 + p) * O + o0;
            }
        }
        for (int j = 0, tap = -1, m = n; j < cols; j += COLS) {
            const global float *bj = dy + j;
            if (in_place && swapped) {
                const int next = (k0 + j) / I, dh = next / kw * dilation, dv = next % kw * dilation;
                bj = x + (k0 + j - next * I);
                if (next != tap) m = list_inside(row, b_at, at, h, v, H, W, dh, dv, (dh * W + dv) * I);
                tap = next;
            }
            float *cj = c + j * rows_up;
            for (int r = 0; r < rows;) {
                const int many = rows - r > 2 * FEW;
                if (many && in_place) outer_rows_at(cj + r * COLS, a + r, row, bj, b_at, m);
                else if (many) outer_rows(cj + r * COLS, a + r, b + j, m);
                else if (in_place) outer_few_at(cj + r * COLS, a + r, row, bj, b_at, m);
                else outer_few(cj + r * COLS, a + r, b + j, m);
                r += many ? ROWS : FEW;
            }
        }
    }
    for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < cols; j += COLS) {
            const float *from = c + j * rows_up + r * COLS;
            const int n = min(COLS, cols - j);
            if (!swapped) store_row(dw + (size_t)(k0 + r) * O + o0 + j, from, n);
            else for (int k = 0; k < n; ++k) dw[(size_t)(k0 + j + k) * O + o0 + r] = from[k];
        }
    }
}
#endif
