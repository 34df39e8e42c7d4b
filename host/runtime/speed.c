/* Which device is fastest: multiply-adds of cl/device.cl, about 50 ms each, remembered in the cache folder. */
#include <stdlib.h>
#include <stdio.h>

#include "base/clock.h"
#include "runtime/internal.h"

static double time_rounds(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, cl_mem out, int rounds)
{
    const rheo_arg args[] = { RHEO_BUF(out), RHEO_INT(rounds) };
    const double start = rheo_seconds();
    if (rheo_launch(dev, kernel, grid, args, 2, NULL) || rheo_finish(dev, NULL)) return -1;
    return rheo_seconds() - start;
}

/* GFLOP/s, or 0 where the device fails. */
static double measure(const rheo_found *found)
{
    enum { FLOP_A_ROUND = 8 * 2 };       /* fma_rate: 8 multiply-adds a round, on vectors */
    rheo_device *dev = NULL;
    rheo_kernel *kernel = NULL;
    cl_mem out = NULL;
    double rate = 0;
    if (rheo_device_open_found(found, &dev, NULL)) goto done;
    const rheo_device_facts *f = rheo_device_facts_of(dev);
    const bool cpu = f->kind == RHEO_CPU;
    const size_t group = cpu ? 1 : f->max_group < 64 ? f->max_group : 64;
    const size_t items = group * f->compute_units * (cpu ? 4 : 32);
    const rheo_grid grid = { { items, 1, 1 }, { group, 1, 1 } };
    if (rheo_kernel_get(dev, "device", "fma_rate", &kernel, NULL)) goto done;
    if (rheo_buffer_create(dev, items * sizeof(float), &out, NULL)) goto done;
    if (time_rounds(dev, kernel, grid, out, 1) < 0) goto done;
    for (int rounds = 64; rounds <= 1 << 24; rounds *= 4) {
        const double seconds = time_rounds(dev, kernel, grid, out, rounds);
        if (seconds < 0) goto done;
        const double now = (double)items * rounds * FLOP_A_ROUND * f->vector_width / seconds * 1e-9;
        rate = now > rate ? now : rate;
        if (seconds > 0.012) break;      /* with all before it at most about 50 ms + 16 ms */
    }
    rheo_cache_save(dev);
done:
    rheo_buffer_release(out);
    rheo_device_close(dev);
    return rate;
}

static double remembered(const rheo_found *found)
{
    rheo_cache_key key = RHEO_CACHE_KEY_INIT;
    void *data = NULL;
    size_t bytes = 0;
    double rate = 0;
    rheo_cache_key_text(&key, found->facts.name);
    rheo_cache_key_text(&key, found->facts.driver);
    rheo_cache_key_text(&key, found->platform_version);
    if (rheo_cache_get("speed", key, &data, &bytes)) {
        rate = bytes > 0 ? strtod(data, NULL) : 0;
        free(data);
        return rate;
    }
    rate = measure(found);
    char text[32];
    const int n = snprintf(text, sizeof text, "%.1f GFLOP/s\n", rate);
    (void)rheo_cache_put("speed", key, text, (size_t)n);
    return rate;
}

size_t rheo_device_fastest(const rheo_found *const *found, size_t n)
{
    size_t best = 0;
    double best_rate = -1;
    if (n == 1) return 0;
    for (size_t k = 0; k < n; ++k) {
        const double rate = remembered(found[k]);
        if (rate > best_rate) {
            best_rate = rate;
            best = k;
        }
    }
    return best;
}
