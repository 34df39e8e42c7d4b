/* The histogram of `rheo score`. */
#ifndef RHEO_TOOLS_SCORE_PLOT_H
#define RHEO_TOOLS_SCORE_PLOT_H

#include <stdbool.h>

#include "rheo/rheo.h"

/* The scores of one data set. */
typedef struct scores {
    const char *data;
    uint32_t n;
    double *nats;            /* [n], -log p(x) */
    double mean, error;      /* of them, nats; NAN of one alone */
} scores;

/* A histogram of `unit` times each score, in bins common to all sets, `axis` below it. Its script, data inside, stays beside `path` (which
 * ends in .png) under the same name with .gp: *drawn is false where gnuplot did not draw it. */
rheo_status score_plot(const char *path, const scores *sets, int count, double unit, const char *axis, bool *drawn, rheo_error *err);

#endif
