#include "net/softplus_net.h"

#include <math.h>

rheo_softplus_net rheo_softplus_net_create(rheo_params *p, int64_t in, int64_t width, int64_t out)
{
    const int64_t size[4] = { in, width, width, out };
    rheo_softplus_net net;
    for (int k = 0; k < 3; k++) {
        const float bound = (float)(1 / sqrt((double)size[k]));
        rheo_params_enter(p, "layer%d", k + 1);
        net.weight[k] = rheo_params_add_convolution(p, "weight", RHEO_SHAPE(1, 1, size[k], size[k + 1]), RHEO_INIT_UNIFORM, bound);
        net.bias[k] = rheo_params_add(p, "bias", rheo_vector(size[k + 1]), RHEO_INIT_UNIFORM, bound);
        rheo_params_leave(p);
    }
    return net;
}

rheo_value rheo_softplus_net_apply(rheo_build *b, const rheo_softplus_net *net, rheo_value x)
{
    for (int k = 0; k < 3; k++) {
        x = rheo_add(b->g, rheo_conv2d(b->g, x, rheo_param_value(b, net->weight[k]), 0, 1), rheo_param_value(b, net->bias[k]));
        if (k < 2) x = rheo_softplus(b->g, x);
    }
    return x;
}
