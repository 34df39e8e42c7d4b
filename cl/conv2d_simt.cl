// conv2d and conv2d_dw on SIMT devices: an implicit product of matrices; locate() is in conv2d.cl, which comes before it.

#if !RHEO_CPU
// ---- SIMT: SIDE x SIDE work-items, a tile of 4 x 4 each, SIDE of the reduction at a time in local memory -------------

#if GROUP == 256
#define SIDE 16
#else
#define SIDE 8
#endif
#define EACH 4
#define TILE (EACH * SIDE)      // as in host/op/conv_geometry.h
#define ACROSS (SIDE * SIDE / TILE)
// From one row of a slice to the next: neighbours in a row or a column lie in different banks of 32.
#define PITCH (TILE + 32 / SIDE)

// acc[i][j] += sum over k of as[k][row i] bs[k][column j]: rows ly + SIDE i, columns lx + SIDE j
static void multiply_slice(float acc[EACH][EACH], const local float *as, const local float *bs, int lx, int ly)
{
    for (int k = 0; k < SIDE; ++k) {
        float ak[EACH], bk[EACH];
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            ak[i] = as[k * PITCH + ly + SIDE * i];
            bk[i] = bs[k * PITCH + lx + SIDE * i];
        }
#pragma unroll
        for (int i = 0; i < EACH; ++i)
#pragma unroll
            for (int j = 0; j < EACH; ++j) acc[i][j] = RHEO_FMA(ak[i], bk[j], acc[i][j]);
    }
}

// What row k of the reduction takes of x, from a position's origin on, and of w. Divisions are dear: a work-item a row makes them.
typedef struct tap_of_row { int h, w, x, weights; } tap_of_row;

static tap_of_row find_tap(int k, int W, int I, int kw, int dilation, int XC, int s_tap, int s_in)
{
    const int tap = k / I, i = k - tap * I, row = tap / kw;
    tap_of_row t;
    t.h = row * dilation;
    t.w = (tap - row * kw) * dilation;
    t.x = (t.h * W + t.w) * XC + i;
    t.weights = tap * s_tap + i * s_in;
    return t;
}

// Where a position's window begins in x, as locate() says.
typedef struct origin { int at, h, w; } origin;

static origin find_origin(int p, int end, int H, int W, int XC, int OH, int OW, int pad_h, int pad_w)
{
    origin a;
    locate(p, end, 1, H, W, XC, OH, OW, pad_h, pad_w, &a.at, &a.h, &a.w);
    return a;
}

// y = patch w, the weights read where they lie: w[k, o] at base + tap s_tap + i s_in + o s_col. Epilogue as above, or
// y = add + patch w, where channels of y from O on are add's. Positions of x have XC channels, of y and add YC.
// Groups: columns, positions from p_first on, batch.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *l,
            const global float *add, global float *y,
            int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
            int XC, int YC, int base, int s_tap, int s_in, int s_col, int act, float factor, int adds,
            int x_batch, int w_batch, int y_batch, int p_first)
{
    local float as[SIDE * PITCH], bs[SIDE * PITCH];
    local tap_of_row taps[SIDE];
    local origin origins[TILE];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int o0 = (int)get_group_id(0) * TILE, p0 = p_first + (int)get_group_id(1) * TILE;
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    // Neighbours read what lies side by side: in x along the reduction, in w along what has the smaller step.
    const int along_columns = s_col <= s_in;
    const int b_row = along_columns ? item / TILE : lx, b_column = along_columns ? item % TILE : ly;
    const int next_row = along_columns ? ACROSS : 0, next_column = along_columns ? 0 : SIDE;
    float acc[EACH][EACH];
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) acc[i][j] = 0.0f;
    if (item < TILE) origins[item] = find_origin(p0 + item, P, H, W, XC, OH, OW, pad_h, pad_w);
    if (item < SIDE) taps[item] = find_tap(item, W, I, kw, dilation, XC, s_tap, s_in);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k0 = 0; k0 < K; k0 += SIDE) {
        const tap_of_row tap = taps[lx];
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const origin a = origins[ly + SIDE * i];
            const int inside = k0 + lx < K && (uint)(a.h + tap.h) < (uint)H && (uint)(a.w + tap.w) < (uint)W;
            as[lx * PITCH + ly + SIDE * i] = inside ? x[a.at + tap.x] : 0.0f;
        }
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const int row = b_row + next_row * i, column = b_column + next_column * i, o = o0 + column;
            bs[row * PITCH + column] = k0 + row < K && o < O ? w[taps[row].weights + o * s_col] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < SIDE) taps[item] = find_tap(k0 + SIDE + item, W, I, kw, dilation, XC, s_tap, s_in);
        multiply_slice(acc, as, bs, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
        const int o = o0 + lx + SIDE * j;
        if (o >= O) continue;
        const float shift = act >= 0 ? b[o] : 0.0f, scale = act >= 0 ? exp(factor * l[o]) : 1.0f;
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const int p = p0 + ly + SIDE * i;
            if (p >= P) continue;
            const int at_y = p * YC + o;
            const float z = adds ? add[at_y] + acc[i][j] : (acc[i][j] + shift) * scale;
            y[at_y] = act == 1 && z < 0.0f ? 0.0f : z;
        }
    }
    if (!adds || get_group_id(0) + 1 < get_num_groups(0)) return;
    const int rest = YC - O;
    for (int e = item; e < min(P - p0, TILE) * rest; e += SIDE * SIDE) {
        const int at_y = (p0 + e / rest) * YC + O + e % rest;
        y[at_y] = add[at_y];
    }
}

// dw = patch^T dy over positions [split span, ..), x as above. Groups: columns o, rows k, batch parts + split.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
               int XC, int span, int parts, int x_batch, int dy_batch, int k_first)
{
    local float as[SIDE * PITCH], bs[SIDE * PITCH];
    local origin origins[SIDE];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    const int o0 = (int)get_group_id(0) * TILE, k0 = k_first + (int)get_group_id(1) * TILE;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int column = item % TILE, k = k0 + column, o = o0 + column;
    const tap_of_row tap = find_tap(k, W, I, kw, dilation, XC, 0, 0);
    const int end = min(part * span + span, P);
    float acc[EACH][EACH];
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) acc[i][j] = 0.0f;
    if (item < SIDE) origins[item] = find_origin(part * span + item, end, H, W, XC, OH, OW, pad_h, pad_w);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int p0 = part * span; p0 < end; p0 += SIDE) {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const int row = item / TILE + ACROSS * i, p = p0 + row;
            const origin a = origins[row];
            const int inside = k < K && (uint)(a.h + tap.h) < (uint)H && (uint)(a.w + tap.w) < (uint)W;
            as[row * PITCH + column] = inside ? x[a.at + tap.x] : 0.0f;
            bs[row * PITCH + column] = p < end && o < O ? dy[p * O + o] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < SIDE) origins[item] = find_origin(p0 + SIDE + item, end, H, W, XC, OH, OW, pad_h, pad_w);
        multiply_slice(acc, as, bs, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        const int row = k0 + ly + SIDE * i;
#pragma unroll
        for (int j = 0; j < EACH; ++j) {
            const int col = o0 + lx + SIDE * j;
            if (row < K && col < O) dw[row * O + col] = acc[i][j];
        }
    }
}
#endif
