// Long sums in float32 whose error is that of the last rounding: Neumaier's compensation in each lane of each work-item, then
// exact additions of (high, low) pairs in an order fixed by the shape. A work-group has a power of two of work-items.

typedef struct sum { floatv s, c; } sum;

sum sum_zero(void)
{
    const sum a = { (floatv)(0.0f), (floatv)(0.0f) };
    return a;
}

// s + low as a pair whose parts do not overlap (Knuth): no multiplication, so nothing is contracted
float2 two_sum(float a, float b)
{
    const float s = a + b, t = s - a;
    return (float2)(s, (a - (s - t)) + (b - t));
}

void sum_add(sum *a, floatv x)
{
    const floatv s = a->s + x, t = s - a->s;
    a->c += (a->s - (s - t)) + (x - t);
    a->s = s;
}

float2 pair_add(float2 a, float2 b)
{
    const float2 s = two_sum(a.x, b.x);
    return two_sum(s.x, s.y + (a.y + b.y));
}

// The lanes of one work-item
float2 sum_lanes(sum a)
{
    float s[VEC], c[VEC];
    vstorev(a.s, 0, s);
    vstorev(a.c, 0, c);
    float2 total = (float2)(s[0], c[0]);
    for (int j = 1; j < VEC; ++j) total = pair_add(total, (float2)(s[j], c[j]));
    return total;
}

// The work-items of a group, one float2 each in `shared`; every work-item must come here. The result is work-item 0's.
float2 sum_group(float2 mine, __local float2 *shared)
{
    const int i = (int)get_local_id(0);
    shared[i] = mine;
    for (int half_size = (int)get_local_size(0) / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i < half_size) shared[i] = pair_add(shared[i], shared[i + half_size]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return shared[0];
}

// The first n <= VEC elements at p, 0 in the lanes beyond
floatv load_some(__global const float *p, int n)
{
    float x[VEC];
    for (int j = 0; j < VEC; ++j) x[j] = j < n ? p[j] : 0.0f;
    return vloadv(0, x);
}
