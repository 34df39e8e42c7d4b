#include "model/score_matching.h"

static rheo_value over_sample(rheo_graph *g, rheo_value x) { return rheo_sum(g, x, RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C); }

rheo_value rheo_denoising(rheo_graph *g, rheo_value s, rheo_value z, rheo_value sigma)
{
    const rheo_value off = rheo_add(g, rheo_mul(g, sigma, s), z);
    return rheo_affine(g, over_sample(g, rheo_square(g, off)), 0.5, 0);
}

rheo_value rheo_sliced(rheo_graph *g, rheo_value s, rheo_value x, rheo_value v, bool reduced)
{
    const rheo_value along = over_sample(g, rheo_mul(g, v, s));
    rheo_value pulled = RHEO_NONE;
    rheo_gradients(g, 1, &along, NULL, 1, &x, &pulled);
    const rheo_value trace = over_sample(g, rheo_mul(g, pulled, v));
    const rheo_value square = reduced ? over_sample(g, rheo_square(g, s)) : rheo_square(g, along);
    return rheo_add(g, trace, rheo_affine(g, square, 0.5, 0));
}
