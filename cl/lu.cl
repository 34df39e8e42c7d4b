// Invertible 1x1 convolutions in LU form (flows 1.2): W = P L (U + diag(sign exp(s))), row vectors y = x W. P is a permutation
// matrix (one 1 a row); of `lower` the strict lower triangle is read, of `upper` the strict upper one. All C x C, row-major.

// Column of the 1 in row r of P.
static int lu_column(__global const float *p, int r, int c)
{
    int j = 0;
    while (j < c - 1 && p[r * c + j] == 0.0f) j++;
    return j;
}

static float lu_upper(__global const float *upper, __global const float *s, __global const float *sign, int m, int k, int c)
{
    return m == k ? sign[m] * exp(s[m]) : upper[m * c + k];
}

// b'[k] = sum over r of b[r] W'[r,k]
static void lu_shift(__global const float *b, __global const float *w, __global float *shift, int k, int c)
{
    float sum = 0.0f;
    for (int r = 0; r < c; r++) sum = RHEO_FMA(b[r], w[r * c + k], sum);
    shift[k] = sum;
}

#if RHEO_CPU
// to[k] = exp(f from[k])
static void lu_exp(float f, __global const float *from, __global float *to, int c)
{
    for (int k = 0; k < c; k += VEC) {
        const int n = min(VEC, c - k);
        float t[VEC];
        for (int i = 0; i < VEC; i++) t[i] = i < n ? f * from[k + i] : 0.0f;
        vstorev(exp(vloadv(0, t)), 0, t);
        for (int i = 0; i < n; i++) to[k + i] = t[i];
    }
}

// Row r of W times `scale`, from m = j downwards: what row m of U adds to columns m and on; W[r,m] is U's diagonal until then.
static void lu_row_of(__global const float *p, __global const float *lower, __global const float *upper, __global const float *s,
                      __global const float *sign, float scale, int r, __global float *restrict row, int c)
{
    const int j = lu_column(p, r, c);
    lu_exp(1.0f, s, row, j + 1);
    for (int k = 0; k < c; k++) row[k] = k <= j ? sign[k] * row[k] : 0.0f;
    for (int m = j; m >= 0; m--) {
        const float f = m == j ? scale : scale * lower[j * c + m];
        __global const float *restrict u = upper + m * c;
        row[m] *= f;
        for (int k = m + 1; k < c; k++) row[k] = RHEO_FMA(f, u[k], row[k]);
    }
}
#endif

// W[r,k] = sum over m <= min(j,k) of L[j,m] U[m,k], j = column of P's row r; logdet_out[n] = logdet[n] + positions sum(s). With
// `scaled`, for x -> (x + b) exp(f l) W: W' = diag(exp(f l)) W, and positions f sum(l) more; b' = b W' where one work-item does
// all rows, else lu_shift_of does it.     grid: k, r (CPU: rows)
__kernel void lu_matrix(__global const float *p, __global const float *lower, __global const float *upper, __global const float *s,
                        __global const float *sign, __global const float *logdet, __global const float *b, __global const float *l,
                        __global float *w, __global float *logdet_out, __global float *shift, int c, int batch, float positions,
                        int scaled, float f)
{
    for (int r = get_global_id(1); r < c; r += get_global_size(1)) {
        const float scale = scaled ? exp(f * l[r]) : 1.0f;
#if RHEO_CPU
        lu_row_of(p, lower, upper, s, sign, scale, r, w + r * c, c);
#else
        const int j = lu_column(p, r, c);
        for (int k = get_global_id(0); k < c; k += get_global_size(0)) {
            float sum = j <= k ? lu_upper(upper, s, sign, j, k, c) : 0.0f;
            const int end = min(j, k + 1);
            for (int m = 0; m < end; m++) sum = RHEO_FMA(lower[j * c + m], lu_upper(upper, s, sign, m, k, c), sum);
            w[r * c + k] = scale * sum;
        }
#endif
    }
    if (scaled && get_global_size(0) * get_global_size(1) == 1)
        for (int k = 0; k < c; k++) lu_shift(b, w, shift, k, c);
    if (get_global_id(1) == 0 && get_global_id(0) == 0) {
        float total = 0.0f;
        for (int k = 0; k < c; k++) total += scaled ? s[k] + f * l[k] : s[k];
        for (int n = 0; n < batch; n++) logdet_out[n] = logdet[n] + positions * total;
    }
}

__kernel void lu_shift_of(__global const float *b, __global const float *w, __global float *shift, int c)
{
    FOR_ITEMS(k, c) lu_shift(b, w, shift, k, c);
}

// Row of the 1 in column j of P.
static int lu_row(__global const float *p, int j, int c)
{
    int r = 0;
    while (r < c - 1 && p[r * c + j] == 0.0f) r++;
    return r;
}

// With dM = P^T dW: dL = strict lower of dM U^T, dU = strict upper of L^T dM, ds = diag(L^T dM) diag(U) + positions
// sum(dlogdet).     grid: b, a
__kernel void lu_matrix_backward(__global const float *p, __global const float *lower, __global const float *upper,
                                 __global const float *s, __global const float *sign, __global const float *dw,
                                 __global const float *dlogdet, __global float *dlower, __global float *dupper, __global float *ds, int c,
                                 int batch, float positions)
{
    const int a = get_global_id(1);
    if (a >= c) return;
    __global const float *dm = dw + lu_row(p, a, c) * c;        // row a of dM
    for (int b = get_global_id(0); b < c; b += get_global_size(0)) {
        float dl = 0.0f;
        if (a > b)
            for (int k = b; k < c; k++) dl = RHEO_FMA(dm[k], lu_upper(upper, s, sign, b, k, c), dl);
        dlower[a * c + b] = dl;
        dupper[a * c + b] = a < b ? dm[b] : 0.0f;
        if (a == b) ds[a] = dm[b];
    }
    for (int j = a + 1; j < c; j++) {
        __global const float *row = dw + lu_row(p, j, c) * c;
        const float f = lower[j * c + a];
        for (int b = get_global_id(0); b < c; b += get_global_size(0)) {
            if (a < b) dupper[a * c + b] = RHEO_FMA(f, row[b], dupper[a * c + b]);
            if (a == b) ds[a] = RHEO_FMA(f, row[b], ds[a]);
        }
    }
    for (int b = get_global_id(0); b < c; b += get_global_size(0))
        if (a == b) {
            float total = 0.0f;
            for (int n = 0; n < batch; n++) total += dlogdet[n];
            ds[a] = ds[a] * lu_upper(upper, s, sign, a, a, c) + positions * total;
        }
}

// x = y U^{-1} L^{-1} P^T, with `scaled` that times exp(-f l) - b, for blocks of rows, solved side by side: lane = row within its block.
// y's last c2 channels, if any, leave an affine coupling first, h [rows, 2 c2] = t, r interleaved (coupling.cl, which comes before).
// A group's scratch, `room` floats: t [C, rows of a block]; on CPUs h likewise, and tables of each channel.     grid: one group a block (CPU:
// a work-item walks several)
#if RHEO_CPU
#define LU_ROWS VEC
#define LU_INVERSE(j) d[j]
typedef floatv lu_rows;
#define LU_LOAD(k) vloadv(0, t + (k) * LU_ROWS)
#define LU_STORE(v, k) vstorev(v, 0, t + (k) * LU_ROWS)
#else
#define LU_ROWS 64
#define LU_INVERSE(j) (sign[j] * exp(-s[j]))
typedef float lu_rows;
#define LU_LOAD(k) t[(k) * LU_ROWS + (int)get_local_id(0)]
#define LU_STORE(v, k) t[(k) * LU_ROWS + (int)get_local_id(0)] = (v)
#endif

#if RHEO_CPU
// From `rows` of n floats to lanes of t, and back; by squares of four where all rows of a block are there.
#define LU_SQUARE(a, b)                                                                                                                    \
    b[0] = (float4)(a[0].x, a[1].x, a[2].x, a[3].x), b[1] = (float4)(a[0].y, a[1].y, a[2].y, a[3].y);                                      \
    b[2] = (float4)(a[0].z, a[1].z, a[2].z, a[3].z), b[3] = (float4)(a[0].w, a[1].w, a[2].w, a[3].w);

static void lu_take(__global const float *from, int n, int rows, __global float *t)
{
    const int whole = LU_ROWS % 4 || rows < LU_ROWS ? 0 : n / 4 * 4;
    for (int k = 0; k < whole; k += 4)
        for (int lane = 0; lane < LU_ROWS; lane += 4) {
            float4 a[4], b[4];
            _Pragma("unroll") for (int i = 0; i < 4; i++) a[i] = vload4(0, from + (lane + i) * n + k);
            LU_SQUARE(a, b)
            _Pragma("unroll") for (int i = 0; i < 4; i++) vstore4(b[i], 0, t + (k + i) * LU_ROWS + lane);
        }
    for (int k = whole; k < n; k++)
        for (int lane = 0; lane < LU_ROWS; lane++) t[k * LU_ROWS + lane] = lane < rows ? from[lane * n + k] : 0.0f;
}

// x[.., r] = t[column[r]] scale[r] - less[r]
static void lu_put(__global const float *t, __global const float *column, __global const float *scale, __global const float *less, int n,
                   int rows, __global float *x)
{
    const int whole = LU_ROWS % 4 || rows < LU_ROWS ? 0 : n / 4 * 4;
    for (int r = 0; r < whole; r += 4)
        for (int lane = 0; lane < LU_ROWS; lane += 4) {
            float4 a[4], b[4];
            _Pragma("unroll") for (int i = 0; i < 4; i++) a[i] = vload4(0, t + (int)column[r + i] * LU_ROWS + lane) * scale[r + i] - less[r + i];
            LU_SQUARE(a, b)
            _Pragma("unroll") for (int i = 0; i < 4; i++) vstore4(b[i], 0, x + (lane + i) * n + r);
        }
    for (int r = whole; r < n; r++)
        for (int lane = 0; lane < rows; lane++) x[lane * n + r] = t[(int)column[r] * LU_ROWS + lane] * scale[r] - less[r];
}
#endif

// d is for LU_INVERSE on CPUs, s and sign elsewhere.
static void lu_substitute(__global const float *lower, __global const float *upper, __global const float *s,
                          __global const float *sign, __global const float *d, __global float *t, int c)
{
    for (int j = 0; j < c; j++) {
        const lu_rows v = LU_LOAD(j) * LU_INVERSE(j);
        LU_STORE(v, j);
        for (int k = j + 1; k < c; k++) LU_STORE(LU_LOAD(k) - v * upper[j * c + k], k);
    }
    for (int j = c - 1; j > 0; j--) {
        const lu_rows v = LU_LOAD(j);
        for (int k = 0; k < j; k++) LU_STORE(LU_LOAD(k) - v * lower[j * c + k], k);
    }
}

#if RHEO_CPU
__attribute__((reqd_work_group_size(1, 1, 1)))
#endif
__kernel void lu_solve(__global const float *y, __global const float *p, __global const float *lower, __global const float *upper,
                       __global const float *s, __global const float *sign, __global const float *b, __global const float *l,
                       __global const float *h, __global float *scratch, __global float *x, int rows, int c, int c2, int scaled, float f, int room)
{
    const int blocks = (rows + LU_ROWS - 1) / LU_ROWS, c1 = c - c2;
    __global float *t = scratch + (size_t)get_group_id(0) * room;
#if RHEO_CPU
    __global float *hidden = t + c * LU_ROWS, *d = hidden + 2 * c2 * LU_ROWS, *scale = d + c, *less = scale + c, *column = less + c;
    lu_exp(-1.0f, s, d, c);
    lu_exp(-f, l, scale, c);
    for (int k = 0; k < c; k++) {
        d[k] *= sign[k];
        if (!scaled) scale[k] = 1.0f;
        less[k] = scaled ? b[k] : 0.0f;
        column[k] = lu_column(p, k, c);
    }
#endif
    const int end = (int)((get_group_id(0) + 1) * (size_t)blocks / get_num_groups(0));
    for (int block = (int)(get_group_id(0) * (size_t)blocks / get_num_groups(0)); block < end; block++) {
        const int first = block * LU_ROWS;
#if RHEO_CPU
        const int count = min(LU_ROWS, rows - first);
        lu_take(y + (size_t)first * c, c, count, t);
        lu_take(h + (size_t)first * 2 * c2, 2 * c2, count, hidden);
        for (int i = 0; i < c2; i++) {
            const lu_rows shift = vloadv(2 * i, hidden), r = vloadv(2 * i + 1, hidden);
            LU_STORE(COUPLING_UNDONE(LU_LOAD(c1 + i), shift, r + 2.0f), c1 + i);
        }
        lu_substitute(lower, upper, s, sign, d, t, c);
        lu_put(t, column, scale, less, c, count, x + (size_t)first * c);
#else
        const int row = first + (int)get_local_id(0);
        for (int k = 0; k < c; k++) LU_STORE(row < rows ? y[(size_t)row * c + k] : 0.0f, k);
        for (int i = 0; i < c2 && row < rows; i++) {
            __global const float *at = h + ((size_t)row * c2 + i) * 2;
            LU_STORE(COUPLING_UNDONE(LU_LOAD(c1 + i), at[0], at[1] + 2.0f), c1 + i);
        }
        lu_substitute(lower, upper, s, sign, s, t, c);
        for (int r = 0; r < c; r++) {
            const float solved = LU_LOAD(lu_column(p, r, c));
            if (row < rows) x[(size_t)row * c + r] = scaled ? solved * exp(-f * l[r]) - b[r] : solved;
        }
#endif
    }
}
