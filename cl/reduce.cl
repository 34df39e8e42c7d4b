// Reductions over [outer, length, inner], cut in blocks that follow from the shape (host/op/reduce.c), and softmax. Each result
// is summed in a fixed order: a tree over lanes and accumulators, so that rounding grows with the logarithm of most of the
// length. Needs pointwise.cl's load_upto and store_upto.

// Maxima let NaN through.
static floatv pair(int is_max, floatv a, floatv b) { return is_max ? select(b, a, a > b || isnan(a)) : a + b; }
static float pair1(int is_max, float a, float b) { return is_max ? (a > b || isnan(a) ? a : b) : a + b; }

static float fold(int is_max, floatv x)
{
#if VEC == 1
    return x;
#else
    float t[VEC];
    vstorev(x, 0, t);
    for (int h = VEC / 2; h > 0; h /= 2)
        for (int k = 0; k < h; ++k) t[k] = pair1(is_max, t[k], t[k + h]);
    return t[0];
#endif
}

// What one lane of `lanes` gets of n contiguous elements, in four accumulators to hide the additions' latency.
static float reduce_run(const __global float *x, int n, int lane, int lanes, const int is_max)
{
    const float none = is_max ? -INFINITY : 0.0f;
    const int step = lanes * VEC;
    if (n < VEC) {
        float s = none;
        for (int k = 0; k < n; ++k) s = pair1(is_max, s, x[k]);
        return s;
    }
    floatv s0 = none, s1 = none, s2 = none, s3 = none;
    int i = lane * VEC;
    for (; i + 3 * step + VEC <= n; i += 4 * step) {
        s0 = pair(is_max, s0, vloadv(0, x + i));
        s1 = pair(is_max, s1, vloadv(0, x + i + step));
        s2 = pair(is_max, s2, vloadv(0, x + i + 2 * step));
        s3 = pair(is_max, s3, vloadv(0, x + i + 3 * step));
    }
    for (; i < n; i += step) s0 = pair(is_max, s0, load_upto(x + i, n - i, none));
    return fold(is_max, pair(is_max, pair(is_max, s0, s1), pair(is_max, s2, s3)));
}

#define ROW_GROUP 64        // as in host/op/reduce.c

// y[item] = reduction of one block of one row; item = row * splits + block. SIMT: ROW_GROUP work-items a group, `lanes` of them
// (all or one) share an item.
__kernel void reduce_rows(const __global float *x, int x_at, __global float *y, int y_at, int items, int length, int block, int splits,
                          int lanes, int is_max)
{
    x += x_at;
    y += y_at;
#if RHEO_CPU
    FOR_ITEMS(i, items) {
        const int row = i / splits, from = (i - row * splits) * block;
        const int n = min(block, length - from);
        y[i] = is_max ? reduce_run(x + row * length + from, n, 0, 1, 1) : reduce_run(x + row * length + from, n, 0, 1, 0);
    }
#else
    __local float part[ROW_GROUP];
    const int id = (int)get_local_id(0), i = (int)(get_global_id(0) / (size_t)lanes);
    float s = 0.0f;
    if (i < items) {
        const int row = i / splits, from = (i - row * splits) * block;
        s = reduce_run(x + row * length + from, min(block, length - from), lanes == 1 ? 0 : id, lanes, is_max);
    }
    if (lanes > 1) {
        part[id] = s;
        for (int h = ROW_GROUP / 2; h > 0; h /= 2) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (id < h) part[id] = pair1(is_max, part[id], part[id + h]);
        }
        s = part[id];
    }
    if (i < items && (lanes == 1 || id == 0)) y[i] = s;
#endif
}

#define COLUMN_VECTORS (RHEO_CPU ? 8 : 1)       // as in host/op/reduce.c

// y[0, n) = reduction over the rows of one block, n at most COLUMN_VECTORS vectors: runs of 32 rows, then over the runs.
static void reduce_block(const __global float *x, int rows, int inner, int n, __global float *y, const int is_max)
{
    const floatv none = is_max ? -INFINITY : 0.0f;
    for (int c = 0; c < n; c += VEC) {
        floatv total = none;
        for (int r = 0; r < rows; r += 32) {
            floatv run = none;
            const int end = min(r + 32, rows);
            for (int k = r; k < end; ++k) run = pair(is_max, run, load_upto(x + k * inner + c, n - c, 0.0f));
            total = pair(is_max, total, run);
        }
        store_upto(total, y + c, n - c);
    }
}

// The same for all COLUMN_VECTORS whole vectors at once, which uses what a row brings into the cache.
static void reduce_wide_block(const __global float *x, int rows, int inner, __global float *y, const int is_max)
{
    const floatv none = is_max ? -INFINITY : 0.0f;
    floatv total[COLUMN_VECTORS];
    for (int v = 0; v < COLUMN_VECTORS; ++v) total[v] = none;
    for (int r = 0; r < rows; r += 32) {
        floatv run[COLUMN_VECTORS];
        for (int v = 0; v < COLUMN_VECTORS; ++v) run[v] = none;
        const int end = min(r + 32, rows);
        for (int k = r; k < end; ++k)
            for (int v = 0; v < COLUMN_VECTORS; ++v) run[v] = pair(is_max, run[v], vloadv(v, x + k * inner));
        for (int v = 0; v < COLUMN_VECTORS; ++v) total[v] = pair(is_max, total[v], run[v]);
    }
    for (int v = 0; v < COLUMN_VECTORS; ++v) vstorev(total[v], v, y);
}

static void reduce_columns_of(const __global float *x, int rows, int inner, int n, __global float *y, const int is_max)
{
    const int width = COLUMN_VECTORS * VEC;
    if (COLUMN_VECTORS > 1 && n >= width) reduce_wide_block(x, rows, inner, y, is_max);
    else reduce_block(x, rows, inner, min(n, width), y, is_max);
}

__kernel void reduce_columns(const __global float *x, int x_at, __global float *y, int y_at, int outer, int length, int inner, int block,
                             int splits, int is_max)
{
    const int width = COLUMN_VECTORS * VEC, columns = (inner + width - 1) / width;
    x += x_at;
    y += y_at;
    FOR_ITEMS(i, outer * splits * columns) {
        const int j = i / columns, c = (i - j * columns) * width, o = j / splits, from = (j - o * splits) * block;
        const int rows = min(block, length - from), n = inner - c;
        const __global float *p = x + (o * length + from) * inner + c;
        if (is_max) reduce_columns_of(p, rows, inner, n, y + j * inner + c, 1);
        else reduce_columns_of(p, rows, inner, n, y + j * inner + c, 0);
    }
}

// y[b, c] = sum of (x[r, c] + shift[c])^2 over rows r of block b: runs of 32 rows, then over the runs. An item is a vector of a block.
__kernel void square_sums(const __global float *x, const __global float *shift, __global float *y, int rows, int c, int block)
{
    const int vectors = (c + VEC - 1) / VEC;
    FOR_ITEMS(i, (rows + block - 1) / block * vectors) {
        const int b = i / vectors, at = (i - b * vectors) * VEC, last = min((b + 1) * block, rows);
        const floatv by = load_upto(shift + at, c - at, 0.0f);
        floatv total = 0.0f;
        for (int r = b * block; r < last; r += 32) {
            floatv run = 0.0f;
            for (int k = r; k < min(r + 32, last); ++k) {
                const floatv v = load_upto(x + k * c + at, c - at, 0.0f) + by;
                run = RHEO_FMA(v, v, run);
            }
            total += run;
        }
        store_upto(total, y + b * c + at, c - at);
    }
}

// mask = 1 at the first element that equals its maximum m over `axes` (bit 0: n ... bit 3: c), else 0. An item is an element of m.
__kernel void max_mask(const __global float *x, const __global float *m, __global float *mask, int items, int n, int h, int w, int c,
                       int axes)
{
    const int sc = axes & 8 ? 1 : c, sw = axes & 4 ? 1 : w, sh = axes & 2 ? 1 : h;
    FOR_ITEMS(i, items) {
        const float top = m[i];
        const int jw = i / sc, jh = jw / sw, kn = jh / sh;
        const int kc = i - jw * sc, kw = jw - jh * sw, kh = jh - kn * sh;
        int open = 1;
        for (int in = axes & 1 ? 0 : kn; in < (axes & 1 ? n : kn + 1); ++in)
            for (int ih = axes & 2 ? 0 : kh; ih < (axes & 2 ? h : kh + 1); ++ih)
                for (int iw = axes & 4 ? 0 : kw; iw < (axes & 4 ? w : kw + 1); ++iw)
                    for (int ic = axes & 8 ? 0 : kc; ic < (axes & 8 ? c : kc + 1); ++ic) {
                        const int at = ((in * h + ih) * w + iw) * c + ic;
                        const int here = open && x[at] == top;
                        mask[at] = here ? 1.0f : 0.0f;
                        if (here) open = 0;
                    }
    }
}

// Over the last dimension, maximum subtracted; log_sum: y[row] = log sum exp(x), else y = exp(x) / sum exp(x).
__kernel void softmax(const __global float *x, __global float *y, int rows, int length, int log_sum)
{
    FOR_ITEMS(i, rows) {
        const __global float *p = x + i * length;
        floatv v = -INFINITY, sum = 0.0f;
        for (int k = 0; k < length; k += VEC) v = pair(1, v, load_upto(p + k, length - k, -INFINITY));
        const float top = fold(1, v);
        const float m = isinf(top) ? 0.0f : top;
        for (int k = 0; k < length; k += VEC) sum += exp(load_upto(p + k, length - k, -INFINITY) - m);
        const float total = fold(0, sum);
        if (log_sum) {
            y[i] = m + log(total);
            continue;
        }
        const float scale = 1.0f / total;
        for (int k = 0; k < length; k += VEC)
            store_upto(exp(load_upto(p + k, length - k, 0.0f) - m) * scale, y + i * length + k, length - k);
    }
}
