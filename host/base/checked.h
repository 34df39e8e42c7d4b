/* Sizes read from files are multiplied and added here: false, and *out untouched, where the result does not fit. */
#ifndef RHEO_BASE_CHECKED_H
#define RHEO_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool rheo_checked_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a && b > UINT64_MAX / a) return false;
    *out = a * b;
    return true;
}

#endif
