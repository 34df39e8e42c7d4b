// Bilinear resizing with aligned corners: output p reads input p (in - 1) / (out - 1), as integers a quotient and a rest, so that
// weights are rounded once. A weight of input h in output p is max(0, 1 - |p (in - 1) / (out - 1) - h|). An item is an output row at
// VEC channels.

// out - 1, or 1: a single output reads input 0.
#define RESIZE_SCALE(out) max((out) - 1, 1)

__kernel void resize(__global const float *x, __global float *y, int samples, int height, int width, int to_height, int to_width, int c)
{
    const int tall = RESIZE_SCALE(to_height), broad = RESIZE_SCALE(to_width);
    FOR_ITEMS(item, samples * to_height * LANES_OF(c)) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k;
        const int sample = row / to_height, at_h = (row - sample * to_height) * (height - 1), h = at_h / tall;
        const int down = h + 1 < height ? width * c : 0;
        const float fh = (float)(at_h - h * tall) / tall;
        const __global float *from = x + (sample * height + h) * width * c + k;
        for (int q = 0; q < to_width; q++) {
            const int at_w = q * (width - 1), w = at_w / broad, right = w + 1 < width ? c : 0;
            const float fw = (float)(at_w - w * broad) / broad;
            const __global float *corner = from + w * c;
            const floatv a = lanes_load(corner, n), b = lanes_load(corner + right, n);
            const floatv d = lanes_load(corner + down, n), e = lanes_load(corner + down + right, n);
            const floatv upper = a + fw * (b - a), lower = d + fw * (e - d);
            lanes_store(upper + fh * (lower - upper), y + (row * to_width + q) * c + k, n);
        }
    }
}

// Outputs first .. last may read input h.
static int2 readers(int h, int in, int out)
{
    const int scale = RESIZE_SCALE(out);
    if (in == 1) return (int2)(0, out - 1);
    return (int2)(h > 0 ? (h - 1) * scale / (in - 1) + 1 : 0, min(out - 1, ((h + 1) * scale - 1) / (in - 1)));
}

static float weight_of(int p, int h, int in, int out)
{
    const int scale = RESIZE_SCALE(out), off = abs(p * (in - 1) - h * scale);
    return (float)max(scale - off, 0) / scale;
}

// height and width are dx's, the smaller or larger image; dy is [samples, to_height, to_width, c].
__kernel void resize_transpose(__global const float *dy, __global float *dx, int samples, int height, int width, int to_height, int to_width,
                               int c)
{
    FOR_ITEMS(item, samples * height * LANES_OF(c)) {
        const int row = item / LANES_OF(c), k = (item - row * LANES_OF(c)) * VEC, n = c - k, sample = row / height, h = row - sample * height;
        const int2 tall = readers(h, height, to_height);
        for (int w = 0; w < width; w++) {
            const int2 broad = readers(w, width, to_width);
            floatv sum = 0.0f;
            for (int p = tall.x; p <= tall.y; p++) {
                const __global float *from = dy + (sample * to_height + p) * to_width * c + k;
                const float weight = weight_of(p, h, height, to_height);
                for (int q = broad.x; q <= broad.y; q++) sum += (weight * weight_of(q, w, width, to_width)) * lanes_load(from + q * c, n);
            }
            lanes_store(sum, dx + (row * width + w) * c + k, n);
        }
    }
}
