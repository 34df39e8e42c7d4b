/* The graph's own records, for the files of host/graph/ only. */
#ifndef RHEO_GRAPH_INTERNAL_H
#define RHEO_GRAPH_INTERNAL_H

#include "graph/graph.h"
#include "graph/op.h"
#include "graph/state.h"

/* A block that was applied with `invert`: outputs lie in nodes [first, end). */
typedef struct rheo_block_record {
    rheo_block block;
    rheo_value x, out[RHEO_MAX_OUT];
    int32_t first, end;
} rheo_block_record;

typedef struct rheo_assignment { rheo_value window, value; } rheo_assignment;

typedef struct rheo_chunk rheo_chunk;

struct rheo_graph {
    const rheo_state *state;
    rheo_arithmetic arithmetic;
    rheo_error error;

    rheo_node **nodes;
    int n_nodes, nodes_capacity;
    int32_t *buckets;                   /* open addressing over node ids, -1 empty */
    int n_buckets;

    rheo_block_record *blocks;
    int n_blocks, blocks_capacity;
    rheo_assignment *assigns;
    int n_assigns, assigns_capacity;

    int32_t region, n_regions;          /* region nodes are built in; 0 is outside all */
    const char *scope;
    rheo_chunk *chunks;                 /* bump memory of nodes, attributes and names */
};

/* Structural ops (structure.c): what the planner must know itself. */
typedef struct rheo_window_attr { int32_t storage, zero; int64_t offset; rheo_shape shape; } rheo_window_attr;
extern const rheo_op rheo_op_window, rheo_op_reshape, rheo_op_barrier;

void *rheo_graph_alloc(rheo_graph *g, size_t bytes);        /* zeroed, freed with the graph; NULL records ENOMEM */
bool rheo_grow(void **array, int *capacity, int needed, size_t element_bytes);

/* Storage behind a window node, or -1. */
static inline const rheo_window_attr *rheo_window_of(const rheo_node *n)
{
    return n->op == &rheo_op_window ? n->attr : NULL;
}

static inline size_t rheo_bytes(rheo_shape s) { return (size_t)rheo_count(s) * 4; }

#endif
