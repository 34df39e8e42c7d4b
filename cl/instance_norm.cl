// InstanceNorm++ (Song and Ermon 2019, appendix A; score 3.2), its plain and printed forms, with an ELU behind it.
//
//   h = (x - mean_k) r_k, r_k = 1 / sqrt(var_k + eps) over the positions of a sample, c_k = (mean_k - m) / v over its channels
//   y = act(gamma (h + alpha c) + beta)  or  act(gamma h + alpha c + beta)  or  act(gamma h + beta)
//
// x, y [N, P, C]; row gamma | alpha | beta (plain: gamma | beta), one a sample or one for all (row_step 0); statistics [N, 2C] =
// mean | r. grid: a work-group a sample. A CPU's work-item takes VEC channels at a time down all positions; elsewhere a power of two
// of work-items stands as rows of `wide` channels, and sums of rows meet in local memory. Variances are of differences.

enum { NORM_REFERENCE, NORM_PAPER, NORM_PLAIN };        // as in host/op/ops.h
#define NORM_EPSILON 1e-5f

#if RHEO_CPU
#define NORM_SHAPE __attribute__((reqd_work_group_size(1, 1, 1)))
#define NORM_LANE 0
#define NORM_LANES 1
#define norm_wide(c) VEC
#define norm_total(mine, wide, shared) (mine)
#define NORM_LOCAL(name) __local float *name = 0;
#else
#define NORM_SHAPE __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define NORM_LANE ((int)get_local_id(0))
#define NORM_LANES GROUP
#define NORM_LOCAL(name) __local float name[GROUP];

static int norm_wide(int c)
{
    int wide = 1;
    while (wide < c && wide < GROUP) wide *= 2;
    return wide;
}

// The sum over work-items with the same place in a row, known to all. A barrier on both sides.
static float norm_total(float mine, int wide, __local float *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[NORM_LANE] = mine;
    for (int half_size = GROUP / 2; half_size >= wide; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (NORM_LANE < half_size) shared[NORM_LANE] += shared[NORM_LANE + half_size];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return shared[NORM_LANE % wide];
}
#endif

// total = sum of term(p) over this work-item's positions, p = first, first + rows, ..: four running sums, so that additions overlap
#define NORM_SUM(total, first, positions, rows, term)                                      \
    {                                                                                      \
        floatv s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;                                 \
        int p = first;                                                                     \
        for (; p + 3 * rows < positions; p += 4 * rows) {                                  \
            s0 += term(p);                                                                 \
            s1 += term(p + rows);                                                          \
            s2 += term(p + 2 * rows);                                                      \
            s3 += term(p + 3 * rows);                                                      \
        }                                                                                  \
        for (; p < positions; p += rows) s0 += term(p);                                    \
        total = (s0 + s1) + (s2 + s3);                                                     \
    }

static floatv norm_square(floatv d) { return d * d; }

// m and 1/v over the channels' means. All work-items come here, after a fence on `mean`.
static float2 norm_channels(__global const float *mean, int c, __local float *shared)
{
    float sum = 0.0f, squares = 0.0f;
    for (int k = NORM_LANE; k < c; k += NORM_LANES) sum += mean[k];
    const float m = norm_total(sum, 1, shared) / c;
    for (int k = NORM_LANE; k < c; k += NORM_LANES) squares += (mean[k] - m) * (mean[k] - m);
    return (float2)(m, 1.0f / sqrt(norm_total(squares, 1, shared) / (c - 1) + NORM_EPSILON));
}

// What the channels k.. need: u = (x - mean) a + b before the activation
typedef struct norm_row { floatv mean, r, gamma, alpha, c, a, b; } norm_row;

static norm_row norm_row_of(__global const float *row, __global const float *mean, int k, int n, int c, int form, float2 channels)
{
    norm_row q;
    q.mean = lanes_load(mean + k, n);
    q.r = lanes_load(mean + c + k, n);
    q.gamma = lanes_load(row + k, n);
    q.alpha = 0.0f;
    if (form != NORM_PLAIN) q.alpha = lanes_load(row + c + k, n);
    q.c = (q.mean - channels.x) * channels.y;
    q.a = q.gamma * q.r;
    q.b = lanes_load(row + (form == NORM_PLAIN ? c : 2 * c) + k, n) + (form == NORM_REFERENCE ? q.gamma * q.alpha : q.alpha) * q.c;
    return q;
}

NORM_SHAPE
__kernel void instance_norm(__global const float *x, __global const float *row, __global float *y, __global float *statistics,
                            int positions, int c, int row_step, int form, int act)
{
    NORM_LOCAL(shared)
    const int wide = norm_wide(c), place = NORM_LANE % wide, first = NORM_LANE / wide, rows = RHEO_CPU ? 1 : NORM_LANES / wide;
    const size_t sample = get_group_id(0);
    __global float *mean = statistics + sample * 2 * c;
    float2 channels = (float2)(0.0f, 0.0f);
    x += sample * positions * c;
    y += sample * positions * c;
    row += sample * row_step;
    for (int start = 0; start < c; start += wide) {
        const int k = start + place, n = c - k, end = n > 0 ? positions : 0;
        floatv sum, squares;
#define TERM(p) lanes_load(x + (p) * c + k, n)
        NORM_SUM(sum, first, end, rows, TERM)
#undef TERM
        const floatv m = norm_total(sum, wide, shared) / positions;
#define TERM(p) norm_square(lanes_load(x + (p) * c + k, n) - m)
        NORM_SUM(squares, first, end, rows, TERM)
#undef TERM
        const floatv r = 1.0f / sqrt(norm_total(squares, wide, shared) / positions + NORM_EPSILON);
        if (first == 0) {
            lanes_store(m, mean + k, n);
            lanes_store(r, mean + c + k, n);
        }
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (form != NORM_PLAIN) channels = norm_channels(mean, c, shared);
    for (int start = 0; start < c; start += wide) {
        const int k = start + place, n = c - k, end = n > 0 ? positions : 0;
        const norm_row q = norm_row_of(row, mean, k, n, c, form, channels);
        if (act)
            for (int p = first; p < end; p += rows)
                lanes_store(elu((lanes_load(x + p * c + k, n) - q.mean) * q.a + q.b), y + p * c + k, n);
        else
            for (int p = first; p < end; p += rows) lanes_store((lanes_load(x + p * c + k, n) - q.mean) * q.a + q.b, y + p * c + k, n);
    }
}

// From dy, x and what the forward pass kept: g = dy act'(u) and its sums over positions give the row's gradient; then
//   dx = gamma r (g - mean g - h mean(g h)) + dmean / P,   dmean = (dc - mean dc - c sum(dc c) / (C - 1)) / v.
// dx holds g in between; work [N, 2C] = sum(g h) | dc.
NORM_SHAPE
__kernel void instance_norm_backward(__global const float *dy, __global const float *x, __global const float *statistics,
                                     __global const float *row, __global float *dx, __global float *drow, __global float *work,
                                     int positions, int c, int row_step, int form, int act)
{
    NORM_LOCAL(shared)
    const int wide = norm_wide(c), place = NORM_LANE % wide, first = NORM_LANE / wide, rows = RHEO_CPU ? 1 : NORM_LANES / wide;
    const size_t sample = get_group_id(0);
    const int beta = form == NORM_PLAIN ? c : 2 * c;
    __global const float *mean = statistics + sample * 2 * c;
    __global float *sum_gh = work + sample * 2 * c, *dc = sum_gh + c;
    float2 channels = (float2)(0.0f, 0.0f);
    float mean_dc = 0.0f, slope = 0.0f;
    dy += sample * positions * c;
    x += sample * positions * c;
    dx += sample * positions * c;
    row += sample * row_step;
    drow += sample * (beta + c);
    if (form != NORM_PLAIN) channels = norm_channels(mean, c, shared);
    for (int start = 0; start < c; start += wide) {
        const int k = start + place, n = c - k, end = n > 0 ? positions : 0;
        const norm_row q = norm_row_of(row, mean, k, n, c, form, channels);
        floatv sum0 = 0.0f, sum1 = 0.0f, sum_h0 = 0.0f, sum_h1 = 0.0f;
        int p = first;
        for (; p + rows < end; p += 2 * rows) {
            const floatv d0 = lanes_load(x + p * c + k, n) - q.mean, d1 = lanes_load(x + (p + rows) * c + k, n) - q.mean;
            floatv g0 = lanes_load(dy + p * c + k, n), g1 = lanes_load(dy + (p + rows) * c + k, n);
            if (act) {
                g0 *= elu_slope(d0 * q.a + q.b);
                g1 *= elu_slope(d1 * q.a + q.b);
            }
            lanes_store(g0, dx + p * c + k, n);
            lanes_store(g1, dx + (p + rows) * c + k, n);
            sum0 += g0;
            sum1 += g1;
            sum_h0 += g0 * d0;
            sum_h1 += g1 * d1;
        }
        if (p < end) {
            const floatv d = lanes_load(x + p * c + k, n) - q.mean;
            floatv g = lanes_load(dy + p * c + k, n);
            if (act) g *= elu_slope(d * q.a + q.b);
            lanes_store(g, dx + p * c + k, n);
            sum0 += g;
            sum_h0 += g * d;
        }
        const floatv sum = norm_total(sum0 + sum1, wide, shared), sum_h = norm_total(sum_h0 + sum_h1, wide, shared) * q.r;
        if (first == 0) {
            lanes_store(form == NORM_REFERENCE ? sum_h + q.alpha * q.c * sum : sum_h, drow + k, n);
            lanes_store(sum, drow + beta + k, n);
            lanes_store(sum_h, sum_gh + k, n);
        }
        if (first == 0 && form != NORM_PLAIN) {
            const floatv outer = form == NORM_REFERENCE ? q.gamma * sum : sum;
            lanes_store(outer * q.c, drow + c + k, n);
            lanes_store(outer * q.alpha, dc + k, n);
        }
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (form != NORM_PLAIN) {
        float sum = 0.0f, sum_c = 0.0f;
        for (int k = NORM_LANE; k < c; k += NORM_LANES) {
            sum += dc[k];
            sum_c += dc[k] * ((mean[k] - channels.x) * channels.y);
        }
        mean_dc = norm_total(sum, 1, shared) / c;
        slope = norm_total(sum_c, 1, shared) / (c - 1);
    }
    for (int start = 0; start < c; start += wide) {
        const int k = start + place, n = c - k, end = n > 0 ? positions : 0;
        const norm_row q = norm_row_of(row, mean, k, n, c, form, channels);
        const float each = 1.0f / positions;
        const floatv along = q.a * q.r * lanes_load(sum_gh + k, n) * -each;
        floatv level = q.a * lanes_load(drow + beta + k, n) * -each;
        if (form != NORM_PLAIN) level += (lanes_load(dc + k, n) - mean_dc - q.c * slope) * (channels.y * each);
        for (int p = first; p < end; p += rows)
            lanes_store(q.a * lanes_load(dx + p * c + k, n) + ((lanes_load(x + p * c + k, n) - q.mean) * along + level), dx + p * c + k, n);
    }
}
