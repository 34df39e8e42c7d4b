// Random tensors: element e of sample n is lane e % 4 of the Philox block (e / 4, n0 + n, t, s), key = seed, t and n0 read from
// the device. An item is VEC consecutive blocks, numbered sample after sample.

#if VEC == 1
#define LANES 0
#elif VEC == 4
#define LANES (int4)(0, 1, 2, 3)
#elif VEC == 8
#define LANES (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANES (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif

enum { UNIFORM, UNIFORM16, NORMAL };        // as in host/op/random.c

#if VEC > 1
// a and b element by element in turn
void interleave(floatv a, floatv b, floatv *first, floatv *second)
{
    floatv x, y;
    x.even = a.lo, x.odd = b.lo;
    y.even = a.hi, y.odd = b.hi;
    *first = x, *second = y;
}
#endif

// VEC blocks to 4 VEC consecutive floats
void store_blocks(floatv z0, floatv z1, floatv z2, floatv z3, __global float *y)
{
#if VEC == 1
    y[0] = z0, y[1] = z1, y[2] = z2, y[3] = z3;
#else
    floatv a, b, c, d, r0, r1, r2, r3;
    interleave(z0, z2, &a, &b);
    interleave(z1, z3, &c, &d);
    interleave(a, c, &r0, &r1);
    interleave(b, d, &r2, &r3);
    vstorev(r0, 0, y);
    vstorev(r1, 1, y);
    vstorev(r2, 2, y);
    vstorev(r3, 3, y);
#endif
}

// y [samples, d]; key = seed low, seed high, t, n0
__kernel void random(__global const uint *key, __global float *y, int samples, int d, uint s, int kind)
{
    const int blocks = (d + 3) / 4, whole = d / 4, total = samples * blocks;
    const uint k0 = key[0], k1 = key[1], t = key[2], n0 = key[3];
    FOR_ITEMS(item, (total + VEC - 1) / VEC) {
        const int first = item * VEC, n = first / blocks, b = first - n * blocks;
        intv vn = (intv)(n), vb = (intv)(b) + LANES;
        if (b + VEC > blocks) {
            const intv i = (intv)(first) + LANES;
            vn = i / blocks;
            vb = i - vn * blocks;
        }
        const philox_words w = philox(as_uintv(vb), as_uintv(vn) + n0, (uintv)(t), (uintv)(s), k0, k1);
        floatv z0, z1, z2, z3;
        if (kind == NORMAL) {
            philox_normals(w.x0, w.x1, &z0, &z1);
            philox_normals(w.x2, w.x3, &z2, &z3);
        } else if (kind == UNIFORM) {
            z0 = philox_uniform(w.x0), z1 = philox_uniform(w.x1), z2 = philox_uniform(w.x2), z3 = philox_uniform(w.x3);
        } else {
            z0 = philox_uniform16(w.x0), z1 = philox_uniform16(w.x1), z2 = philox_uniform16(w.x2), z3 = philox_uniform16(w.x3);
        }
        if (b + VEC <= whole || (whole == blocks && first + VEC <= total)) {
            store_blocks(z0, z1, z2, z3, y + (n * d + 4 * b));
            continue;
        }
        float lane[4 * VEC];
        vstorev(z0, 0, lane);
        vstorev(z1, 1, lane);
        vstorev(z2, 2, lane);
        vstorev(z3, 3, lane);
        for (int j = 0; j < VEC && first + j < total; ++j) {
            const int m = (first + j) / blocks, e = 4 * (first + j - m * blocks);
            for (int k = 0; k < 4 && e + k < d; ++k) y[m * d + e + k] = lane[k * VEC + j];
        }
    }
}
