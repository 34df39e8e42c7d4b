#include "train/bands.h"

#include <math.h>

#include "base/running_mean.h"

int rheo_bands(const rheo_model *m, const double *loss, uint32_t n, uint64_t seed, rheo_band out[RHEO_BANDS])
{
    const rheo_loss_levels *levels = m->type->levels;
    const int64_t all = levels ? levels->count(m) : 0;
    const int count = all < RHEO_BANDS ? (int)all : RHEO_BANDS;
    rheo_running_mean mean[RHEO_BANDS] = { 0 };
    for (int k = 0; k < count; k++) {
        const int64_t first = (k * all + count - 1) / count, last = ((k + 1) * all + count - 1) / count - 1;
        out[k] = (rheo_band){ .first = levels->deviation(m, first), .last = levels->deviation(m, last) };
    }
    for (uint32_t i = 0; i < n && count; i++) rheo_running_mean_add(&mean[(int64_t)levels->drawn(m, seed, 0, i) * count / all], loss[i]);
    for (int k = 0; k < count; k++) {
        out[k].images = mean[k].count;
        out[k].loss = mean[k].count ? mean[k].mean : NAN;
        out[k].standard_error = rheo_running_mean_error(&mean[k]);
    }
    return count;
}
