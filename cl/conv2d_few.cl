// conv2d where channels are few; with the means of conv2d.cl, which comes before it.

#if RHEO_CPU
// ---- few columns: vectors along the reduction, THIN_ROWS x THIN_COLS accumulators of them ----------------------------

#define THIN_ROWS (ROWS / 2)
#define THIN_COLS 4

// conv2d for I a multiple of VEC. Weights come packed: THIN_COLS columns of panel j at w + j panel, in blocks of VEC of the
// reduction; after the last panel follow I zeros, which positions outside x read. Group g: tiles [g tiles, ..).
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_thin(const global float *x, const global float *w, const global float *b, const global float *l, global float *y,
                 int H, int W, int I, int O, int OH, int OW, int P, int kw, int pad_h, int pad_w, int dilation, int K,
                 int panel, int tiles, int act, float factor, int x_batch, int w_batch, int y_batch)
{
    int at[THIN_ROWS], h[THIN_ROWS], v[THIN_ROWS];
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch;
    y += (size_t)get_group_id(2) * y_batch;
    const global float *zeros = w + (size_t)((O + THIN_COLS - 1) / THIN_COLS) * panel;
    const int first = (int)get_group_id(0) * tiles, last = min(first + tiles, (P + THIN_ROWS - 1) / THIN_ROWS);
    for (int t = first; t < last; ++t) {
        locate(t * THIN_ROWS, P, THIN_ROWS, H, W, I, OH, OW, pad_h, pad_w, at, h, v);
        for (int o = 0; o < O; o += THIN_COLS) {
            const global float *wk = w + (size_t)(o / THIN_COLS) * panel;
            floatv acc[THIN_ROWS][THIN_COLS];
#pragma unroll
            for (int r = 0; r < THIN_ROWS; ++r)
#pragma unroll
                for (int c = 0; c < THIN_COLS; ++c) acc[r][c] = (floatv)(0.0f);
            int dh = 0, dw = 0;
            for (int k0 = 0; k0 < K; k0 += I) {
                const global float *row[THIN_ROWS];
#pragma unroll
                for (int r = 0; r < THIN_ROWS; ++r) {
                    const int inside = (uint)(h[r] + dh) < (uint)H && (uint)(v[r] + dw) < (uint)W;
                    row[r] = inside ? x + at[r] + (dh * W + dw) * I : zeros;
                }
                for (int k = 0; k < I; k += VEC, wk += THIN_COLS * VEC) {
                    floatv wc[THIN_COLS];
#pragma unroll
                    for (int c = 0; c < THIN_COLS; ++c) wc[c] = LOAD_GLOBAL(wk + c * VEC);
#pragma unroll
                    for (int r = 0; r < THIN_ROWS; ++r) {
                        const floatv xr = LOAD_GLOBAL(row[r] + k);
#pragma unroll
                        for (int c = 0; c < THIN_COLS; ++c) acc[r][c] = RHEO_FMA(xr, wc[c], acc[r][c]);
                    }
                }
                dw += dilation;
                if (dw == kw * dilation) {
                    dw = 0;
                    dh += dilation;
                }
            }
            floatv sum[THIN_ROWS * THIN_COLS];
#pragma unroll
            for (int r = 0; r < THIN_ROWS; ++r)
#pragma unroll
                for (int c = 0; c < THIN_COLS; ++c) sum[r * THIN_COLS + c] = acc[r][c];
            const int rows = min(THIN_ROWS, P - t * THIN_ROWS), cols = min(THIN_COLS, O - o);
            for (int c = 0; c < cols; ++c) {
                const float shift = act >= 0 ? b[o + c] : 0.0f, scale = act >= 0 ? exp(factor * l[o + c]) : 1.0f;
                for (int r = 0; r < rows; ++r) {
                    const float z = (sumv(sum[r * THIN_COLS + c]) + shift) * scale;
                    y[(size_t)(t * THIN_ROWS + r) * O + o + c] = act == 1 && z < 0.0f ? 0.0f : z;
                }
            }
        }
    }
}

// ---- 1x1 windows with few channels: all weights in private memory ----------------------------------------------------

#define SMALL_ROWS (ROWS / 2)
#define SMALL_MAX 32        // channels in and out at most

// conv2d for kh = kw = 1, no padding, I and O <= SMALL_MAX: w[i, o] at base + i s_in + o s_out. Group g: positions
// [g chunk, ..). Rows past the last position repeat it. A row's last vector may run into the next row, which is stored after it.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_small(const global float *x, const global float *w, const global float *b, const global float *l, global float *y,
                  int I, int O, int P, int base, int s_in, int s_out, int chunk, int act, float factor,
                  int x_batch, int w_batch, int y_batch)
{
    floatv weights_[SMALL_MAX * SMALL_MAX / VEC], shift_[SMALL_MAX / VEC], scale_[SMALL_MAX / VEC], part_[1];
    float *weights = (float *)weights_, *shift = (float *)shift_, *scale = (float *)scale_;
    x += (size_t)get_group_id(2) * x_batch;
    w += (size_t)get_group_id(2) * w_batch + base;
    y += (size_t)get_group_id(2) * y_batch;
    const int vectors = (O + VEC - 1) / VEC, first = (int)get_group_id(0) * chunk, last = min(first + chunk, P);
    clear_row(weights, I * vectors * VEC);
    for (int i = 0; i < I; ++i)
        for (int o = 0; o < O; ++o) weights[i * vectors * VEC + o] = w[i * s_in + o * s_out];
    clear_row(shift, vectors * VEC);
    clear_row(scale, vectors * VEC);
    if (act >= 0) {
        copy_row(shift, b, O);
        copy_row(scale, l, O);
    }
    for (int v = 0; v < vectors; ++v) scale_[v] = exp(factor * scale_[v]);
    for (int p = first; p < last; p += SMALL_ROWS) {
        for (int v = vectors - 1; v >= 0; --v) {
            floatv acc[SMALL_ROWS];
            const global float *row[SMALL_ROWS];
#pragma unroll
            for (int r = 0; r < SMALL_ROWS; ++r) {
                acc[r] = shift_[v];
                row[r] = x + (size_t)min(p + r, last - 1) * I;
            }
            for (int i = 0; i < I; ++i) {
                const floatv wi = weights_[i * vectors + v];
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) acc[r] = RHEO_FMA((floatv)(row[r][i]), wi, acc[r]);
            }
#pragma unroll
            for (int r = 0; r < SMALL_ROWS; ++r) {
                const floatv z = acc[r] * scale_[v], zero = (floatv)(0.0f);
                acc[r] = act == 1 ? select(z, zero, z < zero) : z;
            }
            if ((size_t)(p + SMALL_ROWS - 1) * O + v * VEC + VEC <= (size_t)last * O) {
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) STORE_GLOBAL(acc[r], y + (size_t)(p + r) * O + v * VEC);
            } else {
#pragma unroll
                for (int r = 0; r < SMALL_ROWS; ++r) {
                    part_[0] = acc[r];
                    store_row(y + (size_t)min(p + r, last - 1) * O + v * VEC, (float *)part_, min(O - v * VEC, VEC));
                }
            }
        }
    }
}
#endif
