/* Storages and the memory behind them: device buffers, or doubles for the host executor. */
#include "graph/state.h"

#include <stdlib.h>
#include <string.h>

#include "graph/internal.h"

typedef struct rheo_slot {
    rheo_storage storage;
    cl_mem buffer;              /* bound to a device */
    double *values;             /* bound to the host */
} rheo_slot;

struct rheo_state {
    rheo_slot *slots;
    int n_slots, capacity;
    rheo_device *dev;
};

rheo_state *rheo_state_create(void) { return calloc(1, sizeof(rheo_state)); }

void rheo_state_destroy(rheo_state *s)
{
    if (!s) return;
    for (int k = 0; k < s->n_slots; k++) {
        rheo_buffer_release(s->slots[k].buffer);
        free(s->slots[k].values);
        free((char *)s->slots[k].storage.name);
    }
    free(s->slots);
    free(s);
}

int rheo_storage_add(rheo_state *s, const char *name, rheo_type type, int64_t count)
{
    char *copy = malloc(strlen(name) + 1);
    if (!copy || !rheo_grow((void **)&s->slots, &s->capacity, s->n_slots + 1, sizeof *s->slots)) {
        free(copy);
        return -1;
    }
    strcpy(copy, name);
    s->slots[s->n_slots] = (rheo_slot){ .storage = { copy, type, count } };
    return s->n_slots++;
}

int rheo_storage_count(const rheo_state *s) { return s->n_slots; }

const rheo_storage *rheo_storage_at(const rheo_state *s, int k)
{
    return k >= 0 && k < s->n_slots ? &s->slots[k].storage : NULL;
}

size_t rheo_state_bytes(const rheo_state *s)
{
    size_t bytes = 0;
    for (int k = 0; k < s->n_slots; k++) bytes += 4 * (size_t)s->slots[k].storage.count;
    return bytes;
}

rheo_status rheo_state_bind(rheo_state *s, rheo_device *dev, rheo_error *err)
{
    for (int k = 0; k < s->n_slots; k++)
        if (s->slots[k].buffer || s->slots[k].values)
            return rheo_fail(err, RHEO_EINVAL, "state: storage '%s' is in use, bind before that", s->slots[k].storage.name);
    s->dev = dev;
    return RHEO_OK;
}

rheo_device *rheo_state_device(const rheo_state *s) { return s->dev; }

/* Memory behind storage k, made and zeroed at first use. */
static rheo_status slot_memory(rheo_state *s, int k, rheo_slot **out, rheo_error *err)
{
    if (k < 0 || k >= s->n_slots) return rheo_fail(err, RHEO_EINVAL, "state: no storage %d", k);
    rheo_slot *slot = *out = &s->slots[k];
    const size_t count = (size_t)slot->storage.count;
    if (s->dev) {
        if (slot->buffer) return RHEO_OK;
        rheo_status st = rheo_buffer_create(s->dev, count * 4, &slot->buffer, err);
        if (!st) st = rheo_fill(s->dev, slot->buffer, 0, count * 4, 0, err);
        return st;
    }
    if (!slot->values && !(slot->values = calloc(count, sizeof(double))))
        return rheo_fail(err, RHEO_ENOMEM, "state: no memory for storage '%s' of %zu elements", slot->storage.name, count);
    return RHEO_OK;
}

rheo_status rheo_state_buffer(rheo_state *s, int k, cl_mem *out, rheo_error *err)
{
    rheo_slot *slot = NULL;
    const rheo_status st = slot_memory(s, k, &slot, err);
    if (!st) *out = slot->buffer;
    return st;
}

rheo_status rheo_state_values(rheo_state *s, int k, double **out, rheo_error *err)
{
    rheo_slot *slot = NULL;
    const rheo_status st = slot_memory(s, k, &slot, err);
    if (!st) *out = slot->values;
    return st;
}

static rheo_status check_range(const rheo_slot *slot, int64_t offset, int64_t count, rheo_error *err)
{
    if (offset >= 0 && count >= 0 && offset + count <= slot->storage.count) return RHEO_OK;
    return rheo_fail(err, RHEO_EINVAL, "state: elements %lld to %lld of '%s', which has %lld", (long long)offset,
                     (long long)(offset + count), slot->storage.name, (long long)slot->storage.count);
}

rheo_status rheo_state_upload(rheo_state *s, int storage, int64_t offset, int64_t count, const void *from, rheo_error *err)
{
    rheo_slot *slot = NULL;
    rheo_status st = slot_memory(s, storage, &slot, err);
    if (!st) st = check_range(slot, offset, count, err);
    if (st) return st;
    if (s->dev) return rheo_write(s->dev, slot->buffer, (size_t)offset * 4, (size_t)count * 4, from, err);
    for (int64_t i = 0; i < count; i++)
        slot->values[offset + i] = slot->storage.type == RHEO_F32 ? (double)((const float *)from)[i] : (double)((const uint32_t *)from)[i];
    return RHEO_OK;
}

rheo_status rheo_state_write(rheo_state *s, int storage, int64_t offset, int64_t count, const void *from, rheo_error *err)
{
    const rheo_status st = rheo_state_upload(s, storage, offset, count, from, err);
    return st || !s->dev ? st : rheo_finish(s->dev, err);
}

rheo_status rheo_state_read(rheo_state *s, int storage, int64_t offset, int64_t count, void *to, rheo_error *err)
{
    rheo_slot *slot = NULL;
    rheo_status st = slot_memory(s, storage, &slot, err);
    if (!st) st = check_range(slot, offset, count, err);
    if (st) return st;
    if (s->dev) return rheo_read(s->dev, slot->buffer, (size_t)offset * 4, (size_t)count * 4, to, err);
    for (int64_t i = 0; i < count; i++) {
        if (slot->storage.type == RHEO_F32) ((float *)to)[i] = (float)slot->values[offset + i];
        else ((uint32_t *)to)[i] = (uint32_t)slot->values[offset + i];
    }
    return RHEO_OK;
}
