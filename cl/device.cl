// The rate of multiply-adds, to tell fast devices from slow ones: eight independent chains of vectors a work-item.
// Grid: any.
kernel void fma_rate(global float *out, int rounds)
{
    const float seed = (float)get_global_id(0) * 1e-9f;
    const floatv a = (floatv)(0.999f), b = (floatv)(1e-3f + seed);
    floatv x0 = (floatv)(seed), x1 = x0 + 1, x2 = x0 + 2, x3 = x0 + 3, x4 = x0 + 4, x5 = x0 + 5, x6 = x0 + 6, x7 = x0 + 7;
    for (int r = 0; r < rounds; ++r) {
        x0 = RHEO_FMA(x0, a, b);
        x1 = RHEO_FMA(x1, a, b);
        x2 = RHEO_FMA(x2, a, b);
        x3 = RHEO_FMA(x3, a, b);
        x4 = RHEO_FMA(x4, a, b);
        x5 = RHEO_FMA(x5, a, b);
        x6 = RHEO_FMA(x6, a, b);
        x7 = RHEO_FMA(x7, a, b);
    }
    out[get_global_id(0)] = sumv(((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7)));
}
