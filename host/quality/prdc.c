#include <stdlib.h>

#include "quality/measures.h"

enum { ROWS = 256 }; /* of one set against all of the other at a time */

typedef struct set {
    rheo_points p;
    float *squares; /* [n] */
    float *radius;  /* [n]: squared distance to the k-th other row of the same set */
} set;

/* The k-th smallest, k from 0, by Hoare's selection; x is reordered. */
static float select_kth(float *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const float pivot = x[k];
        int64_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (pivot < x[j]) j--;
            if (i > j) break;
            const float t = x[i];
            x[i++] = x[j];
            x[j--] = t;
        }
        if (j < k) low = i;
        if (k < i) high = j;
    }
    return x[k];
}

static rheo_points rows_of(rheo_points p, int64_t first)
{
    return (rheo_points){ p.n - first < ROWS ? p.n - first : ROWS, p.d, p.x + first * p.d };
}

static void find_radii(set *s, int64_t k, float *block)
{
    for (int64_t first = 0; first < s->p.n; first += ROWS) {
        const rheo_points rows = rows_of(s->p, first);
        rheo_squared_distances(rows, s->squares + first, s->p, s->squares, block);
        for (int64_t i = 0; i < rows.n; i++) {
            block[i * s->p.n + first + i] = 0; /* itself, exactly */
            s->radius[first + i] = select_kth(block + i * s->p.n, s->p.n, k);
        }
    }
}

/* Strictly inside: a set compared with itself has all of its balls reached. */
static void count(const set *real, const set *fake, int64_t k, float *block, unsigned char *in_real_ball, rheo_prdc *out)
{
    double recalled = 0, covered = 0, density = 0, precise = 0;
    for (int64_t first = 0; first < real->p.n; first += ROWS) {
        const rheo_points rows = rows_of(real->p, first);
        rheo_squared_distances(rows, real->squares + first, fake->p, fake->squares, block);
        for (int64_t i = 0; i < rows.n; i++) {
            const float radius = real->radius[first + i];
            int in_fake_ball = 0;
            int64_t inside = 0;
            for (int64_t j = 0; j < fake->p.n; j++) {
                const float distance = block[i * fake->p.n + j];
                in_fake_ball |= distance < fake->radius[j];
                if (distance < radius) {
                    in_real_ball[j] = 1;
                    inside++;
                }
            }
            recalled += in_fake_ball;
            covered += inside > 0;
            density += (double)inside;
        }
    }
    for (int64_t j = 0; j < fake->p.n; j++) precise += in_real_ball[j];
    *out = (rheo_prdc){ precise / (double)fake->p.n, recalled / (double)real->p.n, density / (double)(k * fake->p.n),
                        covered / (double)real->p.n };
}

rheo_status rheo_prdc_of(rheo_points real, rheo_points fake, int64_t k, rheo_prdc *out, rheo_error *err)
{
    if (real.n != fake.n || real.n <= k)
        return rheo_fail(err, RHEO_EINVAL, "prdc: sets of %lld and %lld rows, expected equally many, more than %lld", (long long)real.n,
                         (long long)fake.n, (long long)k);
    const size_t n = (size_t)real.n;
    set r = { real, malloc(n * sizeof(float)), malloc(n * sizeof(float)) },
        f = { fake, malloc(n * sizeof(float)), malloc(n * sizeof(float)) };
    float *block = malloc(ROWS * n * sizeof *block);
    unsigned char *inside = calloc(n, 1);
    rheo_status st = RHEO_OK;
    if (r.squares && r.radius && f.squares && f.radius && block && inside) {
        rheo_row_squares(real, r.squares);
        rheo_row_squares(fake, f.squares);
        find_radii(&r, k, block);
        find_radii(&f, k, block);
        count(&r, &f, k, block, inside, out);
    } else {
        st = rheo_fail(err, RHEO_ENOMEM, "prdc: no memory for %lld rows", (long long)real.n);
    }
    free(r.squares);
    free(r.radius);
    free(f.squares);
    free(f.radius);
    free(block);
    free(inside);
    return st;
}
