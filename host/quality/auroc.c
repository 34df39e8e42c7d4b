/* How well a score tells two sets apart. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"

typedef struct scored {
    double score;
    bool high;
} scored;

static int by_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

static bool fill(scored *to, const double *scores, uint32_t n, bool high)
{
    bool numbers = true;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (scored){ scores[i], high };
        if (isnan(scores[i])) numbers = false;
    }
    return numbers;
}

/* (sum of ranks of `high` - n (n + 1) / 2) / (n_low n_high), ranks from 1, equal scores having the mean of theirs. */
rheo_status rheo_auroc(const double *low, uint32_t n_low, const double *high, uint32_t n_high, double *out, rheo_error *err)
{
    const size_t n = (size_t)n_low + n_high;
    double ranks = 0;
    if (!n_low || !n_high) return rheo_fail(err, RHEO_EINVAL, "auroc: %u and %u scores, expected one at least of each", n_low, n_high);
    scored *all = malloc(n * sizeof *all);
    if (!all) return rheo_fail(err, RHEO_ENOMEM, "auroc: no memory for %zu scores", n);
    const bool first = fill(all, low, n_low, false), second = fill(all + n_low, high, n_high, true);
    if (!first || !second) {
        free(all);
        return rheo_fail(err, RHEO_ENONFINITE, "auroc: a score is not a number");
    }
    qsort(all, n, sizeof *all, by_score);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && !by_score(&all[begin], &all[end]);) end++;
        for (size_t k = begin; k < end; k++)
            if (all[k].high) ranks += ((double)begin + 1 + (double)end) / 2;
    }
    free(all);
    *out = (ranks - (double)n_high * ((double)n_high + 1) / 2) / ((double)n_low * n_high);
    return RHEO_OK;
}
