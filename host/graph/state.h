/* Storages: named flat arrays of 4-byte elements that outlive runs: parameters, moments, counters, batches.
 * Declared first, then bound to a device (or to host memory in double) and shared by any number of plans. */
#ifndef RHEO_GRAPH_STATE_H
#define RHEO_GRAPH_STATE_H

#include "graph/graph.h"
#include "runtime/runtime.h"

typedef struct rheo_storage {
    const char *name;
    rheo_type type;
    int64_t count;           /* elements */
} rheo_storage;

rheo_state *rheo_state_create(void);
void rheo_state_destroy(rheo_state *s);     /* releases the memory behind every storage; accepts NULL */

/* Declares a storage, zero at first; returns its index (0, 1, ..) or -1 when out of memory. */
int rheo_storage_add(rheo_state *s, const char *name, rheo_type type, int64_t count);
int rheo_storage_count(const rheo_state *s);
const rheo_storage *rheo_storage_at(const rheo_state *s, int k);
size_t rheo_state_bytes(const rheo_state *s); /* of all, as a device holds them */

/* Where the contents are: exactly one of a device (float32/uint32 there) or NULL (doubles in host memory).
 * Storages added later get their memory when first used. */
rheo_status rheo_state_bind(rheo_state *s, rheo_device *dev, rheo_error *err);
rheo_device *rheo_state_device(const rheo_state *s);

/* Copies count elements from or to host memory: float for F32, uint32_t for U32 storages. Both wait for the device. */
rheo_status rheo_state_write(rheo_state *s, int storage, int64_t offset, int64_t count, const void *from, rheo_error *err);
rheo_status rheo_state_read(rheo_state *s, int storage, int64_t offset, int64_t count, void *to, rheo_error *err);
/* Only queues the write: what it is made from must stay as it is until the device has passed it. */
rheo_status rheo_state_upload(rheo_state *s, int storage, int64_t offset, int64_t count, const void *from, rheo_error *err);

/* In full double precision; only for states bound to the host, valid until the state is destroyed. */
rheo_status rheo_state_values(rheo_state *s, int storage, double **out, rheo_error *err);
/* The device buffer behind a storage, lent; only for states bound to a device. */
rheo_status rheo_state_buffer(rheo_state *s, int storage, cl_mem *out, rheo_error *err);

#endif
