/* The mixture of figures 2 and 3 in Song and Ermon 2019 (score 7): 1/5 N((-5,-5), t^2 I) + 4/5 N((5,5), t^2 I), t^2 = 1 + sigma^2 after
 * noise. With w = sigmoid(ln 4 + 10 (x1 + x2) / t^2), the weight of the larger mode, its score is ((2 w - 1) (5, 5) - x) / t^2. */
#ifndef RHEO_TOY_MIXTURE_H
#define RHEO_TOY_MIXTURE_H

#include "op/ops.h"

#define RHEO_MIXTURE_NAME "two-gaussians" /* in data/toy.h; t = 1 */
#define RHEO_MIXTURE_MODE 5.0             /* both coordinates of one mode; minus them the other's */

void rheo_mixture_score(const double x[2], double deviation, double score[2]);
/* The same of x [N,1,1,2] as nodes; a rheo_score_builder (sample/chain.h), sigma being t. ctx and labels are not used. */
rheo_value rheo_mixture_score_nodes(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value deviation);

#endif
