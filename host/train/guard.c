/* Bad steps: named, and after several in a row undone. */
#include <stdio.h>
#include <string.h>

#include "train/trainer.h"

enum { ROW_LIMIT = 10, RETURN_LIMIT = 5 };

/* The micro-steps of a step again, up to the first result that is not finite; `where` stays empty if all are finite now. */
static rheo_status replay(rheo_trainer *t, uint64_t step, char *where, size_t bytes, rheo_error *err)
{
    const int64_t batch = t->recipe.batch, micros = t->recipe.accumulate;
    rheo_status st = RHEO_OK;
    for (int64_t micro = 0; micro < micros && !st && !where[0]; micro++) {
        rheo_plan *plan = micro + 1 < micros ? t->step.micro : t->step.apply;
        st = rheo_key_write(t->in.state, &t->step.key, t->recipe.seed, (uint32_t)step, (uint32_t)(micro * batch), err);
        if (!st) st = rheo_batches_upload(&t->batches, step, micro, err);
        if (!st) st = rheo_plan_find_nonfinite(plan, where, bytes, err);
        const size_t used = strlen(where);
        if (!st && used && micros > 1) snprintf(where + used, bytes - used, " of batch %lld", (long long)micro);
    }
    return st;
}

/* Says where the step of that number (from 1) went wrong. A bad step changed nothing, but good ones may have followed it: then it
 * is done with later parameters, and may be finite. The search leaves no trace. */
static rheo_status find_cause(rheo_trainer *t, uint64_t number, char *where, size_t bytes, rheo_error *err)
{
    rheo_snapshot now;
    where[0] = '\0';
    if (!t->in.dev) {
        snprintf(where, bytes, "the host executor does not look where");
        return RHEO_OK;
    }
    rheo_status st = rheo_snapshot_create(t->in.model->params, (1 << RHEO_FLATS) - 1, &now, err);
    if (st) return st;
    now.step = t->steps;
    st = rheo_snapshot_read(&now, &t->step, err);
    if (!st) st = replay(t, number - 1, where, bytes, err);
    if (!st) st = rheo_snapshot_write(&now, &t->step, t->recipe.seed, err);
    if (!st && !where[0])
        snprintf(where, bytes, "cause not found: it is finite with the parameters of step %llu", (unsigned long long)t->steps);
    rheo_snapshot_free(&now);
    return st;
}

static rheo_status go_back(rheo_trainer *t, const rheo_bad_steps *bad, const char *where, rheo_error *err)
{
    if (++t->returns > RETURN_LIMIT)
        return rheo_fail(err, RHEO_ENONFINITE, "step %llu: not finite (%s) after %d returns to step %llu, the last at a rate of %.3g; "
                         "try a lower rate or clipping", (unsigned long long)bad->first, where, RETURN_LIMIT,
                         (unsigned long long)t->good.step, t->good.rate);
    t->good.rate /= 2;
    t->good.skipped_row = 0;
    t->bad_step = t->steps;
    t->steps = t->reported = t->good.step;
    t->skipped = t->good.skipped;
    const rheo_status st = rheo_snapshot_write(&t->good, &t->step, t->recipe.seed, err);
    if (st) return st;
    return rheo_trainer_note(t, err, "step %llu: not finite (%s), %llu in a row; back to step %llu at a rate of %.3g",
                             (unsigned long long)bad->first, where, (unsigned long long)bad->row, (unsigned long long)t->steps, t->good.rate);
}

rheo_status rheo_trainer_guard(rheo_trainer *t, const rheo_bad_steps *bad, rheo_error *err)
{
    char where[256];
    rheo_status st = find_cause(t, bad->first, where, sizeof where, err);
    if (st) return st;
    if (bad->row >= ROW_LIMIT) return go_back(t, bad, where, err);
    if (bad->count == 1)
        st = rheo_trainer_note(t, err, "step %llu: not finite (%s); it changed nothing", (unsigned long long)bad->first, where);
    else
        st = rheo_trainer_note(t, err, "step %llu and %llu more up to step %llu: not finite (the first: %s); they changed nothing",
                               (unsigned long long)bad->first, (unsigned long long)bad->count - 1, (unsigned long long)t->steps, where);
    if (bad->row) t->report_at = t->steps + ROW_LIMIT - bad->row;
    return st;
}
