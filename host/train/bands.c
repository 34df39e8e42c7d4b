#include "train/bands.h"

#include <math.h>

int rheo_bands(const rheo_model *m, const double *loss, uint32_t n, uint64_t seed, rheo_band out[RHEO_BANDS])
{
    const rheo_loss_levels *levels = m->type->levels;
    const int64_t all = levels ? levels->count(m) : 0;
    const int count = all < RHEO_BANDS ? (int)all : RHEO_BANDS;
    double squares[RHEO_BANDS] = { 0 };
    for (int k = 0; k < count; k++) {
        const int64_t first = (k * all + count - 1) / count, last = ((k + 1) * all + count - 1) / count - 1;
        out[k] = (rheo_band){ .first = levels->deviation(m, first), .last = levels->deviation(m, last) };
    }
    for (uint32_t i = 0; i < n && count; i++) {
        const int64_t k = (int64_t)levels->drawn(m, seed, 0, i) * count / all;
        const double delta = loss[i] - out[k].loss;
        out[k].loss += delta / (double)++out[k].images;
        squares[k] += delta * (loss[i] - out[k].loss);
    }
    for (int k = 0; k < count; k++) {
        const double seen = (double)out[k].images;
        out[k].standard_error = seen > 1 ? sqrt(squares[k] / (seen - 1) / seen) : NAN;
        if (!out[k].images) out[k].loss = NAN;
    }
    return count;
}
