// Winograd's minimal filtering F(4, 3) of a line (Lavin and Gray 2016), for winograd.cl, which comes after it: OUT outputs from SEEN inputs.
// At the points 0, +-a, +-b and infinity with a = 3/4, b = 3/2, where it rounds four times less than at +-1, +-2 (host/op/product.c).

#if RHEO_CPU
#define OUT 4
#define SEEN 6

// G g
static void filter_line(floatv to[SEEN], floatv g0, floatv g1, floatv g2)
{
    const floatv even_a = -128.0f / 243 * (g0 + 0.5625f * g2), odd_a = -32.0f / 81 * g1;
    const floatv even_b = 32.0f / 243 * (g0 + 2.25f * g2), odd_b = 16.0f / 81 * g1;
    to[0] = 64.0f / 81 * g0;
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = g2;
}

// B' x
static void input_line(floatv to[SEEN], const floatv x[SEEN])
{
    const floatv even_a = x[4] - 2.25f * x[2], odd_a = 0.75f * (x[3] - 2.25f * x[1]);
    const floatv even_b = x[4] - 0.5625f * x[2], odd_b = 1.5f * (x[3] - 0.5625f * x[1]);
    to[0] = 1.265625f * x[0] - 2.8125f * x[2] + x[4];
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = 1.265625f * x[1] - 2.8125f * x[3] + x[5];
}

// A' m
static void output_line(floatv to[OUT], const floatv m[SEEN])
{
    const floatv even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    to[0] = m[0] + even_a + even_b;
    to[1] = 0.75f * odd_a + 1.5f * odd_b;
    to[2] = 0.5625f * even_a + 2.25f * even_b;
    to[3] = 0.421875f * odd_a + 3.375f * odd_b + m[5];
}

// A y
static void output_line_back(floatv to[SEEN], const floatv y[OUT])
{
    const floatv even_a = y[0] + 0.5625f * y[2], odd_a = 0.75f * y[1] + 0.421875f * y[3];
    const floatv even_b = y[0] + 2.25f * y[2], odd_b = 1.5f * y[1] + 3.375f * y[3];
    to[0] = y[0];
    to[1] = even_a + odd_a;
    to[2] = even_a - odd_a;
    to[3] = even_b + odd_b;
    to[4] = even_b - odd_b;
    to[5] = y[3];
}

// G' m
static void filter_line_back(floatv to[3], const floatv m[SEEN])
{
    const floatv even_a = m[1] + m[2], even_b = m[3] + m[4];
    to[0] = 64.0f / 81 * m[0] - 128.0f / 243 * even_a + 32.0f / 243 * even_b;
    to[1] = 16.0f / 81 * (m[3] - m[4]) - 32.0f / 81 * (m[1] - m[2]);
    to[2] = 8.0f / 27 * (even_b - even_a) + m[5];
}
#endif
