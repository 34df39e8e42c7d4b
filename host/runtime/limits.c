/* Devices made smaller than they are, by RHEO_LIMIT_... in the environment: how the tests run what small devices run. */
#include <ctype.h>
#include <stdlib.h>

#include "runtime/internal.h"

enum { WHOLE_GROUP = 256, SMALL_GROUP = 64 };

/* A tenth of a second at 100 GFLOP/s, which a slow GPU reaches. */
static const uint64_t LAUNCH_FLOPS = 10000000000;

unsigned rheo_group_of(const rheo_device_facts *f)
{
    return f->max_group >= WHOLE_GROUP ? WHOLE_GROUP : SMALL_GROUP;
}

/* "64", "32K", "64M", "1G". *value stays as it is where the variable is not set or asks for more. */
static rheo_status lower(const char *variable, const char *expected, uint64_t *value, rheo_error *err)
{
    const char *text = getenv(variable), *const units = "KMG";
    char *end = NULL;
    if (!text || !*text) return RHEO_OK;
    uint64_t limit = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;
    for (int k = 0; end && *end && units[k]; ++k)
        if (*end == units[k]) {
            const int shift = 10 * (k + 1);
            limit = limit > UINT64_MAX >> shift ? UINT64_MAX : limit << shift;
            ++end;
            break;
        }
    if (!end || *end) return rheo_fail(err, RHEO_EINVAL, "%s: found '%.40s', expected %s", variable, text, expected);
    if (limit < *value) *value = limit;
    return RHEO_OK;
}

rheo_status rheo_limits_apply(rheo_device_facts *f, rheo_error *err)
{
    const char *const bytes = "bytes, as in 64M, 32K, 1G";
    uint64_t group = f->max_group, vector = f->vector_width, fma = f->fast_fma, overlaps = f->overlaps;
    rheo_status st = lower("RHEO_LIMIT_MEMORY", bytes, &f->global_bytes, err);
    if (!st) st = lower("RHEO_LIMIT_BUFFER", bytes, &f->largest_buffer_bytes, err);
    if (!st) st = lower("RHEO_LIMIT_LOCAL", bytes, &f->local_bytes, err);
    if (!st) st = lower("RHEO_LIMIT_GROUP", "work-items, 64 or more", &group, err);
    if (!st) st = lower("RHEO_LIMIT_VECTOR", "floats, 4, 8 or 16", &vector, err);
    if (!st) st = lower("RHEO_LIMIT_FMA", "0 or 1", &fma, err);
    if (!st) st = lower("RHEO_LIMIT_OVERLAP", "0 or 1", &overlaps, err);
    f->launch_flops = LAUNCH_FLOPS;
    if (!st) st = lower("RHEO_LIMIT_LAUNCH", "floating-point operations, 1 or more", &f->launch_flops, err);
    if (st) return st;
    if (group < SMALL_GROUP && f->max_group >= SMALL_GROUP)
        return rheo_fail(err, RHEO_EINVAL, "RHEO_LIMIT_GROUP: found %llu, expected work-items, 64 or more", (unsigned long long)group);
    if (f->largest_buffer_bytes > f->global_bytes) f->largest_buffer_bytes = f->global_bytes;
    f->max_group = (size_t)group;
    f->group = rheo_group_of(f);
    if (f->kind == RHEO_CPU) f->vector_width = vector >= 16 ? 16 : vector >= 8 ? 8 : 4;
    f->fast_fma = fma != 0;
    f->overlaps = overlaps != 0;
    return RHEO_OK;
}
