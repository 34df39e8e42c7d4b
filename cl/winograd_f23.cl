// Winograd's minimal filtering F(2, 3) of a line (Lavin and Gray 2016), for winograd.cl, which comes after it: OUT outputs from SEEN inputs.

#if RHEO_CPU
#define OUT 2
#define SEEN 4

// G g
static void filter_line(floatv to[SEEN], floatv g0, floatv g1, floatv g2)
{
    const floatv sum = 0.5f * (g0 + g2), middle = 0.5f * g1;
    to[0] = g0;
    to[1] = sum + middle;
    to[2] = sum - middle;
    to[3] = g2;
}

// B' x
static void input_line(floatv to[SEEN], const floatv x[SEEN])
{
    to[0] = x[0] - x[2];
    to[1] = x[1] + x[2];
    to[2] = x[2] - x[1];
    to[3] = x[1] - x[3];
}

// A' m
static void output_line(floatv to[OUT], const floatv m[SEEN])
{
    to[0] = m[0] + m[1] + m[2];
    to[1] = m[1] - m[2] - m[3];
}

// A y
static void output_line_back(floatv to[SEEN], const floatv y[OUT])
{
    to[0] = y[0];
    to[1] = y[0] + y[1];
    to[2] = y[0] - y[1];
    to[3] = -y[1];
}

// G' m
static void filter_line_back(floatv to[3], const floatv m[SEEN])
{
    const floatv sum = 0.5f * (m[1] + m[2]);
    to[0] = m[0] + sum;
    to[1] = 0.5f * (m[1] - m[2]);
    to[2] = sum + m[3];
}
#endif
