#include "net/whiten.h"

#include "op/ops.h"

static const float floor_deviation = 1e-6f;

void rheo_whiten(rheo_build *b, int bias, int log_scale, float factor, rheo_value x)
{
    rheo_graph *g = b->g;
    const int everywhere = RHEO_AXIS_N | RHEO_AXIS_H | RHEO_AXIS_W;
    const rheo_value shift = rheo_neg(g, rheo_mean(g, x, everywhere));
    const rheo_value deviation = rheo_sqrt(g, rheo_mean(g, rheo_square(g, rheo_add(g, x, shift)), everywhere));
    rheo_param_set(b, bias, shift);
    rheo_param_set(b, log_scale, rheo_affine(g, rheo_log(g, rheo_affine(g, deviation, 1, floor_deviation)), -1 / factor, 0));
}
