// Coupling layers (flows 1.3). x, y [N, P, C]; h [N, P, 2 C2] holds t, r interleaved (affine) or [N, P, C2] (additive).
// The first C - C2 channels pass. A work-group handles a sample; on CPUs it is one work-item that works on whole vectors of
// (position, channel) pairs, a block at a time, and moves the strided channels from and to them.

#define COUPLING_BLOCK 256      // pairs a block, at most; a multiple of VEC
#if RHEO_CPU
#define LANES 1
#define LANE 0
#else
#define LANES 64
#define LANE ((int)get_local_id(0))
#endif

// s = sigmoid(u) and ln s = min(u, 0) - ln(1 + exp(-|u|)), u = r + 2.
#define COUPLING_SIGMOID(TYPE, u, s)                                      \
    const TYPE e_ = exp(-fabs(u)), d_ = 1.0f / (1.0f + e_);               \
    s = select(e_ * d_, d_, (u) >= 0.0f);
#define COUPLING_TERMS(TYPE, u, s, ls)                                    \
    COUPLING_SIGMOID(TYPE, u, s)                                          \
    ls = fmin(u, 0.0f) - log(1.0f + e_);

// What y was before: y / s - t.
#define COUPLING_UNDONE(y, t, u) (RHEO_FMA(y, exp(-(u)), y) - (t))

#if RHEO_CPU
// `rows` runs of `width` floats, sx and sy from one to the next.
#define COUPLING_MOVE(name, FROM, TO)                                                         \
    static void name(FROM const float *x, int sx, TO float *y, int sy, int rows, int width)   \
    {                                                                                         \
        for (; rows > 0; rows--, x += sx, y += sy) {                                          \
            int k = 0;                                                                        \
            for (; k + 4 <= width; k += 4) vstore4(vload4(0, x + k), 0, y + k);               \
            if (width & 2) vstore2(vload2(0, x + k), 0, y + k);                               \
            if (width & 1) y[width - 1] = x[width - 1];                                       \
        }                                                                                     \
    }
COUPLING_MOVE(coupling_take, __global, __private)
COUPLING_MOVE(coupling_put, __private, __global)
COUPLING_MOVE(coupling_copy, __global, __global)

// t and u of VEC pairs from h on, of which there are n > 0; beyond, u is so large that s is 1 and ln s 0.
static void coupling_load(__global const float *h, int n, floatv *t, floatv *u)
{
    float a[VEC], b[VEC];
#if VEC > 1
    if (n >= VEC) {
        const floatv lower = vloadv(0, h), upper = vloadv(1, h);
        t->lo = lower.even;
        t->hi = upper.even;
        u->lo = lower.odd + 2.0f;
        u->hi = upper.odd + 2.0f;
        return;
    }
#endif
    for (int k = 0; k < VEC; k++) {
        a[k] = k < n ? h[2 * k] : 0.0f;
        b[k] = k < n ? h[2 * k + 1] + 2.0f : 100.0f;
    }
    *t = vloadv(0, a);
    *u = vloadv(0, b);
}

// h = (t, r) of VEC pairs, of which there are n > 0.
static void coupling_store(floatv t, floatv r, __global float *h, int n)
{
#if VEC > 1
    if (n >= VEC) {
        floatv lower, upper;
        lower.even = t.lo;
        lower.odd = r.lo;
        upper.even = t.hi;
        upper.odd = r.hi;
        vstorev(lower, 0, h);
        vstorev(upper, 1, h);
        return;
    }
#endif
    float a[VEC], b[VEC];
    vstorev(t, 0, a);
    vstorev(r, 0, b);
    for (int k = 0; k < min(n, VEC); k++) {
        h[2 * k] = a[k];
        h[2 * k + 1] = b[k];
    }
}

// Blocks of at most COUPLING_BLOCK pairs: `rows` runs of `n` channels, several positions or part of one.
#define FOR_COUPLING_BLOCKS(p, k, rows, n)                                                             \
    for (int p = 0, rows, n; p < positions; p += rows)                                                 \
        for (int k = (rows = min(max(COUPLING_BLOCK / c2, 1), positions - p), 0);                      \
             n = min(c2 - k, COUPLING_BLOCK), k < c2; k += n)
#endif

// The channels that condition.
static void coupling_pass(__global const float *x, __global float *y, int positions, int c, int c2)
{
#if RHEO_CPU
    coupling_copy(x, c, y, c, positions, c - c2);
#else
    for (int p = LANE; p < positions; p += LANES)
        for (int k = 0; k < c - c2; k++) y[p * c + k] = x[p * c + k];
#endif
}

#if RHEO_CPU
__attribute__((reqd_work_group_size(1, 1, 1)))
#endif
__kernel void coupling(__global const float *x, __global const float *h, __global const float *before, __global float *y,
                       __global float *logdet, int positions, int c, int c2, int affine)
{
    const int n = get_group_id(0);
    const int pairs = positions * c2, c1 = c - c2;
    x += (size_t)n * positions * c;
    y += (size_t)n * positions * c;
    h += (size_t)n * pairs * (affine ? 2 : 1);
    coupling_pass(x, y, positions, c, c2);
    if (!affine) {
        for (int i = LANE; i < pairs; i += LANES) {
            const int e = i / c2 * c + c1 + i % c2;
            y[e] = x[e] + h[i];
        }
        return;
    }
#if RHEO_CPU
    float change[COUPLING_BLOCK], total = 0.0f;
    FOR_COUPLING_BLOCKS(p, k, rows, n) {
        const int at = p * c + c1 + k, pair = p * c2 + k;
        floatv part = 0.0f;
        coupling_take(x + at, c, change, n, rows, n);
        for (int i = 0; i < rows * n; i += VEC) {
            floatv t, u, s, ls;
            coupling_load(h + 2 * (pair + i), rows * n - i, &t, &u);
            COUPLING_TERMS(floatv, u, s, ls)
            vstorev((vloadv(0, change + i) + t) * s, 0, change + i);
            part += ls;
        }
        coupling_put(change, n, y + at, c, rows, n);
        total += sumv(part);
    }
    logdet[n] = before[n] + total;
#else
    __local float parts[LANES];
    float total = 0;
    for (int i = LANE; i < pairs; i += LANES) {
        const int e = i / c2 * c + c1 + i % c2;
        const float u = h[2 * i + 1] + 2.0f;
        float s, ls;
        COUPLING_TERMS(float, u, s, ls)
        y[e] = (x[e] + h[2 * i]) * s;
        total += ls;
    }
    parts[LANE] = total;
    for (int half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LANE < half_lanes) parts[LANE] += parts[LANE + half_lanes];
    }
    if (LANE == 0) logdet[n] = before[n] + parts[0];
#endif
}

#if RHEO_CPU
__attribute__((reqd_work_group_size(1, 1, 1)))
#endif
__kernel void coupling_inverse(__global const float *y, __global const float *h, __global float *x, int positions, int c, int c2, int affine)
{
    const int n = get_group_id(0);
    const int pairs = positions * c2, c1 = c - c2;
    y += (size_t)n * positions * c;
    x += (size_t)n * positions * c;
    h += (size_t)n * pairs * (affine ? 2 : 1);
    coupling_pass(y, x, positions, c, c2);
    if (!affine) {
        for (int i = LANE; i < pairs; i += LANES) {
            const int e = i / c2 * c + c1 + i % c2;
            x[e] = y[e] - h[i];
        }
        return;
    }
#if RHEO_CPU
    float change[COUPLING_BLOCK];
    FOR_COUPLING_BLOCKS(p, k, rows, n) {
        const int at = p * c + c1 + k, pair = p * c2 + k;
        coupling_take(y + at, c, change, n, rows, n);
        for (int i = 0; i < rows * n; i += VEC) {
            floatv t, u;
            coupling_load(h + 2 * (pair + i), rows * n - i, &t, &u);
            vstorev(COUPLING_UNDONE(vloadv(0, change + i), t, u), 0, change + i);
        }
        coupling_put(change, n, x + at, c, rows, n);
    }
#else
    for (int i = LANE; i < pairs; i += LANES) {
        const int e = i / c2 * c + c1 + i % c2;
        x[e] = COUPLING_UNDONE(y[e], h[2 * i], h[2 * i + 1] + 2.0f);
    }
#endif
}

// dx2 = dt = dy2 s, dr = (dy2 y2 + q)(1 - s); the passing channels' dx is dy.
#if RHEO_CPU
__attribute__((reqd_work_group_size(1, 1, 1)))
#endif
__kernel void coupling_backward(__global const float *y, __global const float *h, __global const float *dy, __global const float *q,
                                __global float *dx, __global float *dh, int positions, int c, int c2, int affine)
{
    const int n = get_group_id(0);
    const int pairs = positions * c2, c1 = c - c2;
    y += (size_t)n * positions * c;
    dy += (size_t)n * positions * c;
    dx += (size_t)n * positions * c;
    h += (size_t)n * pairs * (affine ? 2 : 1);
    dh += (size_t)n * pairs * (affine ? 2 : 1);
    coupling_pass(dy, dx, positions, c, c2);
    if (!affine) {
        for (int i = LANE; i < pairs; i += LANES) {
            const int e = i / c2 * c + c1 + i % c2;
            dx[e] = dy[e];
            dh[i] = dy[e];
        }
        return;
    }
    const float dlogdet = q[n];
#if RHEO_CPU
    float change[COUPLING_BLOCK], dchange[COUPLING_BLOCK];
    FOR_COUPLING_BLOCKS(p, k, rows, n) {
        const int at = p * c + c1 + k, pair = p * c2 + k;
        coupling_take(y + at, c, change, n, rows, n);
        coupling_take(dy + at, c, dchange, n, rows, n);
        for (int i = 0; i < rows * n; i += VEC) {
            const floatv yv = vloadv(0, change + i), dv = vloadv(0, dchange + i);
            floatv t, u, s;
            coupling_load(h + 2 * (pair + i), rows * n - i, &t, &u);
            COUPLING_SIGMOID(floatv, u, s)
            vstorev(dv * s, 0, dchange + i);
            coupling_store(dv * s, (dv * yv + dlogdet) * (1.0f - s), dh + 2 * (pair + i), rows * n - i);
        }
        coupling_put(dchange, n, dx + at, c, rows, n);
    }
#else
    for (int i = LANE; i < pairs; i += LANES) {
        const int e = i / c2 * c + c1 + i % c2;
        const float u = h[2 * i + 1] + 2.0f;
        float s;
        COUPLING_SIGMOID(float, u, s)
        dx[e] = dh[2 * i] = dy[e] * s;
        dh[2 * i + 1] = (dy[e] * y[e] + dlogdet) * (1.0f - s);
    }
#endif
}

#undef LANES
#undef LANE
