// Element by element: y = f(x), y = f(a, b) with broadcasting, y = act((x + b) exp(a)). An item is one vector of the device's
// width, so a kernel's switch over functions costs a jump a vector; what is left over at the end of a row goes through
// private memory. y may be the same buffer as an input of its shape: an item reads before it writes.

// The first n of VEC elements at p, `fill` behind them; n >= VEC: all.
#if VEC == 1
#define load_upto(p, n, fill) ((void)(n), *(p))
#define store_upto(x, p, n) ((void)(n), *(p) = (x))
#else
static floatv load_upto(const __global float *p, int n, float fill)
{
    if (n >= VEC) return vloadv(0, p);
    float t[VEC];
    for (int k = 0; k < VEC; ++k) t[k] = k < n ? p[k] : fill;
    return vloadv(0, t);
}

static void store_upto(floatv x, __global float *p, int n)
{
    if (n >= VEC) {
        vstorev(x, 0, p);
        return;
    }
    float t[VEC];
    vstorev(x, 0, t);
    for (int k = 0; k < n; ++k) p[k] = t[k];
}
#endif

// ---- y = f(x): the order of rheo_unary_function -----------------------------------------------------------------------

// exp and log vectorise, tanh, expm1 and log1p do not on every CPU, so these are made of the former two.

// log(1 + t), 0 <= t <= 1, to a few ulps: the rounding of 1 + t is divided out (Goldberg 1991, theorem 4).
static floatv log1p_unit(floatv t)
{
    const floatv u = 1.0f + t, d = u - 1.0f;
    return select(log(u) * (t / d), t, d == 0.0f);
}

static floatv softplus(floatv x) { return fmax(x, 0.0f) + log1p_unit(exp(-fabs(x))); }

static floatv sigmoid(floatv x)
{
    const floatv t = exp(-fabs(x)), r = 1.0f / (1.0f + t);
    return select(t * r, r, x >= 0.0f);
}

// From exp(-2 |x|); below 0.625, where 1 - exp() cancels, the odd polynomial of Cephes' tanhf.
static floatv tanh_of(floatv x)
{
    const floatv t = exp(-2.0f * fabs(x)), s = x * x;
    const floatv far = copysign((1.0f - t) / (1.0f + t), x);
    const floatv p = ((-5.70498872745e-3f * s + 2.06390887954e-2f) * s - 5.37397155531e-2f) * s + 1.33314422036e-1f;
    return select(far, x + x * s * (s * p - 3.33332819422e-1f), fabs(x) < 0.625f);
}

// NaN passes through every function but sign, step and isfinite.
static floatv unary_of(int f, floatv x, float p, float q)
{
    const floatv zero = 0.0f, one = 1.0f;
    switch (f) {
    case 0: return -x;
    case 1: return exp(x);
    case 2: return log(x);
    case 3: return sqrt(x);
    case 4: return 1.0f / x;
    case 5: return x * x;
    case 6: return fabs(x);
    case 7: return sign(x);
    case 8: return select(zero, one, x > 0.0f);
    case 9: return select(x, zero, x < 0.0f);
    case 10: return elu(x);
    case 11: return tanh_of(x);
    case 12: return sigmoid(x);
    case 13: return softplus(x);
    case 14: return -softplus(-x);
    case 15: return select(zero, one, isfinite(x));
    case 16: return floor(x);
    default: return p * x + q;
    }
}

__kernel void unary(const __global float *x, __global float *y, int count, int f, float p, float q)
{
    FOR_ITEMS(i, (count + VEC - 1) / VEC) {
        const int at = i * VEC;
        store_upto(unary_of(f, load_upto(x + at, count - at, 0.0f), p, q), y + at, count - at);
    }
}

// ---- y = f(a, b): the order of rheo_binary_function ----------------------------------------------------------------------

static floatv binary_of(int f, floatv a, floatv b)
{
    const floatv zero = 0.0f;
    switch (f) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return select(b, a, a < b || isnan(a));
    case 5: return select(b, a, a > b || isnan(a));
    case 6: return select(zero, a, b > 0.0f);
    case 7: return select(a * (b + 1.0f), a, b > 0.0f);
    default: return a;
    }
}

static floatv load_strided(const __global float *p, int stride, int n)
{
    if (stride) return load_upto(p, n, 0.0f);
    const floatv all = *p;
    return all;
}

// A short row is repeated in private memory, so that a vector can start anywhere in it and rows that fill no whole vectors are
// walked without regard to where they end.
#define SHORT_ROW 128
#if VEC > 1
#define IS_SHORT(length) ((length) < SHORT_ROW && (length) % VEC != 0)
static void repeat_row(const __global float *row, int length, float *t)
{
    for (int k = 0, c = 0; k < length + VEC; ++k) {
        t[k] = row[c];
        if (++c == length) c = 0;
    }
}
#endif

// rows of `inner` elements; d1 is the innermost dimension but one, d2 the next. Strides from the innermost dimension outwards:
// sa0 and sb0 are 1 or 0.
__kernel void binary(const __global float *a, const __global float *b, __global float *y, int f, int rows, int inner, int d1, int d2,
                     int sa0, int sa1, int sa2, int sa3, int sb0, int sb1, int sb2, int sb3)
{
    const int vectors = (inner + VEC - 1) / VEC;
#if VEC > 1
    if (IS_SHORT(inner) && rows > 1 && rows == d1 && sa0 && sa1 && sb0 && !sb1) {
        float t[SHORT_ROW + VEC];
        repeat_row(b, inner, t);
        FOR_ITEMS(i, (rows * inner + VEC - 1) / VEC) {
            const int at = i * VEC, n = rows * inner - at;
            store_upto(binary_of(f, load_upto(a + at, n, 0.0f), vloadv(0, t + at % inner)), y + at, n);
        }
        return;
    }
#endif
    FOR_ITEMS(i, rows * vectors) {
        const int row = rows == 1 ? 0 : i / vectors;
        const int at = (i - row * vectors) * VEC, n = inner - at;
        int i1 = row, i2 = 0, i3 = 0;
        if (rows > d1) {
            i2 = row / d1;
            i1 = row - i2 * d1;
            i3 = i2 / d2;
            i2 -= i3 * d2;
        }
        const floatv va = load_strided(a + i3 * sa3 + i2 * sa2 + i1 * sa1 + at * sa0, sa0, n);
        const floatv vb = load_strided(b + i3 * sb3 + i2 * sb2 + i1 * sb1 + at * sb0, sb0, n);
        store_upto(binary_of(f, va, vb), y + row * inner + at, n);
    }
}

// ---- y[p,c] = act((x[p,c] + b[c]) exp(factor l[c])), logdet'[n] = logdet[n] + weight sum(l) for n < batch ---------------------

static floatv act(int relu, floatv v)
{
    const floatv zero = 0.0f;
    return relu ? select(v, zero, v < 0.0f) : v;
}

__kernel void affine_act(const __global float *x, const __global float *b, const __global float *l, __global float *y,
                         const __global float *logdet, __global float *logdet_out, int positions, int channels, int relu, float factor,
                         int batch, float weight)
{
    if (batch > 0 && get_global_id(0) == 0) {
        float total = 0.0f;
        for (int c = 0; c < channels; ++c) total += l[c];
        for (int n = 0; n < batch; ++n) logdet_out[n] = logdet[n] + weight * total;
    }
    const int vectors = (channels + VEC - 1) / VEC;
#if VEC > 1
    if (channels < SHORT_ROW) {     // exp once a channel
        float tb[SHORT_ROW + VEC], ta[SHORT_ROW + VEC];
        repeat_row(b, channels, tb);
        repeat_row(l, channels, ta);
        for (int k = 0; k < channels + VEC; k += VEC) vstorev(exp(factor * vloadv(0, ta + k)), 0, ta + k);
        FOR_ITEMS(i, (positions * channels + VEC - 1) / VEC) {
            const int at = i * VEC, n = positions * channels - at, c = at % channels;
            store_upto(act(relu, (load_upto(x + at, n, 0.0f) + vloadv(0, tb + c)) * vloadv(0, ta + c)), y + at, n);
        }
        return;
    }
#endif
    FOR_ITEMS(i, positions * vectors) {
        const int p = i / vectors, c = (i - p * vectors) * VEC, n = channels - c;
        const floatv v = load_upto(x + p * channels + c, n, 0.0f) + load_upto(b + c, n, 0.0f);
        store_upto(act(relu, v * exp(factor * load_upto(l + c, n, 0.0f))), y + p * channels + c, n);
    }
}

// ---- integers -----------------------------------------------------------------------------------------------------------------

__kernel void to_float(const __global uint *x, __global float *y, int count)
{
    FOR_ITEMS(i, count) y[i] = (float)x[i];
}

__kernel void add_u32(const __global uint *x, __global uint *y, int count, uint increment)
{
    FOR_ITEMS(i, count) y[i] = x[i] + increment;
}

// y = mask ? a : b; the mask repeats after `masks` elements. As words, so that every bit passes.
__kernel void select_by(__global const float *mask, __global const uint *a, __global const uint *b, __global uint *y, int count, int masks)
{
    FOR_ITEMS(i, count) y[i] = mask[masks == count ? i : i % masks] != 0.0f ? a[i] : b[i];
}
