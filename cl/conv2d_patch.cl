// What rows of a product read of x, gathered in private memory for conv2d_columns.cl; with the means of conv2d.cl, which comes before it.

#if RHEO_CPU
// to[r stride + j] = patch[r, k0 + j] for j < n, where a position of x has C channels of which the first I take part. Taps side
// by side read side by side unless dilated or parts of a position: one run a window row. Short runs are copied by fours as long as x
// goes on up to `end`; what is too much of them lies where the next run will.
NOINLINE static void gather_runs(float *to, int stride, int rows, const global float *x, const global float *end, const int *at, const int *h,
                                 const int *w, int H, int W, int C, int I, int kw, int dilation, int k0, int n)
{
    const int taps = dilation == 1 && C == I ? kw : 1, run = taps * I;
    for (int k = 0; k < n;) {
        const int part = (k0 + k) / run, c = k0 + k - part * run, len = min(run - c, n - k), tap = part * taps;
        const int dh = tap / kw * dilation, dw = tap % kw * dilation, shift = (dh * W + dw) * C + c;
        for (int r = 0; r < rows; ++r) {
            float *row = to + r * stride + k;
            const global float *from = x + at[r] + shift;
            const int left = (w[r] + dw) * C + c, first = max(-left, 0), last = min(W * C - left, len);
            if ((uint)(h[r] + dh) >= (uint)H || first >= last) {
                if (len >= VEC) clear_row(row, len);
                else for (int j = 0; j < len; j += 4) STORE4((float4)(0.0f), row + j);
            } else if (last - first == len && len < VEC && from + len + 3 < end) {
                for (int j = 0; j < len; j += 4) STORE4(LOAD_GLOBAL4(from + j), row + j);
            } else {
                if (first > 0) clear_row(row, first);
                copy_row(row + first, from + first, last - first);
                if (last < len) clear_row(row + last, len - last);
            }
        }
        k += len;
    }
}

// The same where a tap has at most four of x's channels, and x four or more: taps outside read x's beginning and are cleared.
NOINLINE static void gather_few(float *to, int stride, int rows, const global float *x, const int *at, const int *h, const int *w, int H, int W,
                                int C, int I, int kw, int dilation, int tap, int taps)
{
    for (int t = tap; t < tap + taps; ++t, to += I) {
        const int dh = t / kw * dilation, dw = t % kw * dilation, shift = (dh * W + dw) * C;
        for (int r = 0; r < rows; ++r) {
            const int inside = (uint)(h[r] + dh) < (uint)H & (uint)(w[r] + dw) < (uint)W;
            const int4 own = (int4)(-inside);
            STORE4(as_float4(as_int4(LOAD_GLOBAL4(x + (inside ? at[r] + shift : 0))) & own), to + r * stride);
        }
    }
}

// By the one or the other.
static void gather(float *to, int stride, int rows, const global float *x, const global float *end, const int *at, const int *h, const int *w,
                   int H, int W, int C, int I, int kw, int dilation, int k0, int n)
{
    if (I <= 4 && I < C && C >= 4 && k0 % I == 0)
        gather_few(to, stride, rows, x, at, h, w, H, W, C, I, kw, dilation, k0 / I, (n + I - 1) / I);
    else gather_runs(to, stride, rows, x, end, at, h, w, H, W, C, I, kw, dilation, k0, n);
}
#endif
