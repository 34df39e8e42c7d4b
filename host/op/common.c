#include "op/common.h"

bool rheo_check_type(rheo_graph *g, const rheo_node *n, int i, rheo_type type)
{
    if (n->in_spec[i].type == type) return true;
    rheo_graph_fail(g, "%s: input %d " RHEO_SHAPE_TEXT " is %s, expected %s", n->op->name, i, RHEO_SHAPE_LIST(n->in_spec[i].shape),
                    n->in_spec[i].type == RHEO_F32 ? "float32" : "uint32", type == RHEO_F32 ? "float32" : "uint32");
    return false;
}

bool rheo_infer_same(rheo_graph *g, rheo_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (!rheo_check_type(g, n, i, RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = n->in_spec[0];
    return true;
}

static bool broadcast_dimension(int64_t a, int64_t b, int64_t *out)
{
    *out = a > b ? a : b;
    return a == b || a == 1 || b == 1;
}

bool rheo_broadcast_shapes(rheo_shape a, rheo_shape b, rheo_shape *out)
{
    return broadcast_dimension(a.n, b.n, &out->n) && broadcast_dimension(a.h, b.h, &out->h) &&
           broadcast_dimension(a.w, b.w, &out->w) && broadcast_dimension(a.c, b.c, &out->c);
}

bool rheo_offers_on_cpus(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    (void)n, (void)variant;
    return dev->kind == RHEO_CPU;
}

int64_t rheo_vectors(const rheo_launcher *l, int64_t elements)
{
    const int64_t width = rheo_launcher_facts(l)->vector_width;
    return (elements + width - 1) / width;
}

rheo_grid rheo_grid_pieces(const rheo_launcher *l, int64_t items, int64_t elements)
{
    return rheo_grid_items(l, rheo_launcher_facts(l)->kind == RHEO_CPU ? items * rheo_vectors(l, elements) : items);
}
