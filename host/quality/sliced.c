#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "quality/measures.h"

enum { AT_ONCE = 64 }; /* directions projected on in one product */

/* Normals divided by their length: uniform on the sphere. theta [n, d], directions first .. first + n. */
static void draw_directions(int first, int n, int64_t d, uint64_t seed, float *theta)
{
    for (int i = 0; i < n; i++) {
        const rheo_address at = { .seed = seed, .sample = (uint32_t)(first + i), .purpose = RHEO_FOR_METRIC };
        double squares = 0;
        for (int64_t e = 0; e < d; e += 4) {
            uint32_t words[4];
            double z[4];
            rheo_philox_block(&at, (uint32_t)(e / 4), words);
            rheo_philox_normals(words, z);
            for (int64_t j = 0; j < 4 && e + j < d; j++) {
                theta[i * d + e + j] = (float)z[j];
                squares += z[j] * z[j];
            }
        }
        for (int64_t e = 0; e < d; e++) theta[i * d + e] = (float)((double)theta[i * d + e] / sqrt(squares));
    }
}

/* out [n directions, rows], each direction's row sorted */
static void project(rheo_points p, const float *theta, int n, float *out)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, (int)p.n, (int)p.d, 1, theta, (int)p.d, p.x, (int)p.d, 0, out, (int)p.n);
    for (int i = 0; i < n; i++) rheo_sort(out + i * p.n, p.n);
}

rheo_status rheo_sliced_wasserstein(rheo_points a, rheo_points b, int directions, int p, uint64_t seed, double *out, rheo_error *err)
{
    if (a.n != b.n || a.n < 1 || directions < 1)
        return rheo_fail(err, RHEO_EINVAL, "sliced Wasserstein: sets of %lld and %lld rows, expected equally many", (long long)a.n,
                         (long long)b.n);
    float *theta = malloc((size_t)(AT_ONCE * a.d) * sizeof *theta);
    float *pa = malloc((size_t)(AT_ONCE * a.n) * sizeof *pa), *pb = malloc((size_t)(AT_ONCE * a.n) * sizeof *pb);
    const rheo_status st = theta && pa && pb ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "sliced Wasserstein: out of memory");
    double sum = 0;
    for (int first = 0; first < directions && !st; first += AT_ONCE) {
        const int n = directions - first < AT_ONCE ? directions - first : AT_ONCE;
        draw_directions(first, n, a.d, seed, theta);
        project(a, theta, n, pa);
        project(b, theta, n, pb);
        for (int64_t i = 0; i < n * a.n; i++) {
            const double step = fabs((double)pa[i] - (double)pb[i]);
            sum += p == 1 ? step : step * step;
        }
    }
    sum /= (double)directions * (double)a.n;
    *out = p == 1 ? sum : sqrt(sum);
    free(theta);
    free(pa);
    free(pb);
    return st;
}
