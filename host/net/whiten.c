#include "net/whiten.h"

#include "op/ops.h"

static const float floor_deviation = 1e-6f;

void rheo_whiten(rheo_build *b, int bias, int log_scale, float factor, rheo_value x)
{
    rheo_graph *g = b->g;
    const int everywhere = RHEO_AXIS_N | RHEO_AXIS_H | RHEO_AXIS_W;
    const rheo_value shift = rheo_neg(g, rheo_mean(g, x, everywhere));
    const double channels = (double)rheo_count(rheo_shape_of(g, shift)), elements = (double)rheo_count(rheo_shape_of(g, x));
    const rheo_value squares = rheo_sum(g, rheo_square_sums(g, x, shift), RHEO_AXIS_N);
    const rheo_value deviation = rheo_sqrt(g, rheo_affine(g, squares, channels / elements, 0));
    rheo_param_set(b, bias, shift);
    rheo_param_set(b, log_scale, rheo_affine(g, rheo_log(g, rheo_affine(g, deviation, 1, floor_deviation)), -1 / factor, 0));
}
