/* Where every value of a graph lies while it runs: liveness, arenas, windows written in place. */
#ifndef RHEO_GRAPH_LAYOUT_H
#define RHEO_GRAPH_LAYOUT_H

#include "graph/internal.h"

typedef enum rheo_place_kind { RHEO_UNPLACED, RHEO_IN_ARENA, RHEO_IN_STORAGE, RHEO_LITERAL } rheo_place_kind;

typedef struct rheo_place {
    rheo_place_kind kind;
    int index;                  /* arena or storage; the literal's node */
    size_t offset, bytes;
} rheo_place;

/* An assign that its producer could not do in place: a copy at the end of the run, all `staged` ones first
 * to `stage`, so that every storage is read before any is written. */
typedef struct rheo_final_copy {
    rheo_value value, window;
    bool staged;
    rheo_place stage;
} rheo_final_copy;

typedef struct rheo_layout {
    int n_order;
    int32_t *order;             /* live nodes, in the order they run */
    rheo_place *place;          /* [node * RHEO_MAX_OUT + out] */
    rheo_place *work;           /* [node]: workspace, bytes 0 if none */
    int32_t *death;             /* [node * RHEO_MAX_OUT + out]: last node that reads the value's memory (aliases included) */
    rheo_final_copy *copies;
    int n_copies;
    size_t *arena_bytes;        /* [n_arenas] */
    int n_arenas;
} rheo_layout;

static inline int rheo_slot_of(rheo_value v) { return v.node * RHEO_MAX_OUT + v.out; }

/* Elements of a tensor on a device, at most: kernels count in int, and step past the last one. */
enum { RHEO_TENSOR_MOST = 1 << 30 };

/* dev NULL: the host executor's (no workspace, no alignment, no largest buffer). `separate`: nothing shares memory, every
 * tensor is an arena of its own. Where launches overlap, memory is taken again late, if that needs no more than a thirty-second more. Fails with the layer, op and sizes named where a tensor exceeds the largest buffer or
 * RHEO_TENSOR_MOST. */
rheo_status rheo_layout_make(rheo_graph *g, const rheo_device_facts *dev, bool separate, rheo_layout *out, rheo_error *err);
void rheo_layout_free(rheo_layout *l);

/* Best-fit memory of several arenas, none larger than `largest` bytes (arena.c); with `rest` what was given back lately is taken last. */
typedef struct rheo_arenas rheo_arenas;
rheo_arenas *rheo_arenas_create(size_t largest, size_t align, bool separate, bool rest);
void rheo_arenas_destroy(rheo_arenas *a);
bool rheo_arenas_take(rheo_arenas *a, size_t bytes, int *arena, size_t *offset);    /* false: out of host memory */
bool rheo_arenas_give(rheo_arenas *a, int arena, size_t offset, size_t bytes);
int rheo_arenas_count(const rheo_arenas *a);
size_t rheo_arenas_bytes(const rheo_arenas *a, int arena);

#endif
