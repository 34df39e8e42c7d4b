#include "op/key.h"

#include "op/ops.h"

rheo_status rheo_key_declare(rheo_state *s, rheo_key *out, rheo_error *err)
{
    out->seed = rheo_storage_add(s, "key.seed", RHEO_U32, 2);
    out->step = rheo_storage_add(s, "key.step", RHEO_U32, 1);
    out->first = rheo_storage_add(s, "key.first", RHEO_U32, 1);
    if (out->seed < 0 || out->step < 0 || out->first < 0) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    return RHEO_OK;
}

rheo_status rheo_key_write(rheo_state *s, const rheo_key *k, uint64_t seed, uint32_t step, uint32_t first, rheo_error *err)
{
    const uint32_t words[4] = { (uint32_t)seed, (uint32_t)(seed >> 32), step, first };
    rheo_status st = rheo_state_write(s, k->seed, 0, 2, &words[0], err);
    if (!st) st = rheo_state_write(s, k->step, 0, 1, &words[2], err);
    return st ? st : rheo_state_write(s, k->first, 0, 1, &words[3], err);
}

rheo_value rheo_key_value(rheo_graph *g, const rheo_key *k)
{
    const rheo_value parts[3] = { rheo_whole(g, k->seed, rheo_vector(2)), rheo_whole(g, k->step, rheo_vector(1)),
                                  rheo_whole(g, k->first, rheo_vector(1)) };
    return rheo_concat(g, 3, 3, parts);
}
