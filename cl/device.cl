// The rate of multiply-adds, to tell fast devices from slow ones: twelve independent chains of vectors a work-item, which outlast a latency
// of four cycles at two a cycle and leave sixteen registers room for what they are multiplied with. Grid: any.
kernel void fma_rate(global float *out, int rounds)
{
    const float seed = (float)get_global_id(0) * 1e-9f;
    const floatv a = (floatv)(0.999f), b = (floatv)(1e-3f + seed);
    floatv x[12];
#pragma unroll
    for (int k = 0; k < 12; ++k) x[k] = (floatv)(seed + k);
    for (int r = 0; r < rounds; ++r) {
#pragma unroll
        for (int k = 0; k < 12; ++k) x[k] = RHEO_FMA(x[k], a, b);
    }
    floatv sum = x[0];
#pragma unroll
    for (int k = 1; k < 12; ++k) sum += x[k];
    out[get_global_id(0)] = sumv(sum);
}
