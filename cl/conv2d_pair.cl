// A convolution and a product of its output, which stays in the cache; with the means of conv2d_columns.cl, which comes before it.

#if RHEO_CPU
// to[r STRIDE + c] = finish(sum over k < n of a[r, k] w[k, c]) for a whole tile
NOINLINE static void product_near(float *to, const float *a, const float *w, int n, const float *shift, const float *scale, int act)
{
    const stream none = { 0, 0, 0, 0, 0 };
    stream nothing[STREAMS] = { none, none, none };
    floatv acc[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) acc[r][0] = acc[r][1] = (floatv)(0.0f);
    multiply_two(acc, a, w, n, nothing);
    const floatv shift0 = LOAD(shift), shift1 = LOAD(shift + VEC), scale0 = LOAD(scale), scale1 = LOAD(scale + VEC);
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        STORE(finish(acc[r][0], shift0, scale0, act), to + r * STRIDE);
        STORE(finish(acc[r][1], shift1, scale1, act), to + r * STRIDE + VEC);
    }
}

// y = act2((h w2 + b2) exp(factor2 l2)), h = act((patch w + b) exp(factor l)) of O channels, y of O2; w and w2 dense. Group g: a share of the
// tiles of ROWS positions. O and K <= DEPTH; the weights, each with its columns up to whole tiles, together <= WEIGHTS.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void conv2d_pair(const global float *x, const global float *w, const global float *b, const global float *l, const global float *w2,
                 const global float *b2, const global float *l2, global float *y, int H, int W, int I, int O, int OH, int OW, int P, int kw,
                 int pad_h, int pad_w, int dilation, int K, int x_c, int O2, int act, float factor, int act2, float factor2)
{
    floatv weights_[WEIGHTS / VEC], patch_[SPAN_ROWS * STRIDE / VEC], hidden_[SPAN_ROWS * STRIDE / VEC];
    floatv shift_[DEPTH / VEC], scale_[DEPTH / VEC], shift2_[COLUMNS_MAX / VEC], scale2_[COLUMNS_MAX / VEC];
    float *weights = (float *)weights_, *patch = (float *)patch_, *hidden = (float *)hidden_, *shift = (float *)shift_, *scale = (float *)scale_;
    float *shift2 = (float *)shift2_, *scale2 = (float *)scale2_, *weights2 = weights + K * ((O + COLS - 1) / COLS * COLS);
    int at[SPAN_ROWS], h[SPAN_ROWS], v[SPAN_ROWS];
    const int tiles = (P + ROWS - 1) / ROWS;
    const int first = (int)(get_group_id(0) * (size_t)tiles / get_num_groups(0)) * ROWS;
    const int last = min((int)((get_group_id(0) + 1) * (size_t)tiles / get_num_groups(0)) * ROWS, P);
    pack_rows(weights, w, I * O, O, I, 0, K, O);
    pack_rows(weights2, w2, O * O2, O2, O, 0, O, O2);
    take_act(shift, scale, b, l, act, factor, O);
    take_act(shift2, scale2, b2, l2, act2, factor2, O2);
    for (int q = first; q < last; q += SPAN_ROWS) {
        const int positions = min(SPAN_ROWS, last - q), up = (positions + ROWS - 1) / ROWS * ROWS;
        locate(q, last, up, H, W, x_c, OH, OW, pad_h, pad_w, at, h, v);
        gather(patch, STRIDE, up, x, x + P / (OH * OW) * H * W * x_c, at, h, v, H, W, x_c, I, kw, dilation, 0, K);
        for (int c = 0; c < O; c += COLS)
            for (int p = 0; p < positions; p += ROWS)
                product_near(hidden + p * STRIDE + c, patch + p * STRIDE, weights + c * K, K, shift + c, scale + c, act);
        for (int c = 0; c < O2; c += COLS)
            for (int p = 0; p < positions; p += ROWS) {
                global float *to = y + (size_t)(q + p) * O2 + c;
                stream soon[STREAMS] = { stream_of(to, 0, 0, 0, 1), stream_of(to, 0, 0, 0, 1), stream_of(to, O2, COLS, ROWS, 1) };
                if (WITHIN) fetch_before(&soon[2], O / 4);
                product(to, 0, O2, hidden + p * STRIDE, weights2 + c * O, O, min(ROWS, positions - p), min(COLS, O2 - c), shift2 + c, scale2 + c,
                        act2, soon);
            }
    }
}
#endif
