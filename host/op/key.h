/* The key of random nodes (ops.h): seed, step and first sample's index as storages, so that replays draw new numbers. */
#ifndef RHEO_OP_KEY_H
#define RHEO_OP_KEY_H

#include "graph/state.h"

typedef struct rheo_key { int seed, step, first; } rheo_key;        /* storages, u32: [2], [1], [1] */

rheo_status rheo_key_declare(rheo_state *s, rheo_key *out, rheo_error *err);
rheo_status rheo_key_write(rheo_state *s, const rheo_key *k, uint64_t seed, uint32_t step, uint32_t first, rheo_error *err);
rheo_value rheo_key_value(rheo_graph *g, const rheo_key *k);

#endif
