// One Langevin step (Welling and Teh 2011; score 0): out = x + eta s + noise z with z as random.cl makes it, or `known` where the
// mask is not 0. An item is VEC consecutive blocks of four elements, as there; out may be x.

// mask_step 0: one mask for all samples
__kernel void langevin(__global const float *x, __global const float *score, __global const float *eta, __global const float *noise,
                       __global const uint *key, __global const float *mask, __global const float *known, __global float *out,
                       int samples, int d, uint s, int masked, int mask_step)
{
    const int blocks = (d + 3) / 4, total = samples * blocks;
    const float along = eta[0], across = noise[0];
    FOR_ITEMS(item, (total + VEC - 1) / VEC) {
        const int first = item * VEC;
        int n, b;
        const philox_words w = item_words(key, first, blocks, s, &n, &b);
        floatv z0, z1, z2, z3, r[4];
        philox_normals(w.x0, w.x1, &z0, &z1);
        philox_normals(w.x2, w.x3, &z2, &z3);
        order_blocks(z0, z1, z2, z3, r);
        if (item_is_whole(first, b, d, total) && (!masked || b + VEC <= blocks)) {
            const int at = n * d + 4 * b;
            for (int i = 0; i < 4; ++i) {
                const floatv moved = RHEO_FMA((floatv)(across), r[i], RHEO_FMA((floatv)(along), vloadv(i, score + at), vloadv(i, x + at)));
                if (masked) vstorev(select(moved, vloadv(i, known + at), vloadv(i, mask + n * mask_step + 4 * b) != 0.0f), i, out + at);
                else vstorev(moved, i, out + at);
            }
            continue;
        }
        float z[4 * VEC];
        for (int i = 0; i < 4; ++i) vstorev(r[i], i, z);
        for (int j = 0; j < VEC && first + j < total; ++j) {
            const int m = (first + j) / blocks, e = 4 * (first + j - m * blocks);
            for (int k = 0; k < 4 && e + k < d; ++k) {
                const int at = m * d + e + k;
                const float moved = RHEO_FMA(across, z[4 * j + k], RHEO_FMA(along, score[at], x[at]));
                out[at] = masked && mask[m * mask_step + e + k] != 0.0f ? known[at] : moved;
            }
        }
    }
}
