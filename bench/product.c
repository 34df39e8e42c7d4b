/* Products alone, in no model: of matrices, "960x1024x512", or a convolution and its gradients, "8x32x32x128:3x128". */
#include <stdio.h>

#include "bench.h"
#include "op/conv2d.h"
#include "op/ops.h"

enum { MOST = 1 << 15 };

/* C [m,n] = A [m,k] B [k,n]; or x [n,h,w,i] by a window of k x k to o channels. */
typedef struct sizes {
    bool matrices;
    long long m, k, n, h, w, i, o;
} sizes;

static bool read_sizes(const char *name, sizes *s)
{
    char end;
    *s = (sizes){ .matrices = true };
    if (sscanf(name, "%lldx%lldx%lld%c", &s->m, &s->k, &s->n, &end) == 3) return true;
    s->matrices = false;
    return sscanf(name, "%lldx%lldx%lldx%lld:%lldx%lld%c", &s->n, &s->h, &s->w, &s->i, &s->k, &s->o, &end) == 6;
}

bool bench_is_sizes(const char *name)
{
    sizes s;
    return read_sizes(name, &s);
}

static rheo_value storage(rheo_graph *g, rheo_state *state, const char *name, rheo_shape s)
{
    const int k = rheo_storage_add(state, name, RHEO_F32, rheo_count(s));
    return k < 0 ? rheo_graph_fail(g, "out of memory") : rheo_whole(g, k, s);
}

static void add_product(rheo_graph *g, rheo_state *state, const sizes *s)
{
    const rheo_value a = storage(g, state, "a", RHEO_SHAPE(1, 1, s->m, s->k)), b = storage(g, state, "b", RHEO_SHAPE(1, 1, s->k, s->n));
    rheo_assign(g, storage(g, state, "c", RHEO_SHAPE(1, 1, s->m, s->n)), rheo_matmul(g, a, b, false, false));
}

static void add_convolution(rheo_graph *g, rheo_state *state, const sizes *s)
{
    const rheo_shape xs = RHEO_SHAPE(s->n, s->h, s->w, s->i), ws = RHEO_SHAPE(s->k, s->k, s->i, s->o), ys = RHEO_SHAPE(s->n, s->h, s->w, s->o);
    const rheo_value x = storage(g, state, "x", xs), w = storage(g, state, "w", ws), dy = storage(g, state, "dy", ys);
    const int pad = (int)s->k / 2;
    rheo_assign(g, storage(g, state, "y", ys), rheo_conv2d(g, x, w, pad, 1));
    rheo_assign(g, storage(g, state, "dx", xs), rheo_conv2d_dx(g, dy, w, xs, pad, 1));
    rheo_assign(g, storage(g, state, "dw", ws), rheo_conv2d_dw(g, x, dy, ws, pad, 1));
}

static bool sensible(const sizes *s)
{
    const long long all[] = { s->m, s->k, s->n, s->h, s->w, s->i, s->o };
    for (int k = 0; k < 7; k++) {
        const bool used = s->matrices ? k < 3 : k > 0;
        if (used && (all[k] < 1 || all[k] > MOST)) return false;
    }
    return s->matrices || s->k % 2 == 1;
}

rheo_status bench_product_create(const char *name, const bench_model_options *o, bench_model *out, rheo_error *err)
{
    rheo_instance *in = &out->in;
    sizes s;
    if (!read_sizes(name, &s) || !sensible(&s))
        return rheo_fail(err, RHEO_EINVAL, "shapes: found '%.60s', expected sizes from 1 to %d and an odd window", name, MOST);
    rheo_status st = rheo_device_open(o->device, &in->dev, err);
    if (!st && !(in->state = rheo_state_create())) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_state_bind(in->state, in->dev, err);
    if (!st) st = bench_choose(in, &out->recipe, o, err);
    if (st) return st;
    rheo_graph *g = rheo_graph_create(in->state, &rheo_op_arithmetic);
    if (!g) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (s.matrices) add_product(g, in->state, &s);
    else add_convolution(g, in->state, &s);
    const rheo_plan_options usual = rheo_usual_plan(in);
    st = rheo_plan_create(g, in->state, &usual, &out->product, err);
    out->plan = out->product;
    rheo_graph_destroy(g);
    return st;
}
