/* Score matching for any score given as nodes (Vincent 2011; Song et al. 2019; score 1.2, 1.4): losses of each sample [N,1,1,1]. */
#ifndef RHEO_MODEL_SCORE_MATCHING_H
#define RHEO_MODEL_SCORE_MATCHING_H

#include "op/ops.h"

/* sigma^2 / 2 |s + z / sigma|^2 = |sigma s + z|^2 / 2, which has no large terms to cancel. s: the score at x + sigma z; sigma
 * [N or 1,1,1,1]. */
rheo_value rheo_denoising(rheo_graph *g, rheo_value s, rheo_value z, rheo_value sigma);

/* v' (ds/dx) v + (v's)^2 / 2, or with `reduced` variance |s|^2 / 2 in place of the square. v: E v v' = I, like x. */
rheo_value rheo_sliced(rheo_graph *g, rheo_value s, rheo_value x, rheo_value v, bool reduced);

#endif
