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

enum { UNIFORM, UNIFORM16, NORMAL, RADEMACHER, INDEX };       // as in host/op/random.c

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

// r[0..3]: the 4 VEC numbers of VEC blocks in the order of their elements; z0..z3 hold their lanes.
void order_blocks(floatv z0, floatv z1, floatv z2, floatv z3, floatv *r)
{
#if VEC == 1
    r[0] = z0, r[1] = z1, r[2] = z2, r[3] = z3;
#else
    floatv a, b, c, d;
    interleave(z0, z2, &a, &b);
    interleave(z1, z3, &c, &d);
    interleave(a, c, &r[0], &r[1]);
    interleave(b, d, &r[2], &r[3]);
#endif
}

// The words of blocks first .. first + VEC - 1 of all samples' blocks; *n and *b: sample of the first and block in it.
philox_words item_words(__global const uint *key, int first, int blocks, uint s, int *n, int *b)
{
    *n = first / blocks, *b = first - *n * blocks;
    intv vn = (intv)(*n), vb = (intv)(*b) + LANES;
    if (*b + VEC > blocks) {
        const intv i = (intv)(first) + LANES;
        vn = i / blocks;
        vb = i - vn * blocks;
    }
    return philox(as_uintv(vb), as_uintv(vn) + key[3], (uintv)(key[2]), (uintv)(s), key[0], key[1]);
}

// Whether those blocks' numbers are 4 VEC consecutive elements of [samples, d]
int item_is_whole(int first, int b, int d, int total) { return b + VEC <= d / 4 || (d % 4 == 0 && first + VEC <= total); }

floatv rademacher(uintv x) { return 1.0f - convert_floatv(2u - (x >> 31 << 1)); }

// y [samples, d]; key = seed low, seed high, t, n0. INDEX: integers below `below`.
__kernel void random(__global const uint *key, __global float *y, int samples, int d, uint s, int kind, uint below)
{
    const int blocks = (d + 3) / 4, total = samples * blocks;
    FOR_ITEMS(item, (total + VEC - 1) / VEC) {
        const int first = item * VEC;
        int n, b;
        const philox_words w = item_words(key, first, blocks, s, &n, &b);
        floatv z0, z1, z2, z3;
        switch (kind) {
        case NORMAL:
            philox_normals(w.x0, w.x1, &z0, &z1);
            philox_normals(w.x2, w.x3, &z2, &z3);
            break;
        case UNIFORM:
            z0 = philox_uniform(w.x0), z1 = philox_uniform(w.x1), z2 = philox_uniform(w.x2), z3 = philox_uniform(w.x3);
            break;
        case UNIFORM16:
            z0 = philox_uniform16(w.x0), z1 = philox_uniform16(w.x1), z2 = philox_uniform16(w.x2), z3 = philox_uniform16(w.x3);
            break;
        case RADEMACHER:
            z0 = rademacher(w.x0), z1 = rademacher(w.x1), z2 = rademacher(w.x2), z3 = rademacher(w.x3);
            break;
        default:
            z0 = as_floatv(mul_hi(w.x0, (uintv)(below))), z1 = as_floatv(mul_hi(w.x1, (uintv)(below)));
            z2 = as_floatv(mul_hi(w.x2, (uintv)(below))), z3 = as_floatv(mul_hi(w.x3, (uintv)(below)));
        }
        floatv r[4];
        order_blocks(z0, z1, z2, z3, r);
        if (item_is_whole(first, b, d, total)) {
            for (int i = 0; i < 4; ++i) vstorev(r[i], i, y + (n * d + 4 * b));
            continue;
        }
        float element[4 * VEC];
        for (int i = 0; i < 4; ++i) vstorev(r[i], i, element);
        for (int j = 0; j < VEC && first + j < total; ++j) {
            const int m = (first + j) / blocks, e = 4 * (first + j - m * blocks);
            for (int k = 0; k < 4 && e + k < d; ++k) y[m * d + e + k] = element[4 * j + k];
        }
    }
}
