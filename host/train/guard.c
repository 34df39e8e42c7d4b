/* Bad steps: named, and after several in a row undone. */
#include <stdio.h>

#include "train/trainer.h"

enum { ROW_LIMIT = 10, RETURN_LIMIT = 5 };

/* The step that was just done is done again with every result looked at. It changed nothing, so the parameters are still those it saw. */
static rheo_status find_cause(rheo_trainer *t, char *where, size_t bytes, rheo_error *err)
{
    const uint64_t step = t->steps - 1;
    rheo_plan *plan = t->step.micro ? t->step.micro : t->step.apply;
    rheo_status st = RHEO_OK;
    where[0] = '\0';
    if (!t->in.dev) {
        snprintf(where, bytes, "the host executor does not look where");
        return RHEO_OK;
    }
    for (int64_t micro = 0; micro < t->recipe.accumulate && !st && !where[0]; micro++) {
        st = rheo_key_write(t->in.state, &t->step.key, t->recipe.seed, (uint32_t)step, (uint32_t)(micro * t->recipe.batch), err);
        if (!st) st = rheo_trainer_feed(t, step, micro, err);
        if (!st) st = rheo_plan_find_nonfinite(plan, where, bytes, err);
    }
    if (!st) st = rheo_trainstep_clear_sums(&t->step, err);
    return st ? st : rheo_key_write(t->in.state, &t->step.key, t->recipe.seed, (uint32_t)t->steps, 0, err);
}

static rheo_status go_back(rheo_trainer *t, uint64_t row, const char *where, rheo_error *err)
{
    const uint64_t from = t->steps;
    if (++t->returns > RETURN_LIMIT)
        return rheo_fail(err, RHEO_ENONFINITE, "step %llu: not finite (%s) after %d returns to step %llu, the last at a rate of %.3g; "
                         "try a lower rate or clipping", (unsigned long long)from, where, RETURN_LIMIT, (unsigned long long)t->good.step,
                         t->good.rate);
    t->good.rate /= 2;
    t->good.skipped_row = 0;
    t->bad_step = from;
    t->steps = t->reported = t->good.step;
    t->skipped = t->good.skipped;
    const rheo_status st = rheo_snapshot_write(&t->good, &t->step, t->recipe.seed, err);
    if (!st)
        rheo_trainer_say(t, "step %llu: not finite (%s), %llu in a row; back to step %llu at a rate of %.3g", (unsigned long long)from,
                         where, (unsigned long long)row, (unsigned long long)t->steps, t->good.rate);
    return st;
}

rheo_status rheo_trainer_guard(rheo_trainer *t, uint64_t row, rheo_error *err)
{
    char where[256];
    const rheo_status st = find_cause(t, where, sizeof where, err);
    if (st) return st;
    /* Where nothing was found, the search itself has done the step. */
    if (row >= ROW_LIMIT || !where[0]) return go_back(t, row, where[0] ? where : "cause not found", err);
    rheo_trainer_say(t, "step %llu: not finite (%s); it changed nothing", (unsigned long long)t->steps, where);
    t->report_at = t->steps + ROW_LIMIT - row;
    return RHEO_OK;
}
