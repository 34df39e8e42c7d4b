/* Noise levels sigma_1 > ... > sigma_L, and the rules of Song and Ermon 2020 for choosing them (score 2, 6). */
#ifndef RHEO_SAMPLE_LADDER_H
#define RHEO_SAMPLE_LADDER_H

#include <stdbool.h>

#include "base/error.h"

/* n levels from first to last, evenly spaced in their logarithms or themselves; n = 1: first. */
void rheo_ladder(double first, double last, int n, bool geometric, double *out);

/* Technique 1: the largest distance between two rows of x [n, d]. Exact. */
rheo_status rheo_largest_distance(const float *x, int64_t n, int64_t d, double *out, rheo_error *err);

/* Technique 2: the ratio of neighbouring levels whose shells of noise overlap by `overlap` (1/2 as published):
 * Phi(sqrt(2 d) (ratio - 1) + 3 ratio) - Phi(sqrt(2 d) (ratio - 1) - 3 ratio) = overlap. */
double rheo_ladder_overlap(int64_t d, double ratio);
double rheo_ladder_ratio(int64_t d, double overlap);
/* How many levels lead from first to last at that ratio; at least 2. */
int rheo_ladder_length(double first, double last, double ratio);

/* Technique 4: by how much T steps of size epsilon sigma^2 / last^2 leave a level's variance off its own, where they began one
 * level above; and the epsilon in (0, 2 last^2) that brings it nearest to 1. */
double rheo_ladder_excess(double ratio, double last, int steps, double epsilon);
double rheo_ladder_step(double ratio, double last, int steps);

/* The noise of chains in units of their level's deviation, where it settles after many levels, for a network that is conditioned by
 * 1 / sigma only: it goes by the noise it sees, and few steps a level may let that fall behind the ladder. INFINITY: without end.
 * And the epsilon below last^2 that keeps it smallest, 0 if none does. */
double rheo_ladder_lag(double ratio, double last, int steps, double epsilon);
double rheo_ladder_least_lag(double ratio, double last, int steps);

#endif
