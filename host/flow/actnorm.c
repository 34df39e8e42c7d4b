/* Actnorm (flows 1.1): y = (x + b) exp(a) per channel, a = 3 l, logdet = H W sum(a). The factor 3 multiplies the learning
 * rate of l. Initialised so that the first batch comes out with mean 0 and deviation 1 in every channel. */
#include "flow/layer.h"
#include "net/whiten.h"

typedef struct rheo_actnorm {
    rheo_flow flow;
    int bias, log_scale;
} rheo_actnorm;

static const float factor = 3;

static void actnorm_forward(rheo_build *b, const rheo_flow *flow, rheo_value x, rheo_value *y, rheo_value *logdet)
{
    const rheo_actnorm *f = (const rheo_actnorm *)flow;
    const rheo_affine_attr attr = { 0, factor };
    if (b->initialise) rheo_whiten(b, f->bias, f->log_scale, factor, x);
    *y = rheo_affine_act(b->g, x, rheo_param_value(b, f->bias), rheo_param_value(b, f->log_scale), *logdet, attr);
    *logdet = rheo_output(*y, 1);
}

static rheo_value actnorm_inverse(rheo_build *b, const rheo_flow *flow, rheo_value y)
{
    const rheo_actnorm *f = (const rheo_actnorm *)flow;
    return rheo_affine_inverse(b->g, y, rheo_param_value(b, f->bias), rheo_param_value(b, f->log_scale), factor);
}

static const rheo_flow_type actnorm = { .name = "actnorm", .forward = actnorm_forward, .inverse = actnorm_inverse };

rheo_flow *rheo_actnorm_create(rheo_params *p, int64_t channels)
{
    rheo_actnorm *f = rheo_flow_new(p, &actnorm, sizeof *f);
    if (!f) return NULL;
    f->bias = rheo_params_add(p, "bias", rheo_vector(channels), RHEO_INIT_CONSTANT, 0);
    f->log_scale = rheo_params_add(p, "log_scale", rheo_vector(channels), RHEO_INIT_CONSTANT, 0);
    return &f->flow;
}
