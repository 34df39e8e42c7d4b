#include "sample/ladder.h"

#include <math.h>
#include <stdlib.h>

void rheo_ladder(double first, double last, int n, bool geometric, double *out)
{
    if (n == 1) out[0] = first; /* which may be 0 */
    for (int i = 0; i < n && n > 1; i++) {
        const double part = (double)i / (n - 1);
        out[i] = geometric ? exp(log(first) + part * (log(last) - log(first))) : first + part * (last - first);
    }
}

/* ---- technique 1 --------------------------------------------------------------------------------------- */

typedef struct row {
    double radius;
    int64_t index;
} row;

static int farther_first(const void *a, const void *b)
{
    const row *x = a, *y = b;
    return (x->radius < y->radius) - (x->radius > y->radius);
}

static double squared_distance(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t k = 0; k < d; k++) sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return sum;
}

static rheo_status order_by_radius(const float *x, int64_t n, int64_t d, row *rows, rheo_error *err)
{
    double *mean = calloc((size_t)d, sizeof *mean);
    if (!mean) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n * d; i++) mean[i % d] += (double)x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < d; k++) sum += ((double)x[i * d + k] - mean[k]) * ((double)x[i * d + k] - mean[k]);
        rows[i] = (row){ sqrt(sum), i };
    }
    qsort(rows, (size_t)n, sizeof *rows, farther_first);
    free(mean);
    return RHEO_OK;
}

/* Two rows are no farther apart than both together from the mean: taken from the outside in, few pairs need be looked at. */
rheo_status rheo_largest_distance(const float *x, int64_t n, int64_t d, double *out, rheo_error *err)
{
    if (n < 2) return rheo_fail(err, RHEO_EINVAL, "noise levels: %lld rows of data, expected at least 2", (long long)n);
    row *rows = malloc((size_t)n * sizeof *rows);
    if (!rows) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    const rheo_status st = order_by_radius(x, n, d, rows, err);
    double best = 0;
    for (int64_t i = 0; i < n && !st && 2 * rows[i].radius > best; i++)
        for (int64_t j = i + 1; j < n && rows[i].radius + rows[j].radius > best; j++) {
            const double apart = sqrt(squared_distance(x + rows[i].index * d, x + rows[j].index * d, d));
            if (apart > best) best = apart;
        }
    free(rows);
    *out = best;
    return st;
}

/* ---- technique 2 ----------------------------------------------------------------------------------------- */

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

double rheo_ladder_overlap(int64_t d, double ratio)
{
    const double middle = sqrt(2.0 * (double)d) * (ratio - 1);
    return normal_cdf(middle + 3 * ratio) - normal_cdf(middle - 3 * ratio);
}

double rheo_ladder_ratio(int64_t d, double overlap)
{
    double low = 1, high = 1 + 10 / sqrt((double)d); /* overlaps fall from almost 1 to almost 0 */
    for (int k = 0; k < 200; k++) {
        const double middle = (low + high) / 2;
        if (rheo_ladder_overlap(d, middle) > overlap)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

int rheo_ladder_length(double first, double last, double ratio)
{
    const double n = 1 + round(log(first / last) / log(ratio));
    return n < 2 ? 2 : n > 100000 ? 100000 : (int)n;
}

/* ---- technique 4 ------------------------------------------------------------------------------------------ */

double rheo_ladder_excess(double ratio, double last, int steps, double epsilon)
{
    const double step = epsilon / (last * last), q = 1 - step, b = 2 * step / (1 - q * q);
    return pow(q, 2.0 * steps) * (ratio * ratio - b) + b;
}

enum { POINTS = 10000 };
static double grid(double last, int k) /* of (0, 2 last^2), in its logarithm */
{
    const double least = 1e-5, most = 2;
    return last * last * least * pow(most / least, (k + 0.5) / POINTS);
}

double rheo_ladder_step(double ratio, double last, int steps)
{
    double best = 0, nearest = INFINITY;
    for (int k = 0; k < POINTS; k++) {
        const double epsilon = grid(last, k), off = fabs(rheo_ladder_excess(ratio, last, steps, epsilon) - 1);
        if (off < nearest) {
            nearest = off;
            best = epsilon;
        }
    }
    return best;
}

/* A network of x alone sees noise u sigma and points back with a unit vector to each of its components, s = -z / sigma: one step
 * takes u to sqrt((u - step)^2 + 2 step). */
double rheo_ladder_lag(double ratio, double last, int steps, double epsilon)
{
    enum { LEVELS = 10000 };
    const double step = epsilon / (last * last), most = 10;
    double u = 1;
    for (int level = 0; level < LEVELS; level++) {
        const double before = u;
        u *= ratio;
        for (int t = 0; t < steps; t++) u = sqrt((u - step) * (u - step) + 2 * step);
        if (u > most) return INFINITY;
        if (fabs(u - before) < 1e-12) break;
    }
    return u;
}

double rheo_ladder_least_lag(double ratio, double last, int steps)
{
    double best = 0, least = INFINITY;
    for (int k = 0; k < POINTS && grid(last, k) < last * last; k += 10) {
        const double lag = rheo_ladder_lag(ratio, last, steps, grid(last, k));
        if (lag < least) {
            least = lag;
            best = grid(last, k);
        }
    }
    return best;
}
