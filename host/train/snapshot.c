#include "train/snapshot.h"

#include <math.h>
#include <stdlib.h>

rheo_status rheo_snapshot_create(const rheo_params *params, unsigned flats, rheo_snapshot *out, rheo_error *err)
{
    rheo_snapshot s = { .best = NAN };
    bool ok = true;
    for (int k = 0; k < RHEO_FLATS; k++)
        if (flats >> k & 1) ok = (s.flat[k] = calloc((size_t)rheo_params_flat(params, true), sizeof(float))) != NULL && ok;
    s.fixed = calloc((size_t)rheo_params_flat(params, false), sizeof(float));
    if (!ok || !s.fixed) {
        rheo_snapshot_free(&s);
        return rheo_fail(err, RHEO_ENOMEM, "no memory for a copy of %lld parameters", (long long)rheo_params_numbers(params));
    }
    *out = s;
    return RHEO_OK;
}

void rheo_snapshot_free(rheo_snapshot *s)
{
    for (int k = 0; k < RHEO_FLATS; k++) {
        free(s->flat[k]);
        s->flat[k] = NULL;
    }
    free(s->fixed);
    s->fixed = NULL;
}

static void storages_of(const rheo_trainstep *t, int out[RHEO_FLATS])
{
    out[RHEO_FLAT_THETA] = t->in->theta;
    out[RHEO_FLAT_EMA] = t->ema;
    out[RHEO_FLAT_M] = t->m;
    out[RHEO_FLAT_V] = t->v;
}

rheo_status rheo_snapshot_read(rheo_snapshot *s, rheo_trainstep *from, rheo_error *err)
{
    const rheo_params *params = from->in->model->params;
    rheo_status st = RHEO_OK;
    float scalar[RHEO_SCALARS];
    int storage[RHEO_FLATS];
    storages_of(from, storage);
    for (int k = 0; k < RHEO_FLATS && !st; k++)
        st = rheo_state_read(from->in->state, storage[k], 0, rheo_params_flat(params, true), s->flat[k], err);
    if (!st) st = rheo_state_read(from->in->state, from->in->fixed, 0, rheo_params_flat(params, false), s->fixed, err);
    if (!st) st = rheo_trainstep_read_scalars(from, scalar, err);
    if (st) return st;
    s->applied = (uint64_t)scalar[RHEO_APPLIED];
    s->skipped = (uint64_t)scalar[RHEO_SKIPPED];
    s->skipped_row = (uint64_t)scalar[RHEO_SKIPPED_ROW];
    s->rate = scalar[RHEO_RATE_BASE];
    return RHEO_OK;
}

rheo_status rheo_snapshot_write(const rheo_snapshot *s, rheo_trainstep *to, uint64_t seed, rheo_error *err)
{
    const rheo_params *params = to->in->model->params;
    rheo_status st = RHEO_OK;
    int storage[RHEO_FLATS];
    storages_of(to, storage);
    for (int k = 0; k < RHEO_FLATS && !st; k++)
        st = rheo_state_write(to->in->state, storage[k], 0, rheo_params_flat(params, true), s->flat[k], err);
    if (!st) st = rheo_state_write(to->in->state, to->in->fixed, 0, rheo_params_flat(params, false), s->fixed, err);
    if (!st) st = rheo_trainstep_write_scalar(to, RHEO_APPLIED, (float)s->applied, err);
    if (!st) st = rheo_trainstep_write_scalar(to, RHEO_SKIPPED, (float)s->skipped, err);
    if (!st) st = rheo_trainstep_write_scalar(to, RHEO_SKIPPED_ROW, (float)s->skipped_row, err);
    if (!st) st = rheo_trainstep_write_scalar(to, RHEO_RATE_BASE, (float)s->rate, err);
    if (!st) st = rheo_trainstep_clear_look(to, err);
    if (!st) st = rheo_trainstep_clear_sums(to, err);
    return st ? st : rheo_key_write(to->in->state, &to->key, seed, (uint32_t)s->step, 0, err);
}
