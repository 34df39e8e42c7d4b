// conv2d and conv2d_dw on SIMT devices: an implicit product of matrices; locate() is in conv2d.cl, which comes before it.

#if !RHEO_CPU
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

// y = patch w, the weights read where they lie: w[k, o] at base + tap s_tap + i s_in + o s_col. Epilogue as above, or
// y = add + patch w, where channels of y from O on are add's. Positions of x have XC channels, of y and add YC.
// Groups: columns, positions, batch.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d(const global float *x, const global float *w, const global float *b, const global float *l,
            const global float *add, global float *y,
            int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
            int XC, int YC, int base, int s_tap, int s_in, int s_col, int act, float factor, int adds,
            int x_batch, int w_batch, int y_batch)
{
    local float as[SLICE * (TILE + 1)], bs[SLICE * (TILE + 1)];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int o0 = (int)get_group_id(0) * TILE, p0 = (int)get_group_id(1) * TILE;
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    int at[4], h[4], v[4];
    float acc[4][4];
    for (int i = 0; i < 4; ++i) {
        locate(p0 + ly + SIDE * i, P, 1, H, W, XC, OH, OW, pad_h, pad_w, at + i, h + i, v + i);
        for (int j = 0; j < 4; ++j) acc[i][j] = 0.0f;
    }
    for (int k0 = 0; k0 < K; k0 += SLICE) {
        const int k = k0 + lx, tap = k / I, dh = tap / kw * dilation, dw = tap % kw * dilation;
        const int shift = (dh * W + dw) * XC + k - tap * I;
        for (int i = 0; i < 4; ++i) {
            const int inside = k < K && (uint)(h[i] + dh) < (uint)H && (uint)(v[i] + dw) < (uint)W;
            as[lx * (TILE + 1) + ly + SIDE * i] = inside ? x[at[i] + shift] : 0.0f;
        }
        for (int i = 0; i < 4; ++i) {
            const int row = item / TILE + 4 * i, kk = k0 + row, o = o0 + item % TILE, t = kk / I;
            bs[row * (TILE + 1) + item % TILE] = kk < K && o < O ? w[t * s_tap + (kk - t * I) * s_in + o * s_col] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_slice(acc, as, bs, lx, ly);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int j = 0; j < 4; ++j) {
        const int o = o0 + lx + SIDE * j;
        if (o >= O) continue;
        const float shift = act >= 0 ? b[o] : 0.0f, scale = act >= 0 ? exp(factor * l[o]) : 1.0f;
        for (int i = 0; i < 4; ++i) {
            const int p = p0 + ly + SIDE * i;
            if (p >= P) continue;
            const size_t at_y = (size_t)p * YC + o;
            const float z = adds ? add[at_y] + acc[i][j] : (acc[i][j] + shift) * scale;
            y[at_y] = act == 1 && z < 0.0f ? 0.0f : z;
        }
    }
    if (!adds || get_group_id(0) + 1 < get_num_groups(0)) return;
    const int rest = YC - O;
    for (int e = item; e < min(P - p0, TILE) * rest; e += SIDE * SIDE) {
        const size_t at_y = (size_t)(p0 + e / rest) * YC + O + e % rest;
        y[at_y] = add[at_y];
    }
}

// dw = patch^T dy over positions [split span, ..), x as above. Groups: columns o, rows k, batch parts + split.
kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1)))
void conv2d_dw(const global float *x, const global float *dy, global float *dw,
               int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
               int XC, int span, int parts, int x_batch, int dy_batch)
{
    local float as[SLICE * (TILE + 1)], bs[SLICE * (TILE + 1)];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), item = ly * SIDE + lx;
    const int batch = (int)get_group_id(2) / parts, part = (int)get_group_id(2) - batch * parts;
    const int o0 = (int)get_group_id(0) * TILE, k0 = (int)get_group_id(1) * TILE;
    x += (size_t)batch * x_batch;
    dy += (size_t)batch * dy_batch;
    dw += (size_t)get_group_id(2) * K * O;
    const int column = item % TILE, k = k0 + column, o = o0 + column;
    const int tap = k / I, dh = tap / kw * dilation, dv = tap % kw * dilation, shift = (dh * W + dv) * XC + k - tap * I;
    const int end = min(part * span + span, P);
    float acc[4][4];
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) acc[i][j] = 0.0f;
    for (int p0 = part * span; p0 < end; p0 += SLICE) {
        for (int i = 0; i < 4; ++i) {
            const int row = item / TILE + 4 * i, p = p0 + row;
            int at, h, v;
            locate(p, end, 1, H, W, XC, OH, OW, pad_h, pad_w, &at, &h, &v);
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
