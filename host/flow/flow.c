#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/layer.h"

void *rheo_flow_new(const rheo_params *p, const rheo_flow_type *type, size_t bytes)
{
    rheo_flow *f = calloc(1, bytes);
    if (!f) return NULL;
    const char *path = rheo_params_path(p);
    f->type = type;
    snprintf(f->scope, sizeof f->scope, "%.*s", (int)strlen(path) - (*path != 0), path);      /* without the last dot */
    return f;
}

void rheo_flow_destroy(rheo_flow *f) { free(f); }

typedef struct rheo_flow_call {
    rheo_build *b;
    const rheo_flow *f;
    rheo_value logdet;          /* what the layer adds its own to */
} rheo_flow_call;

static void forward(rheo_graph *g, void *ctx, rheo_value x, rheo_value *out)
{
    rheo_flow_call *call = ctx;
    rheo_value logdet = call->logdet;
    rheo_name_scope(g, call->f->scope);
    call->f->type->forward(call->b, call->f, x, &out[0], &logdet);
    out[1] = logdet.node == call->logdet.node ? RHEO_NONE : logdet;
}

/* From here on the sum starts at zero: the sum of the first pass is long gone when the layer runs again. */
static rheo_value zeros(rheo_graph *g, rheo_shape shape)
{
    const size_t bytes = (size_t)rheo_count(shape) * sizeof(float);
    float *data = calloc(1, bytes);
    const rheo_value v = data ? rheo_table_f32(g, shape, data) : rheo_graph_fail(g, "out of memory");
    free(data);
    return v;
}

static rheo_value inverse(rheo_graph *g, void *ctx, rheo_value y)
{
    const rheo_flow_call *call = ctx;
    rheo_name_scope(g, call->f->scope);
    return call->f->type->inverse(call->b, call->f, y);
}

void rheo_flow_apply(rheo_build *b, const rheo_flow *f, rheo_value x, rheo_value *y, rheo_value *logdet)
{
    rheo_value out[2] = { RHEO_NONE, RHEO_NONE };
    rheo_flow_call *call = rheo_build_alloc(b, sizeof *call);       /* the gradients come back to it */
    if (!call) return;
    *call = (rheo_flow_call){ b, f, *logdet };
    const rheo_block block = { .inverse = inverse, .forward = forward, .carry = *logdet, .ctx = call, .n_out = 2 };
    rheo_apply_block(b->g, &block, b->invert && !b->initialise, x, out);
    call->logdet = zeros(b->g, rheo_shape_of(b->g, *logdet));
    *y = out[0];
    if (!rheo_is_none(out[1])) *logdet = out[1];
}

rheo_value rheo_flow_invert(rheo_build *b, const rheo_flow *f, rheo_value y)
{
    rheo_name_scope(b->g, f->scope);
    return f->type->inverse(b, f, y);
}
