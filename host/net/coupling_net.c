#include "net/coupling_net.h"

#include "net/whiten.h"

static const float weight_deviation = 0.05f, factor = 3;

static rheo_conv_layer create(rheo_params *p, const char *name, int64_t in, int64_t out, int kernel, bool edge, bool relu, float deviation)
{
    rheo_conv_layer l = { .relu = relu, .edge = edge && kernel > 1, .data_dependent = deviation > 0, .kernel = kernel };
    const rheo_param_init init = deviation > 0 ? RHEO_INIT_NORMAL : RHEO_INIT_CONSTANT;
    rheo_params_enter(p, "%s", name);
    l.weight = rheo_params_add_convolution(p, "weight", RHEO_SHAPE(kernel, kernel, in + l.edge, out), init, deviation);
    l.bias = rheo_params_add(p, "bias", rheo_vector(out), RHEO_INIT_CONSTANT, 0);
    l.log_scale = rheo_params_add(p, "log_scale", rheo_vector(out), RHEO_INIT_CONSTANT, 0);
    rheo_params_leave(p);
    return l;
}

rheo_conv_layer rheo_conv_layer_create(rheo_params *p, const char *name, int64_t in, int64_t out, int kernel, bool edge, bool relu)
{
    return create(p, name, in, out, kernel, edge, relu, weight_deviation);
}

rheo_conv_layer rheo_conv_zero_create(rheo_params *p, const char *name, int64_t in, int64_t out, int kernel, bool edge)
{
    return create(p, name, in, out, kernel, edge, false, 0);
}

/* x in a ring of zeros, beside a channel that is 1 on the ring and 0 inside. */
static rheo_value with_edge(rheo_graph *g, rheo_value x, int ring)
{
    const rheo_shape s = rheo_shape_of(g, x), padded = { s.n, s.h + 2 * ring, s.w + 2 * ring, s.c };
    const rheo_shape one = { s.n, padded.h, padded.w, 1 };
    const rheo_value inside = rheo_pad(g, rheo_constant(g, RHEO_SHAPE(s.n, s.h, s.w, 1), 1), RHEO_SHAPE(0, ring, ring, 0), one);
    const rheo_value parts[2] = { rheo_pad(g, x, RHEO_SHAPE(0, ring, ring, 0), padded), rheo_affine(g, inside, -1, 1) };
    return rheo_concat(g, 3, 2, parts);
}

rheo_value rheo_conv_layer_apply(rheo_build *b, const rheo_conv_layer *l, rheo_value x)
{
    rheo_graph *g = b->g;
    const int ring = l->kernel / 2;
    const rheo_value w = rheo_param_value(b, l->weight);
    const rheo_value y = l->edge ? rheo_conv2d(g, with_edge(g, x, ring), w, 0, 1) : rheo_conv2d(g, x, w, ring, 1);
    if (b->initialise && l->data_dependent) rheo_whiten(b, l->bias, l->log_scale, factor, y);
    return rheo_affine_act(g, y, rheo_param_value(b, l->bias), rheo_param_value(b, l->log_scale), RHEO_NONE, (rheo_affine_attr){ l->relu, factor });
}

rheo_coupling_net rheo_coupling_net_create(rheo_params *p, int64_t in, int64_t width, int64_t out, int kernel, bool edge)
{
    rheo_coupling_net net;
    rheo_params_enter(p, "net");
    net.layer[0] = rheo_conv_layer_create(p, "conv1", in, width, kernel, edge, true);
    net.layer[1] = rheo_conv_layer_create(p, "conv2", width, width, 1, false, true);
    net.layer[2] = rheo_conv_zero_create(p, "conv3", width, out, kernel, edge);
    rheo_params_leave(p);
    return net;
}

rheo_value rheo_coupling_net_apply(rheo_build *b, const rheo_coupling_net *net, rheo_value x)
{
    for (int k = 0; k < 3; k++) x = rheo_conv_layer_apply(b, &net->layer[k], x);
    return x;
}
