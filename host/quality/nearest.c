#include <math.h>
#include <stdlib.h>

#include "quality/measures.h"

enum { ROWS = 128 };

/* Keeps the nearest so far in order; `index` and `squared` [count]. */
static void offer(float found, uint32_t which, int count, uint32_t *index, float *squared)
{
    int k = count - 1;
    if (!(found < squared[k])) return;
    for (; k > 0 && found < squared[k - 1]; k--) {
        squared[k] = squared[k - 1];
        index[k] = index[k - 1];
    }
    squared[k] = found;
    index[k] = which;
}

rheo_status rheo_nearest(rheo_points p, rheo_points among, int count, uint32_t *index, float *distance, rheo_error *err)
{
    if (among.n < count || count < 1) return rheo_fail(err, RHEO_EINVAL, "nearest: %d among %lld rows", count, (long long)among.n);
    float *a2 = malloc((size_t)p.n * sizeof *a2 + 1), *b2 = malloc((size_t)among.n * sizeof *b2);
    float *block = malloc((size_t)(ROWS * among.n) * sizeof *block);
    const rheo_status st =
        a2 && b2 && block ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "nearest: no memory for %lld rows", (long long)among.n);
    if (!st) {
        rheo_row_squares(p, a2);
        rheo_row_squares(among, b2);
    }
    for (int64_t first = 0; first < p.n && !st; first += ROWS) {
        const rheo_points rows = { p.n - first < ROWS ? p.n - first : ROWS, p.d, p.x + first * p.d };
        rheo_squared_distances(rows, a2 + first, among, b2, block);
        for (int64_t i = 0; i < rows.n; i++) {
            uint32_t *near = index + (first + i) * count;
            float *far = distance + (first + i) * count;
            for (int k = 0; k < count; k++) far[k] = INFINITY;
            for (int64_t j = 0; j < among.n; j++) offer(block[i * among.n + j], (uint32_t)j, count, near, far);
            for (int k = 0; k < count; k++) far[k] = sqrtf(far[k]);
        }
    }
    free(a2);
    free(b2);
    free(block);
    return st;
}
