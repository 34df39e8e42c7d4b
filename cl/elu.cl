// exp(x) = s + s q for x <= 0, s = 2^n a power of two: Cephes' expf, of which libraries' exp is a slower relative. Below -87 as there;
// what is not a number stays so.
typedef struct exp_parts { floatv s, q; } exp_parts;

static exp_parts exp_below(floatv x)
{
    const float magic = 12582912.0f;    // 3 2^22: a sum's fraction is rounded off
    x = select(x, (floatv)(-87.0f), x < -87.0f);
    const floatv n = (x * 1.44269504f + magic) - magic, f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    floatv p = 1.9875691500e-4f * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    exp_parts e;
    e.s = as_floatv((convert_intv(n) + 127) << 23);
    e.q = p * f * f + f;
    return e;
}

// exp(x) - 1 for x <= 0, without cancellation: s - 1 is exact.
static floatv elu(floatv x)
{
    const exp_parts e = exp_below(x);
    return select(e.s * e.q + (e.s - 1.0f), x, x > 0.0f);
}
static floatv elu_slope(floatv x)
{
    const exp_parts e = exp_below(x);
    return select(e.s * e.q + e.s, (floatv)(1.0f), x > 0.0f);
}
