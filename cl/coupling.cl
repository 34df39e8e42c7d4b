// Coupling layers (flows 1.3). x, y [N, P, C]; h [N, P, 2 C2] holds t, r interleaved (affine) or [N, P, C2] (additive).
// The first C - C2 channels pass. A work-group handles a sample; on CPUs it is one work-item that evaluates the
// transcendental part in vectors over a block of (position, channel) pairs, then touches the strided channels.

#define COUPLING_BLOCK 256      // pairs a block; a multiple of VEC
#if RHEO_CPU
#define LANES 1
#define LANE 0
#else
#define LANES 64
#define LANE ((int)get_local_id(0))
#endif

// s = sigmoid(u) and ln s = min(u, 0) - ln(1 + exp(-|u|)), u = r + 2.
#define COUPLING_TERMS(TYPE, u, s, ls)                                    \
    {                                                                     \
        const TYPE e_ = exp(-fabs(u));                                    \
        const TYPE d_ = 1.0f / (1.0f + e_);                               \
        s = select(e_ * d_, d_, (u) >= 0.0f);                             \
        ls = fmin(u, 0.0f) - log(1.0f + e_);                              \
    }

#if RHEO_CPU
// s[i], ls[i] for `count` pairs from h on; the last vector may hold fewer.
static void coupling_block(__global const float *h, int count, float *s, float *ls)
{
    for (int i = 0; i < count; i += VEC) {
        float r[VEC];
        for (int k = 0; k < VEC; k++) r[k] = i + k < count ? h[2 * (i + k) + 1] + 2.0f : 0.0f;
        const floatv u = vloadv(0, r);
        floatv sv, lsv;
        COUPLING_TERMS(floatv, u, sv, lsv)
        vstorev(sv, 0, s + i);
        vstorev(lsv, 0, ls + i);
    }
}
#endif

// Passes the channels that condition, in order with the others so that a row is touched once.
static void coupling_pass(__global const float *x, __global float *y, int p, int c, int c2)
{
    for (int k = 0; k < c - c2; k++) y[p * c + k] = x[p * c + k];
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
    for (int p = LANE; p < positions; p += LANES) coupling_pass(x, y, p, c, c2);
    if (!affine) {
        for (int i = LANE; i < pairs; i += LANES) {
            const int e = i / c2 * c + c1 + i % c2;
            y[e] = x[e] + h[i];
        }
        return;
    }
#if RHEO_CPU
    float s[COUPLING_BLOCK], ls[COUPLING_BLOCK];
    float total = 0;
    for (int first = 0; first < pairs; first += COUPLING_BLOCK) {
        const int count = min(COUPLING_BLOCK, pairs - first);
        coupling_block(h + 2 * first, count, s, ls);
        float part = 0;
        for (int i = 0; i < count; i++) {
            const int e = (first + i) / c2 * c + c1 + (first + i) % c2;
            y[e] = (x[e] + h[2 * (first + i)]) * s[i];
            part += ls[i];
        }
        total += part;
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
    for (int p = LANE; p < positions; p += LANES) coupling_pass(y, x, p, c, c2);
    if (!affine) {
        for (int i = LANE; i < pairs; i += LANES) {
            const int e = i / c2 * c + c1 + i % c2;
            x[e] = y[e] - h[i];
        }
        return;
    }
#if RHEO_CPU
    float s[COUPLING_BLOCK], ls[COUPLING_BLOCK];
    for (int first = 0; first < pairs; first += COUPLING_BLOCK) {
        const int count = min(COUPLING_BLOCK, pairs - first);
        coupling_block(h + 2 * first, count, s, ls);
        for (int i = 0; i < count; i++) {
            const int e = (first + i) / c2 * c + c1 + (first + i) % c2;
            x[e] = y[e] / s[i] - h[2 * (first + i)];
        }
    }
#else
    for (int i = LANE; i < pairs; i += LANES) {
        const int e = i / c2 * c + c1 + i % c2;
        const float u = h[2 * i + 1] + 2.0f;
        float s, ls;
        COUPLING_TERMS(float, u, s, ls)
        x[e] = y[e] / s - h[2 * i];
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
    for (int p = LANE; p < positions; p += LANES) coupling_pass(dy, dx, p, c, c2);
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
    float s[COUPLING_BLOCK], ls[COUPLING_BLOCK];
    for (int first = 0; first < pairs; first += COUPLING_BLOCK) {
        const int count = min(COUPLING_BLOCK, pairs - first);
        coupling_block(h + 2 * first, count, s, ls);
        for (int i = 0; i < count; i++) {
            const int e = (first + i) / c2 * c + c1 + (first + i) % c2;
            dx[e] = dh[2 * (first + i)] = dy[e] * s[i];
            dh[2 * (first + i) + 1] = (dy[e] * y[e] + dlogdet) * (1.0f - s[i]);
        }
    }
#else
    for (int i = LANE; i < pairs; i += LANES) {
        const int e = i / c2 * c + c1 + i % c2;
        const float u = h[2 * i + 1] + 2.0f;
        float s, ls;
        COUPLING_TERMS(float, u, s, ls)
        dx[e] = dh[2 * i] = dy[e] * s;
        dh[2 * i + 1] = (dy[e] * y[e] + dlogdet) * (1.0f - s);
    }
#endif
}

#undef LANES
#undef LANE
