// Index maps: elements of four bytes move, whatever they are, so buffers are uint.
//
// copy: out[out_at + sum_k i_k o_k] = in[in_at + sum_k i_k s_k], 0 <= i_k < d_k, k = 0 (outermost) to 5.
// slice, pad, concat, transpose, squeeze, diagonals and pack are this with strides of the host's making; it puts loops
// that fill 0-2 and those that fill 3-5 where a CPU's work-item should find its place once and then only step.

// n elements, one step apart on both sides or not.
void copy_run(__global const uint *x, int sx, __global uint *y, int sy, int n)
{
    int i = 0;
    if (sx == 1 && sy == 1) {
        for (; i + VEC <= n; i += VEC) vstorev(vloadv(0, x + i), 0, y + i);
        for (; i < n; ++i) y[i] = x[i];
    } else {
        for (; i < n; ++i) y[i * sy] = x[i * sx];
    }
}

// `count` runs of n elements, ux and uy from one run to the next; short ones in vectors of four and two.
void copy_runs(__global const uint *x, int ux, int sx, __global uint *y, int uy, int sy, int count, int n)
{
    if (sx != 1 || sy != 1 || n >= VEC || n < 2 || n % 2 != 0) {
        for (; count > 0; --count, x += ux, y += uy) copy_run(x, sx, y, sy, n);
    } else if (n == 2) {
        for (; count > 0; --count, x += ux, y += uy) vstore2(vload2(0, x), 0, y);
    } else {
        for (; count > 0; --count, x += ux, y += uy) {
            for (int i = 0; i < n / 4; ++i) vstore4(vload4(i, x), i, y);
            if (n % 4 != 0) vstore2(vload2(n / 2 - 1, x), n / 2 - 1, y);
        }
    }
}

#if RHEO_CPU
// grid: items of loops 0-2 along dimension 0; the innermost loop in pieces along dimension 1
__kernel void copy(__global const uint *in, __global uint *out, int in_at, int out_at, int d0, int d1, int d2, int d3, int d4,
                   int d5, int s0, int s1, int s2, int s3, int s4, int s5, int o0, int o1, int o2, int o3, int o4, int o5)
{
    const int piece = (d5 + (int)get_global_size(1) - 1) / (int)get_global_size(1);
    const int first = (int)get_global_id(1) * piece, n = min(piece, d5 - first);
    const int items = d0 * d1 * d2, share = (items + (int)get_global_size(0) - 1) / (int)get_global_size(0);
    const int end = min(((int)get_global_id(0) + 1) * share, items);
    for (int i = (int)get_global_id(0) * share, count; i < end; i += count) {
        const int r = i / d2, i2 = i - r * d2, i0 = r / d1, i1 = r - i0 * d1;
        __global const uint *x = in + (in_at + i0 * s0 + i1 * s1 + i2 * s2 + first * s5);
        __global uint *y = out + (out_at + i0 * o0 + i1 * o1 + i2 * o2 + first * o5);
        count = min(d2 - i2, end - i);
        if (d3 * d4 == 1) {
            copy_runs(x, s2, s5, y, o2, o5, count, n);
            continue;
        }
        for (int k = 0; k < count; ++k, x += s2, y += o2)
            for (int i3 = 0; i3 < d3; ++i3)
                for (int i4 = 0; i4 < d4; ++i4) copy_run(x + (i3 * s3 + i4 * s4), s5, y + (i3 * o3 + i4 * o4), o5, n);
    }
}
#else
// grid: one item an element
__kernel void copy(__global const uint *in, __global uint *out, int in_at, int out_at, int d0, int d1, int d2, int d3, int d4,
                   int d5, int s0, int s1, int s2, int s3, int s4, int s5, int o0, int o1, int o2, int o3, int o4, int o5)
{
    FOR_ITEMS(i, d0 * d1 * d2 * d3 * d4 * d5) {
        int q = i, r = q / d5;
        const int i5 = q - r * d5;
        q = r, r = q / d4;
        const int i4 = q - r * d4;
        q = r, r = q / d3;
        const int i3 = q - r * d3;
        q = r, r = q / d2;
        const int i2 = q - r * d2, i0 = r / d1, i1 = r - i0 * d1;
        out[out_at + i0 * o0 + i1 * o1 + i2 * o2 + i3 * o3 + i4 * o4 + i5 * o5] =
            in[in_at + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3 + i4 * s4 + i5 * s5];
    }
}
#endif

// out[at .. at + n) = 0
__kernel void zero(__global uint *out, int at, int n)
{
#if RHEO_CPU
    FOR_ITEMS(v, (n + VEC - 1) / VEC) {
        if (v * VEC + VEC <= n) vstorev((uintv)(0), v, out + at);
        else
            for (int i = v * VEC; i < n; ++i) out[at + i] = 0;
    }
#else
    FOR_ITEMS(i, n) out[at + i] = 0;
#endif
}

// out[gap[2 k] .. gap[2 k] + gap[2 k + 1]) = 0
__kernel void zero_gaps(__global uint *out, __global const uint *gap, int n)
{
    FOR_ITEMS(k, n)
        for (uint i = 0; i < gap[2 * k + 1]; ++i) out[gap[2 * k] + i] = 0;
}

// Batches of m x m: keeps column > row (which > 0) or column < row (which < 0)
__kernel void triangle(__global const float *x, __global float *y, int n, int m, int which)
{
    FOR_ITEMS(i, n) {
        const int r = i / m, column = i - r * m, row = r % m;
        y[i] = (column - row) * which > 0 ? x[i] : 0.0f;
    }
}

// out[o, k, i] = in[o, index[k], i]: in [outer, size, inner], out [outer, count, inner]. An index too large reads the last.
__kernel void gather(__global const uint *in, __global const uint *index, __global uint *out, int outer, int size, int count, int inner)
{
#if RHEO_CPU
    if (inner == 1) {
        FOR_ITEMS(o, outer)
            for (int k = 0; k < count; ++k) out[o * count + k] = in[o * size + (int)min(index[k], (uint)(size - 1))];
        return;
    }
    FOR_ITEMS(r, outer * count) {
        const int o = r / count, k = r - o * count, j = (int)min(index[k], (uint)(size - 1));
        copy_run(in + (o * size + j) * inner, 1, out + r * inner, 1, inner);
    }
#else
    FOR_ITEMS(e, outer * count * inner) {
        const int r = e / inner, i = e - r * inner, o = r / count, k = r - o * count, j = (int)min(index[k], (uint)(size - 1));
        out[e] = in[(o * size + j) * inner + i];
    }
#endif
}

// dx[o, j, i] = sum over k with index[k] = j, in the order of k, of dy[o, k, i]
__kernel void scatter_add(__global const float *dy, __global const uint *index, __global float *dx, int outer, int size, int count,
                          int inner)
{
#if RHEO_CPU
    if (inner == 1) {
        FOR_ITEMS(o, outer) {
            __global float *y = dx + o * size;
            for (int j = 0; j < size; ++j) y[j] = 0.0f;
            for (int k = 0; k < count; ++k) y[min(index[k], (uint)(size - 1))] += dy[o * count + k];
        }
        return;
    }
    FOR_ITEMS(r, outer * size) {
        const int o = r / size;
        const uint j = (uint)(r - o * size);
        __global float *y = dx + r * inner;
        for (int i = 0; i < inner; ++i) y[i] = 0.0f;
        for (int k = 0; k < count; ++k) {
            if (min(index[k], (uint)(size - 1)) != j) continue;
            __global const float *x = dy + (o * count + k) * inner;
            for (int i = 0; i < inner; ++i) y[i] += x[i];
        }
    }
#else
    FOR_ITEMS(e, outer * size * inner) {
        const int r = e / inner, i = e - r * inner, o = r / size;
        const uint j = (uint)(r - o * size);
        float sum = 0.0f;
        for (int k = 0; k < count; ++k)
            if (min(index[k], (uint)(size - 1)) == j) sum += dy[(o * count + k) * inner + i];
        dx[e] = sum;
    }
#endif
}
