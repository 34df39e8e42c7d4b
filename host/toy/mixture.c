#include "toy/mixture.h"

#include <math.h>

void rheo_mixture_score(const double x[2], double deviation, double score[2])
{
    const double precision = 1 / (deviation * deviation);
    const double w = 1 / (1 + exp(-(log(4) + 2 * RHEO_MIXTURE_MODE * (x[0] + x[1]) * precision)));
    for (int c = 0; c < 2; c++) score[c] = ((2 * w - 1) * RHEO_MIXTURE_MODE - x[c]) * precision;
}

rheo_value rheo_mixture_score_nodes(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value deviation)
{
    (void)ctx, (void)labels;
    const rheo_value precision = rheo_reciprocal(g, rheo_square(g, deviation));
    const rheo_value along = rheo_mul(g, rheo_sum(g, x, RHEO_AXIS_C), precision);
    const rheo_value w = rheo_sigmoid(g, rheo_affine(g, along, 2 * RHEO_MIXTURE_MODE, log(4)));
    return rheo_mul(g, rheo_sub(g, rheo_affine(g, w, 2 * RHEO_MIXTURE_MODE, -RHEO_MIXTURE_MODE), x), precision);
}
