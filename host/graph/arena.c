/* Best-fit allocation of offsets in arenas; free gaps are kept sorted by offset and joined when they touch. */
#include <stdlib.h>
#include <string.h>

#include "graph/layout.h"

typedef struct rheo_gap { size_t offset, bytes; } rheo_gap;

typedef struct rheo_arena {
    rheo_gap *gaps;
    int n_gaps, capacity;
    size_t end;                 /* bytes in use so far: the arena's size */
} rheo_arena;

/* Given back lately: not taken again while anything else fits, as what is written there waits for those who read it. Of the 749 launches of
 * rheo-bench's glow-small the longest chains are 515 with none, 398 with 8, 387 where nothing shares memory. */
enum { RESTS = 8 };
typedef struct rheo_rest {
    int arena;
    size_t offset, bytes;
} rheo_rest;

struct rheo_arenas {
    rheo_arena *at;
    int n, capacity;
    size_t largest, align;
    bool separate;
    rheo_rest rests[RESTS];     /* the oldest first */
    int n_rests, most_rests;
};

rheo_arenas *rheo_arenas_create(size_t largest, size_t align, bool separate, bool rest)
{
    rheo_arenas *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->largest = largest;
    a->align = align;
    a->separate = separate;
    a->most_rests = rest ? RESTS : 0;
    return a;
}

void rheo_arenas_destroy(rheo_arenas *a)
{
    if (!a) return;
    for (int k = 0; k < a->n; k++) free(a->at[k].gaps);
    free(a->at);
    free(a);
}

int rheo_arenas_count(const rheo_arenas *a) { return a->n; }
size_t rheo_arenas_bytes(const rheo_arenas *a, int arena) { return a->at[arena].end; }

static size_t rounded(const rheo_arenas *a, size_t bytes)
{
    const size_t least = bytes ? bytes : 1;
    return (least + a->align - 1) / a->align * a->align;
}

static rheo_arena *new_arena(rheo_arenas *a)
{
    if (!rheo_grow((void **)&a->at, &a->capacity, a->n + 1, sizeof *a->at)) return NULL;
    rheo_arena *arena = &a->at[a->n++];
    memset(arena, 0, sizeof *arena);
    return arena;
}

static void remove_gap(rheo_arena *arena, int k)
{
    memmove(&arena->gaps[k], &arena->gaps[k + 1], (size_t)(--arena->n_gaps - k) * sizeof *arena->gaps);
}

/* The smallest gap that fits. */
static bool take_gap(rheo_arena *arena, size_t bytes, size_t *offset)
{
    int best = -1;
    for (int k = 0; k < arena->n_gaps; k++)
        if (arena->gaps[k].bytes >= bytes && (best < 0 || arena->gaps[k].bytes < arena->gaps[best].bytes)) best = k;
    if (best < 0) return false;
    *offset = arena->gaps[best].offset;
    arena->gaps[best].offset += bytes;
    arena->gaps[best].bytes -= bytes;
    if (!arena->gaps[best].bytes) remove_gap(arena, best);
    return true;
}

/* The arena's end, where a gap that touches it is the beginning of it. */
static bool take_end(const rheo_arenas *a, rheo_arena *arena, size_t bytes, size_t *offset)
{
    const int last = arena->n_gaps - 1;
    const bool grows = last >= 0 && arena->gaps[last].offset + arena->gaps[last].bytes == arena->end;
    const size_t from = grows ? arena->gaps[last].offset : arena->end;
    if (bytes > a->largest || from > a->largest - bytes) return false;
    if (grows) remove_gap(arena, last);
    *offset = from;
    arena->end = from + bytes;
    return true;
}

static bool give_gap(rheo_arena *arena, size_t offset, size_t bytes)
{
    int k = 0;
    while (k < arena->n_gaps && arena->gaps[k].offset < offset) k++;
    if (k > 0 && arena->gaps[k - 1].offset + arena->gaps[k - 1].bytes == offset) {
        arena->gaps[k - 1].bytes += bytes;
        if (k < arena->n_gaps && offset + bytes == arena->gaps[k].offset) {
            arena->gaps[k - 1].bytes += arena->gaps[k].bytes;
            remove_gap(arena, k);
        }
        return true;
    }
    if (k < arena->n_gaps && offset + bytes == arena->gaps[k].offset) {
        arena->gaps[k].offset = offset;
        arena->gaps[k].bytes += bytes;
        return true;
    }
    if (!rheo_grow((void **)&arena->gaps, &arena->capacity, arena->n_gaps + 1, sizeof *arena->gaps)) return false;
    memmove(&arena->gaps[k + 1], &arena->gaps[k], (size_t)(arena->n_gaps - k) * sizeof *arena->gaps);
    arena->gaps[k] = (rheo_gap){ offset, bytes };
    arena->n_gaps++;
    return true;
}

static bool wake_oldest(rheo_arenas *a)
{
    const rheo_rest r = a->rests[0];
    memmove(a->rests, a->rests + 1, (size_t)--a->n_rests * sizeof *a->rests);
    return give_gap(&a->at[r.arena], r.offset, r.bytes);
}

bool rheo_arenas_take(rheo_arenas *a, size_t bytes, int *arena, size_t *offset)
{
    bool ok = true;
    bytes = rounded(a, bytes);
    while (ok && !a->separate) {
        for (*arena = 0; *arena < a->n; ++*arena)
            if (take_gap(&a->at[*arena], bytes, offset)) return true;
        if (!a->n_rests) break;
        ok = wake_oldest(a);
    }
    for (*arena = 0; *arena < a->n && ok && !a->separate; ++*arena)
        if (take_end(a, &a->at[*arena], bytes, offset)) return true;
    rheo_arena *fresh = ok ? new_arena(a) : NULL;
    if (!fresh) return false;
    fresh->end = bytes;
    *arena = a->n - 1;
    *offset = 0;
    return true;
}

bool rheo_arenas_give(rheo_arenas *a, int arena, size_t offset, size_t bytes)
{
    bytes = rounded(a, bytes);
    if (!a->most_rests) return give_gap(&a->at[arena], offset, bytes);
    const bool ok = a->n_rests < a->most_rests || wake_oldest(a);
    a->rests[a->n_rests++] = (rheo_rest){ arena, offset, bytes };
    return ok;
}
