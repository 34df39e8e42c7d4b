#include "data/augment.h"

#include "base/philox.h"

static uint32_t clamp(int64_t at, uint32_t n) { return at < 0 ? 0 : at >= n ? n - 1 : (uint32_t)at; }

void rheo_augment_image(const rheo_augment *a, uint64_t seed, uint32_t row, uint32_t epoch, const uint8_t *x, float *out)
{
    const rheo_address at = { .seed = seed, .sample = row, .step = epoch, .purpose = RHEO_FOR_FLIP };
    uint32_t word[4];
    rheo_philox_block(&at, 0, word);
    const bool flip = a->flip && rheo_philox_below(word[0], 2);
    const int64_t down = (int64_t)rheo_philox_below(word[1], 2 * a->shift + 1) - a->shift;
    const int64_t across = (int64_t)rheo_philox_below(word[2], 2 * a->shift + 1) - a->shift;
    for (uint32_t i = 0; i < a->h; i++) {
        const uint8_t *line = x + (size_t)clamp(i - down, a->h) * a->w * a->c;
        for (uint32_t j = 0; j < a->w; j++) {
            const uint32_t column = clamp(j - across, a->w);
            const uint8_t *from = line + (size_t)(flip ? a->w - 1 - column : column) * a->c;
            for (uint32_t k = 0; k < a->c; k++) *out++ = from[k];
        }
    }
}
