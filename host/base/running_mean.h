/* Mean and spread of numbers as they come, by Welford's recurrence: sums would lose a spread of a few in numbers of thousands. */
#ifndef RHEO_BASE_RUNNING_MEAN_H
#define RHEO_BASE_RUNNING_MEAN_H

#include <math.h>
#include <stdint.h>

typedef struct rheo_running_mean { /* a zeroed one has seen none */
    uint64_t count;
    double mean, squares; /* of differences from the mean, their sum */
} rheo_running_mean;

static inline void rheo_running_mean_add(rheo_running_mean *m, double x)
{
    const double delta = x - m->mean;
    m->mean += delta / (double)++m->count;
    m->squares += delta * (x - m->mean);
}

/* Of the mean; NAN for fewer than two numbers. */
static inline double rheo_running_mean_error(const rheo_running_mean *m)
{
    return m->count > 1 ? sqrt(m->squares / ((double)m->count - 1) / (double)m->count) : NAN;
}

#endif
