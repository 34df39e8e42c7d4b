#include "data/toy.h"

#include <math.h>
#include <string.h>

#include "base/philox.h"

#define PI 3.14159265358979323846
#define DEVIATION(e) exp(-(e))      /* scales of the conditional toys are given as exponents */

static void put(double x[2], double a, double b)
{
    x[0] = a;
    x[1] = b;
}

static int below(const rheo_toy_draw *d, int lane, uint32_t n)
{
    return (int)rheo_philox_below(d->word[lane], n);
}

static void two_moons(const rheo_toy_draw *d, double noise, double x[2])
{
    const double t = PI * d->u[0];
    const int upper = below(d, 1, 2) == 0;
    const double a = upper ? cos(t) : 1.0 - cos(t);
    const double b = upper ? sin(t) : 0.5 - sin(t);
    put(x, 2.0 * (a + noise * d->z[0]) - 1.0, 2.0 * (b + noise * d->z[1]) - 0.2);
}

static void moons(const rheo_toy_draw *d, double x[2])
{
    two_moons(d, 0.1, x);
}

static void sharp_moons(const rheo_toy_draw *d, double x[2])
{
    two_moons(d, 0.05, x);
}

static void eight_gaussians(const rheo_toy_draw *d, double x[2])
{
    const double t = below(d, 0, 8) * (PI / 4.0);
    put(x, (4.0 * cos(t) + 0.5 * d->z[0]) / 1.414, (4.0 * sin(t) + 0.5 * d->z[1]) / 1.414);
}

static void around(const rheo_toy_draw *d, double radius, double noise, double x[2])
{
    const double t = 2.0 * PI * d->u[0];
    put(x, radius * cos(t) + noise * d->z[0], radius * sin(t) + noise * d->z[1]);
}

static void rings(const rheo_toy_draw *d, double x[2])
{
    around(d, 0.75 * (1 + below(d, 1, 4)), 0.08, x);
}

static void circles(const rheo_toy_draw *d, double x[2])
{
    around(d, below(d, 1, 2) ? 1.5 : 3.0, 0.24, x);
}

static void four_circles(const rheo_toy_draw *d, double x[2])
{
    const int k = below(d, 1, 4);
    around(d, 2.0, 0.1, x);
    x[0] += k & 1 ? 1.0 : -1.0;
    x[1] += k & 2 ? 1.0 : -1.0;
}

static void pinwheel(const rheo_toy_draw *d, double x[2])
{
    const double a = 1.0 + 0.3 * d->z[0], b = 0.1 * d->z[1];
    const double t = 2.0 * PI * below(d, 0, 5) / 5.0 + 0.25 * exp(a);
    put(x, 2.0 * (a * cos(t) + b * sin(t)), 2.0 * (b * cos(t) - a * sin(t)));
}

static void checkerboard(const rheo_toy_draw *d, double x[2])
{
    const double a = 4.0 * d->u[0] - 2.0;
    const double b = d->u[1] - 2.0 * below(d, 2, 2) + (floor(a) == -2.0 || floor(a) == 0.0 ? 0.0 : 1.0);
    put(x, 2.0 * a, 2.0 * b);
}

static void two_spirals(const rheo_toy_draw *d, double x[2])
{
    const double t = sqrt(d->u[0]) * 3.0 * PI;
    const double side = below(d, 3, 2) ? 1.0 : -1.0;
    put(x, side * (0.5 * d->u[1] - t * cos(t)) / 3.0 + 0.1 * d->z[0], side * (0.5 * d->u[2] + t * sin(t)) / 3.0 + 0.1 * d->z[1]);
}

static void swiss_roll(const rheo_toy_draw *d, double x[2])
{
    const double t = 1.5 * PI * (1.0 + 2.0 * d->u[0]);
    put(x, (t * cos(t) + d->z[0]) / 5.0, (t * sin(t) + d->z[1]) / 5.0);
}

static void crescent(const rheo_toy_draw *d, double x[2])
{
    const double a = d->z[0];
    put(x, a, 0.5 * a * a - 1.0 + DEVIATION(1.0) * d->z[1]);
}

static void sine_wave(const rheo_toy_draw *d, double x[2])
{
    const double a = d->z[0];
    put(x, a, sin(5.0 * a) + DEVIATION(1.0) * d->z[1]);
}

static void cubed(const rheo_toy_draw *d, double x[2])
{
    const double a = d->z[0];
    put(x, a, 0.2 * a * a * a + d->z[1]);
}

static void absolute(const rheo_toy_draw *d, double x[2])
{
    const double a = d->z[0];
    put(x, a, fabs(a) - 1.0 + DEVIATION(1.5) * d->z[1]);
}

static void sign(const rheo_toy_draw *d, double x[2])
{
    const double a = d->z[0];
    put(x, a, (a > 0.0) - (a < 0.0) + a + DEVIATION(1.5) * d->z[1]);
}

static void parabola(const rheo_toy_draw *d, double x[2])
{
    const double b = 2.0 * d->z[0];
    put(x, 0.25 * b * b + d->z[1], b);
}

/* Song and Ermon 2019, figures 2 and 3: 1/5 N((-5, -5), I) + 4/5 N((5, 5), I). */
static void two_gaussians(const rheo_toy_draw *d, double x[2])
{
    const double mode = d->u[0] < 0.2 ? -5.0 : 5.0;
    put(x, mode + d->z[0], mode + d->z[1]);
}

/* Where x2 given x1 is normal the entropy is ln(2 pi e) plus the logarithms of the deviations; the others are
 * quadratures and histograms, good to 0.003. */
#define TWO_NORMALS 2.8378770664093453      /* ln(2 pi e) */

const rheo_toy rheo_toys[] = {
    { "moons", 2.394, moons },
    { "moons-0.05", 1.671, sharp_moons },
    { "8gaussians", 2.833, eight_gaussians },
    { "rings", 2.622, rings },
    { "circles", 3.268, circles },
    { "pinwheel", 2.318, pinwheel },
    { "checkerboard", 3.4657359027997265, checkerboard },       /* ln 32: uniform on an area of 32 */
    { "2spirals", 2.645, two_spirals },
    { "swissroll", NAN, swiss_roll },
    { "four-circles", NAN, four_circles },
    { "crescent", TWO_NORMALS - 1.0, crescent },
    { "sine-wave", TWO_NORMALS - 1.0, sine_wave },
    { "cubed", TWO_NORMALS, cubed },
    { "abs", TWO_NORMALS - 1.5, absolute },
    { "sign", TWO_NORMALS - 1.5, sign },
    { "two-gaussians", TWO_NORMALS + 0.5004024235381879, two_gaussians },       /* and that of a coin: modes 14 deviations apart */
    { "parabola", TWO_NORMALS + 0.6931471805599453, parabola },
};
const int rheo_toy_count = sizeof rheo_toys / sizeof *rheo_toys;

const rheo_toy *rheo_toy_find(const char *name)
{
    for (int k = 0; k < rheo_toy_count; k++)
        if (!strcmp(rheo_toys[k].name, name)) return &rheo_toys[k];
    return NULL;
}

void rheo_toy_points(const rheo_toy *toy, uint64_t seed, uint32_t first, uint32_t count, float *out)
{
    for (uint32_t k = 0; k < count; k++) {
        const rheo_address at = { .seed = seed, .sample = first + k, .purpose = RHEO_FOR_SYNTHETIC_DATA };
        rheo_toy_draw d;
        uint32_t words[4];
        double x[2];
        rheo_philox_block(&at, 0, words);
        rheo_philox_normals(words, d.z);
        rheo_philox_block(&at, 1, d.word);
        for (int lane = 0; lane < 4; lane++) d.u[lane] = rheo_philox_uniform(d.word[lane]);
        toy->point(&d, x);
        out[2 * (size_t)k] = (float)x[0];
        out[2 * (size_t)k + 1] = (float)x[1];
    }
}
