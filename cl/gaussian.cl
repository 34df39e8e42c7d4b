// out[n] = sum over the d0 d1 d2 elements of sample n of  -r - (z - m)^2 exp(-2 r) / 2,  plus a constant given as high + low.
// m and r step by their own strides (0 where broadcast). z is contiguous.
// grid: one work-group a sample; on a CPU one work-item, elsewhere a power of two.

#if RHEO_CPU
floatv gaussian_load(__global const float *p, int at, int stride, int n)
{
    if (stride == 0) return (floatv)(p[at]);
    return n == VEC ? vloadv(0, p + at) : load_some(p + at, n);
}
#endif

floatv gaussian_term(floatv z, floatv m, floatv r)
{
    const floatv e = (z - m) * exp(-r);
    return -r - 0.5f * e * e;
}

__kernel void gaussian_logp(__global const float *z, __global const float *m, __global const float *r, __global float *out, int d0,
                            int d1, int d2, int mn, int m0, int m1, int m2, int rn, int r0, int r1, int r2, float high, float low,
                            __local float2 *shared)
{
    const int n = (int)get_group_id(0);
    sum total = sum_zero();
    z += n * d0 * d1 * d2;
#if RHEO_CPU
    for (int i = 0; i < d0; ++i)
        for (int j = 0; j < d1; ++j) {
            __global const float *run = z + (i * d1 + j) * d2;
            const int m_at = n * mn + i * m0 + j * m1, r_at = n * rn + i * r0 + j * r1;
            for (int k = 0; k < d2; k += VEC) {
                const int some = min(VEC, d2 - k);
                floatv t = gaussian_term(gaussian_load(run, k, 1, some), gaussian_load(m, m_at + k * m2, m2, some),
                                         gaussian_load(r, r_at + k * r2, r2, some));
                if (some < VEC) {
                    float lane[VEC];
                    vstorev(t, 0, lane);
                    for (int e = some; e < VEC; ++e) lane[e] = 0.0f;
                    t = vloadv(0, lane);
                }
                sum_add(&total, t);
            }
        }
#else
    for (int e = (int)get_local_id(0); e < d0 * d1 * d2; e += (int)get_local_size(0)) {
        const int q = e / d2, k = e - q * d2, i = q / d1, j = q - i * d1;
        sum_add(&total, gaussian_term(z[e], m[n * mn + i * m0 + j * m1 + k * m2], r[n * rn + i * r0 + j * r1 + k * r2]));
    }
#endif
    const float2 pair = sum_group(sum_lanes(total), shared);
    if (get_local_id(0) == 0) {
        const float2 whole = pair_add(pair, (float2)(high, low));
        out[n] = whole.x + whole.y;
    }
}
