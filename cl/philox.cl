// Philox4x32-10 (Salmon et al. 2011), the twin of host/base/philox.c: VEC counters (b, n, t, s) at once under one key.
// Words to numbers: score 9.

typedef struct philox_words { uintv x0, x1, x2, x3; } philox_words;

philox_words philox(uintv c0, uintv c1, uintv c2, uintv c3, uint k0, uint k1)
{
    for (int round = 0; round < 10; ++round) {
        const uintv m0 = (uintv)(0xD2511F53u), m1 = (uintv)(0xCD9E8D57u);
        const uintv high0 = mul_hi(m0, c0), low0 = m0 * c0, high1 = mul_hi(m1, c2), low1 = m1 * c2;
        c0 = high1 ^ c1 ^ k0;
        c2 = high0 ^ c3 ^ k1;
        c1 = low1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const philox_words w = { c0, c1, c2, c3 };
    return w;
}

// [0,1) in steps of 2^-24 and of 2^-16; (0,1), odd multiples of 2^-24. All exact.
floatv philox_uniform(uintv x) { return convert_floatv(x >> 8) * 0x1p-24f; }
floatv philox_uniform16(uintv x) { return convert_floatv(x >> 16) * 0x1p-16f; }
floatv philox_uniform_open(uintv x) { return convert_floatv((x >> 9 << 1) + 1u) * 0x1p-24f; }

// Box-Muller: *z0 = R cos a, *z1 = R sin a, R = sqrt(-2 log U(0,1)(x0)), a = 2 pi U[0,1)(x1). The quadrant comes off the
// integer, the rest, |t| <= 1/2 quadrants, through polynomials (Cephes sinf and cosf, below 1e-7): cospi is slow on CPUs.
void philox_normals(uintv x0, uintv x1, floatv *z0, floatv *z1)
{
    const floatv radius = sqrt(-2.0f * log(philox_uniform_open(x0)));
    const uintv turn = x1 >> 8, quadrant = (turn + (1u << 21)) >> 22;
    const floatv a = convert_floatv(as_intv(turn - (quadrant << 22))) * (0x1p-22f * 1.57079632679489662f), q = a * a;
    const floatv sine = a + a * q * (-1.6666654611e-1f + q * (8.3321608736e-3f + q * -1.9515295891e-4f));
    const floatv cosine = 1.0f - 0.5f * q + q * q * (4.166664568298827e-2f + q * (-1.388731625493765e-3f + q * 2.443315711809948e-5f));
    const intv odd = -as_intv(quadrant & 1u);
    const floatv c = select(cosine, sine, odd), s = select(sine, cosine, odd);
    *z0 = radius * as_floatv(as_uintv(c) ^ ((quadrant + 1u) & 2u) << 30);
    *z1 = radius * as_floatv(as_uintv(s) ^ (quadrant & 2u) << 30);
}
