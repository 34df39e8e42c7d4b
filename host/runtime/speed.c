/* Which device is fastest: multiply-adds of cl/device.cl, about 50 ms each, remembered in the cache folder. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "runtime/internal.h"

static rheo_status time_rounds(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, cl_mem out, int rounds, double *seconds, rheo_error *err)
{
    const rheo_arg args[] = { RHEO_BUF(out), RHEO_INT(rounds) };
    const double start = rheo_seconds();
    rheo_status st = rheo_launch(dev, kernel, grid, args, 2, err);
    if (!st) st = rheo_finish(dev, err);
    *seconds = rheo_seconds() - start;
    return st;
}

rheo_status rheo_device_fma_rate(rheo_device *dev, double least, double *gflops, rheo_error *err)
{
    enum { FLOP_A_ROUND = 12 * 2 };      /* fma_rate: 12 multiply-adds a round, on vectors */
    const rheo_device_facts *f = rheo_device_facts_of(dev);
    const bool cpu = f->kind == RHEO_CPU;
    const size_t group = cpu ? 1 : f->max_group < 64 ? f->max_group : 64;
    const size_t items = group * f->compute_units * (cpu ? 4 : 32);
    const rheo_grid grid = { { items, 1, 1 }, { group, 1, 1 } };
    rheo_kernel *kernel = NULL;
    cl_mem out = NULL;
    double seconds = 0;
    *gflops = 0;
    rheo_status st = rheo_kernel_get(dev, "device", "fma_rate", &kernel, err);
    if (!st) st = rheo_buffer_create(dev, items * sizeof(float), &out, err);
    if (!st) st = time_rounds(dev, kernel, grid, out, 1, &seconds, err);
    for (int rounds = 64; !st && seconds < least && rounds <= 1 << 24; rounds *= 4) {
        st = time_rounds(dev, kernel, grid, out, rounds, &seconds, err);
        *gflops = fmax(*gflops, (double)items * rounds * FLOP_A_ROUND * f->vector_width / seconds * 1e-9);
    }
    rheo_buffer_release(out);
    return st;
}

/* GFLOP/s, or 0 where the device fails: all launches together take at most about 65 ms. */
static double measure(const rheo_found *found)
{
    rheo_device *dev = NULL;
    double rate = 0;
    if (!rheo_device_open_found(found, &dev, NULL) && !rheo_device_fma_rate(dev, 0.012, &rate, NULL)) rheo_cache_save(dev);
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
