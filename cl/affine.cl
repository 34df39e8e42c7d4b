// Actnorm undone, and its gradient from the output (flows 1.1): y = act((x + b) exp(f l)), one b and l per channel, f a factor.

// x = y exp(-f l) - b      grid: rows
__kernel void affine_inverse(__global const float *y, __global const float *b, __global const float *l, __global float *x, int rows, int c,
                             float f)
{
    FOR_ITEMS(r, rows) {
        const size_t row = (size_t)r * c;
        int k = 0;
#if VEC > 1
        for (; k + VEC <= c; k += VEC)
            vstorev(vloadv(0, y + row + k) * exp(-f * vloadv(0, l + k)) - vloadv(0, b + k), 0, x + row + k);
#endif
        for (; k < c; k++) x[row + k] = y[row + k] * exp(-f * l[k]) - b[k];
    }
}

// e = dy where y > 0 (relu) or everywhere, dx = e exp(f l); sums of dx and e y over a block of rows go to
// sums [blocks, 2, C].     grid: channels (CPU: one work-item walks all), row blocks
#if RHEO_CPU
__attribute__((reqd_work_group_size(1, 1, 1)))
#endif
__kernel void affine_act_backward(__global const float *dy, __global const float *y, __global const float *l, __global float *dx,
                                  __global float *sums, int rows, int c, int block_rows, int relu, float f)
{
    const int block = get_global_id(1), first = block * block_rows, end = min(first + block_rows, rows);
    __global float *db = sums + (size_t)block * 2 * c, *da = db + c;
    int k = get_global_id(0);
#if VEC > 1
    for (; k + VEC <= c; k += VEC) {
        const floatv scale = exp(f * vloadv(0, l + k)), floor_y = relu ? (floatv)(0.0f) : (floatv)(-INFINITY);
        floatv sum_b = 0.0f, sum_a = 0.0f;
        for (int r = first; r < end; r++) {
            const floatv yv = vloadv(0, y + (size_t)r * c + k);
            const floatv e = select((floatv)(0.0f), vloadv(0, dy + (size_t)r * c + k), yv > floor_y);
            const floatv d = e * scale;
            vstorev(d, 0, dx + (size_t)r * c + k);
            sum_b += d;
            sum_a = RHEO_FMA(e, yv, sum_a);
        }
        vstorev(sum_b, 0, db + k);
        vstorev(sum_a, 0, da + k);
    }
#endif
    for (; k < c; k += get_global_size(0)) {
        const float scale = exp(f * l[k]);
        float sum_b = 0.0f, sum_a = 0.0f;
        for (int r = first; r < end; r++) {
            const float yv = y[(size_t)r * c + k], e = !relu || yv > 0.0f ? dy[(size_t)r * c + k] : 0.0f, d = e * scale;
            dx[(size_t)r * c + k] = d;
            sum_b += d;
            sum_a = RHEO_FMA(e, yv, sum_a);
        }
        db[k] = sum_b;
        da[k] = sum_a;
    }
}

// db and dl from the blocks' sums, in their order; dl takes area * sum(dlogdet) over `batch` samples with it.
__kernel void affine_act_backward_sums(__global const float *sums, __global const float *dlogdet, __global float *db, __global float *dl,
                                       int blocks, int c, int batch, float area, float f)
{
    float total = 0.0f;
    for (int n = 0; n < batch; n++) total += dlogdet[n];
    FOR_ITEMS(k, c) {
        float sum_b = 0.0f, sum_a = 0.0f;
        for (int i = 0; i < blocks; i++) {
            sum_b += sums[(size_t)i * 2 * c + k];
            sum_a += sums[(size_t)i * 2 * c + c + k];
        }
        db[k] = sum_b;
        dl[k] = f * (sum_a + area * total);
    }
}
