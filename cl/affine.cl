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

// e = dy where y > 0 (relu) or everywhere, dx = e exp(f l), db = sum dx, dl = f (sum e y + area sum dlogdet), the last over
// `batch` samples. One block of rows gives db and dl at once; several leave sums of dx and e y in `sums` [blocks, 2, C], which
// affine_act_backward_sums adds up in their order. Rows here are `columns` wide: C; on CPUs, several rows of few channels.
#define ACT_BACKWARD_ARGS                                                                                                          \
    __global const float *dy, __global const float *y, __global const float *l, __global const float *dlogdet, __global float *dx, \
        __global float *sums, __global float *db, __global float *dl, int count, int c, int columns, int span, int block_rows,     \
        int relu, int batch, float area, float f

static float sum_of(__global const float *x, int n)
{
    float total = 0.0f;
    for (int i = 0; i < n; i++) total += x[i];
    return total;
}

#if RHEO_CPU
#define SPAN 512        // columns of a strip, at most

// s += t; c has what rounding lost (Kahan 1965).
static void add_compensated(floatv *s, floatv *c, floatv t)
{
    const floatv u = t - *c, v = *s + u;
    *c = (v - *s) - u;
    *s = v;
}

// grid: strips of `span` columns, row blocks. Row after row, as memory likes best. The last vector may overlap the one before.
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void affine_act_backward(ACT_BACKWARD_ARGS)
{
    floatv scale[SPAN / VEC], b[SPAN / VEC], a[SPAN / VEC], lost_b[SPAN / VEC], lost_a[SPAN / VEC];
    const int left = get_global_id(0) * span, vectors = (min(span, columns - left) + VEC - 1) / VEC;
    const int block = get_global_id(1), blocks = get_global_size(1);
    const int rows = count / columns, first = block * block_rows, end = min(first + block_rows, rows);
    const intv all = relu ? 0 : -1;
    for (int v = 0; v < vectors; v++) {
        const int at = min(left + v * VEC, columns - VEC);
        float t[VEC];
        for (int i = 0; i < VEC; i++) t[i] = l[(at + i) % c];
        scale[v] = exp(f * vloadv(0, t));
        b[v] = a[v] = lost_b[v] = lost_a[v] = 0.0f;
    }
    for (int r = first; r < end; r++)
        for (int v = 0; v < vectors; v++) {
            const size_t at = (size_t)r * columns + min(left + v * VEC, columns - VEC);
            const floatv yv = vloadv(0, y + at), e = select((floatv)(0.0f), vloadv(0, dy + at), (yv > 0.0f) | all), d = e * scale[v];
            vstorev(d, 0, dx + at);
            add_compensated(&b[v], &lost_b[v], d);
            add_compensated(&a[v], &lost_a[v], e * yv);
        }

    const float total = blocks > 1 ? 0.0f : area * sum_of(dlogdet, batch), factor = blocks > 1 ? 1.0f : f;
    if (blocks > 1) {
        db = sums + (size_t)block * 2 * c;
        dl = db + c;
    }
    if (columns == c) {
        for (int v = 0; v < vectors; v++) {
            const int at = min(left + v * VEC, columns - VEC);
            vstorev(b[v], 0, db + at);
            vstorev(factor * (a[v] + total), 0, dl + at);
        }
        return;
    }
    // Few channels: columns k, k + C, .. are channel k's; the last block takes the rows that fill no wide one.
    float tb[SPAN], ta[SPAN];
    for (int v = 0; v < vectors; v++) {
        vstorev(b[v], v, tb);
        vstorev(a[v], v, ta);
    }
    for (int k = 0; k < c; k++) {
        const float scale_k = exp(f * l[k]);
        float sum_b = 0.0f, sum_a = 0.0f;
        for (int i = k; i < columns; i += c) {
            sum_b += tb[i];
            sum_a += ta[i];
        }
        for (int i = block == blocks - 1 ? rows * columns + k : count; i < count; i += c) {
            const float d = (!relu || y[i] > 0.0f ? dy[i] : 0.0f);
            dx[i] = d * scale_k;
            sum_b += dx[i];
            sum_a = RHEO_FMA(d, y[i], sum_a);
        }
        db[k] = sum_b;
        dl[k] = factor * (sum_a + total);
    }
}
#else
// grid: channels, row blocks
__kernel void affine_act_backward(ACT_BACKWARD_ARGS)
{
    const int k = get_global_id(0), block = get_global_id(1), blocks = get_global_size(1);
    const int first = block * block_rows, end = min(first + block_rows, count / c);
    if (k >= c) return;
    const float scale = exp(f * l[k]);
    float sum_b = 0.0f, sum_a = 0.0f;
    for (int r = first; r < end; r++) {
        const float yv = y[(size_t)r * c + k], e = !relu || yv > 0.0f ? dy[(size_t)r * c + k] : 0.0f, d = e * scale;
        dx[(size_t)r * c + k] = d;
        sum_b += d;
        sum_a = RHEO_FMA(e, yv, sum_a);
    }
    if (blocks > 1) {
        sums[(size_t)block * 2 * c + k] = sum_b;
        sums[(size_t)block * 2 * c + c + k] = sum_a;
    } else {
        db[k] = sum_b;
        dl[k] = f * (sum_a + area * sum_of(dlogdet, batch));
    }
}
#endif

__kernel void affine_act_backward_sums(__global const float *sums, __global const float *dlogdet, __global float *db, __global float *dl,
                                       int blocks, int c, int batch, float area, float f)
{
    const float total = area * sum_of(dlogdet, batch);
    FOR_ITEMS(k, c) {
        float sum_b = 0.0f, sum_a = 0.0f;
        for (int i = 0; i < blocks; i++) {
            sum_b += sums[(size_t)i * 2 * c + k];
            sum_a += sums[(size_t)i * 2 * c + c + k];
        }
        db[k] = sum_b;
        dl[k] = f * (sum_a + total);
    }
}
