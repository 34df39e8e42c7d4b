/* Coupling (Dinh et al. 2017; flows 1.3): the first half of the channels conditions, the second half is transformed. */
#include "flow/layer.h"
#include "net/coupling_net.h"

typedef struct rheo_coupling_layer {
    rheo_flow flow;
    rheo_coupling_net net;
    bool affine;
} rheo_coupling_layer;

static void coupling_forward(rheo_build *b, const rheo_flow *flow, rheo_value x, rheo_value *y, rheo_value *logdet)
{
    const rheo_coupling_layer *f = (const rheo_coupling_layer *)flow;
    const rheo_value h = rheo_coupling_net_apply(b, &f->net, rheo_coupling_condition(b->g, x));
    *y = rheo_coupling(b->g, x, h, *logdet, f->affine);
    if (f->affine) *logdet = rheo_output(*y, 1);
}

static rheo_value coupling_inverse(rheo_build *b, const rheo_flow *flow, rheo_value y)
{
    const rheo_coupling_layer *f = (const rheo_coupling_layer *)flow;
    return rheo_coupling_inverse(b->g, y, rheo_coupling_net_apply(b, &f->net, rheo_coupling_condition(b->g, y)), f->affine);
}

static const rheo_flow_type coupling = { .name = "coupling", .forward = coupling_forward, .inverse = coupling_inverse };

rheo_flow *rheo_coupling_create(rheo_params *p, int64_t channels, const rheo_coupling_options *o)
{
    const int64_t conditions = channels / 2, transformed = channels - conditions;
    rheo_coupling_layer *f = rheo_flow_new(p, &coupling, sizeof *f);
    if (!f) return NULL;
    f->affine = o->affine;
    f->net = rheo_coupling_net_create(p, conditions, o->width, o->affine ? 2 * transformed : transformed, o->kernel, o->edge);
    return &f->flow;
}
