#include "flow/orthogonal.h"

#include <math.h>
#include <stdlib.h>

#include "base/philox.h"

static void gaussian_matrix(int64_t c, uint64_t seed, uint32_t id, double *a)
{
    const rheo_address at = { .seed = seed, .purpose = RHEO_FOR_INIT, .id = id };
    uint32_t words[4];
    double z[4];
    for (int64_t i = 0; i < c * c; i++) {
        if (i % 4 == 0) {
            rheo_philox_block(&at, (uint32_t)(i / 4), words);
            rheo_philox_normals(words, z);
        }
        a[i] = z[i % 4];
    }
}

/* Gram-Schmidt twice over the rows: orthogonal to rounding for any Gaussian draw. */
void rheo_random_orthogonal(int64_t c, uint64_t seed, uint32_t id, double *q)
{
    gaussian_matrix(c, seed, id, q);
    for (int64_t r = 0; r < c; r++) {
        double *row = q + r * c, norm = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t before = 0; before < r; before++) {
                double dot = 0;
                for (int64_t k = 0; k < c; k++) dot += row[k] * q[before * c + k];
                for (int64_t k = 0; k < c; k++) row[k] -= dot * q[before * c + k];
            }
        for (int64_t k = 0; k < c; k++) norm += row[k] * row[k];
        for (int64_t k = 0; k < c; k++) row[k] /= sqrt(norm);
    }
}

static void swap_rows(double *a, int64_t c, int64_t r, int64_t s)
{
    for (int64_t k = 0; k < c; k++) {
        const double t = a[r * c + k];
        a[r * c + k] = a[s * c + k];
        a[s * c + k] = t;
    }
}

/* In place, with partial pivoting; row[i] is the row of the matrix that became row i of L U. */
static void factor(double *a, int64_t c, int64_t *row)
{
    for (int64_t i = 0; i < c; i++) row[i] = i;
    for (int64_t j = 0; j < c; j++) {
        int64_t best = j;
        for (int64_t r = j + 1; r < c; r++)
            if (fabs(a[r * c + j]) > fabs(a[best * c + j])) best = r;
        swap_rows(a, c, j, best);
        const int64_t t = row[j];
        row[j] = row[best];
        row[best] = t;
        for (int64_t r = j + 1; r < c; r++) {
            a[r * c + j] /= a[j * c + j];
            for (int64_t k = j + 1; k < c; k++) a[r * c + k] -= a[r * c + j] * a[j * c + k];
        }
    }
}

bool rheo_lu_random_orthogonal(int64_t c, uint64_t seed, uint32_t id, rheo_lu *out)
{
    int64_t *row = malloc((size_t)c * sizeof *row);
    out->factors = malloc((size_t)(c * c) * sizeof *out->factors);
    out->column = malloc((size_t)c * sizeof *out->column);
    const bool ok = row && out->factors && out->column;
    if (ok) {
        rheo_random_orthogonal(c, seed, id, out->factors);
        factor(out->factors, c, row);
        for (int64_t i = 0; i < c; i++) out->column[row[i]] = i;
    } else {
        rheo_lu_finish(out);
    }
    free(row);
    return ok;
}

void rheo_lu_finish(rheo_lu *lu)
{
    free(lu->factors);
    free(lu->column);
    *lu = (rheo_lu){ 0 };
}
