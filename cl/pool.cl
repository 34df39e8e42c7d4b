// Pooling over [N, H, W, C]. An item is a row of one image at VEC channels: it walks the columns, so that a 5 x 5 window costs
// five loads a column, from a cache, and memory is read once.

#define FOR_ROWS(samples, height, c)                                                                                             \
    FOR_ITEMS(item, (samples) * (height) * LANES_OF(c))

// mean_pool2: y = mean of 2 x 2, stride 2. height and width are y's.
__kernel void mean_pool2(__global const float *x, __global float *y, int samples, int height, int width, int c)
{
    FOR_ROWS(samples, height, c) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k, down = 2 * width * c;
        const __global float *from = x + 2 * row * down + k;
        __global float *to = y + row * width * c + k;
        for (int w = 0; w < width; w++, from += 2 * c, to += c) {
            const floatv left = lanes_load(from, n) + lanes_load(from + down, n);
            const floatv right = lanes_load(from + c, n) + lanes_load(from + down + c, n);
            lanes_store((left + right) * 0.25f, to, n);
        }
    }
}

// Its transpose: every position takes a quarter of its block's. height and width are dx's.
__kernel void mean_pool2_transpose(__global const float *dy, __global float *dx, int samples, int height, int width, int c)
{
    FOR_ROWS(samples, height, c) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k;
        const __global float *from = dy + row / 2 * (width / 2) * c + k;
        __global float *to = dx + row * width * c + k;
        for (int w = 0; w < width; w += 2, from += c, to += 2 * c) {
            const floatv quarter = lanes_load(from, n) * 0.25f;
            lanes_store(quarter, to, n);
            lanes_store(quarter, to + c, n);
        }
    }
}

// ---- 5 x 5, stride 1, padding 2 ---------------------------------------------------------------------------------------

// Rows h - 2 .. h + 2 that exist
#define FIRST_ROW(h) max((h) - 2, 0)
#define ROWS_AT(h, height) (min((h) + 3, height) - FIRST_ROW(h))

static floatv column_sum(const __global float *x, int rows, int step, int n)
{
    floatv sum = lanes_load(x, n);
    for (int i = 1; i < rows; i++) sum += lanes_load(x + i * step, n);
    return sum;
}

// A fifth of a fifth of what exists of the window; its own transpose.
__kernel void avg_pool5(__global const float *x, __global float *y, int samples, int height, int width, int c)
{
    FOR_ROWS(samples, height, c) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k, h = row % height, step = width * c;
        const int rows = ROWS_AT(h, height);
        const __global float *from = x + (row - h + FIRST_ROW(h)) * step + k;
        __global float *to = y + row * step + k;
        floatv s0 = 0.0f, s1 = 0.0f, s2 = column_sum(from, rows, step, n), s3 = 0.0f;
        if (width > 1) s3 = column_sum(from + c, rows, step, n);
        for (int w = 0; w < width; w++) {
            floatv s4 = 0.0f;
            if (w + 2 < width) s4 = column_sum(from + (w + 2) * c, rows, step, n);
            lanes_store((((s0 + s1) + s2) + (s3 + s4)) * 0.04f, to + w * c, n);
            s0 = s1, s1 = s2, s2 = s3, s3 = s4;
        }
    }
}

// The largest of a column and 5 times its row in the window; of equal ones the first. A NaN is larger than all.
typedef struct largest { floatv x; intv code; } largest;
#define NO_CODE 125

static largest larger(largest a, floatv x, intv code)
{
    const intv take = (x > a.x) | isnan(x) | ((x == a.x) & (code < a.code));
    const largest b = { select(a.x, x, take), select(a.code, code, take) };
    return b;
}

static largest column_largest(const __global float *x, int w, int width, int rows, int first, int step, int c, int n)
{
    largest a = { (floatv)(-INFINITY), (intv)(NO_CODE) };
    for (int i = 0; i < rows && w < width; i++) a = larger(a, lanes_load(x + i * step + w * c, n), (intv)(5 * (first + i)));
    return a;
}

// y and where in the window it was found: code 5 i + j, i, j = 0 .. 4.
__kernel void max_pool5(__global const float *x, __global float *y, __global float *code, int samples, int height, int width, int c)
{
    FOR_ROWS(samples, height, c) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k, h = row % height, step = width * c;
        const int rows = ROWS_AT(h, height), first = FIRST_ROW(h) - h + 2;
        const __global float *from = x + (row - h + FIRST_ROW(h)) * step + k;
        largest m[5];
        m[0].x = m[1].x = -INFINITY, m[0].code = m[1].code = NO_CODE;
        m[2] = column_largest(from, 0, width, rows, first, step, c, n);
        m[3] = column_largest(from, 1, width, rows, first, step, c, n);
        for (int w = 0; w < width; w++) {
            m[4] = column_largest(from, w + 2, width, rows, first, step, c, n);
            largest a = m[0];
            for (int j = 1; j < 5; j++) a = larger(a, m[j].x, m[j].code + j);
            lanes_store(a.x, y + row * step + w * c + k, n);
            lanes_store(as_floatv(a.code), code + row * step + w * c + k, n);
            for (int j = 0; j < 4; j++) m[j] = m[j + 1];
        }
    }
}

// dx[p] = sum of dy[o] over the windows o that found their largest at p, row by row of them
__kernel void max_pool5_scatter(__global const float *dy, __global const float *code, __global float *dx, int samples, int height,
                                int width, int c)
{
    FOR_ROWS(samples, height, c) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k, h = row % height, step = width * c;
        for (int w = 0; w < width; w++) {
            floatv sum = 0.0f;
            for (int i = max(-2, -h); i <= min(2, height - 1 - h); i++)
                for (int j = max(-2, -w); j <= min(2, width - 1 - w); j++) {
                    const int at = (row + i) * step + (w + j) * c + k;
                    const intv found = as_intv(lanes_load(code + at, n)) == (intv)(5 * (2 - i) + 2 - j);
                    sum += select((floatv)(0.0f), lanes_load(dy + at, n), found);
                }
            lanes_store(sum, dx + row * step + w * c + k, n);
        }
    }
}

// y[o] = x where window o found its largest, 0 where that is outside: the transpose of the above
__kernel void max_pool5_pick(__global const float *x, __global const int *code, __global float *y, int samples, int height, int width, int c)
{
    FOR_ITEMS(e, samples * height * width * c) {
        const int p = e / c, row = p / width, w = p - row * width, h = row % height;
        const int i = code[e] / 5 - 2, j = code[e] % 5 - 2;
        const int inside = h + i >= 0 && h + i < height && w + j >= 0 && w + j < width;
        y[e] = inside ? x[e + (i * width + j) * c] : 0.0f;
    }
}
