#include "train/trainer.h"

#include <math.h>

#define SAVE_SECONDS 60.0       /* between saves, unless the caller says */
#define LOOK_SECONDS 30.0       /* between looks at the validation split, and */
#define LOOK_SHARE 0.05         /* their part of the time, at most */
#define PICTURE_SHARE 0.02

static rheo_status one_step(rheo_trainer *t, rheo_error *err)
{
    const rheo_status st = rheo_batches_train(&t->batches, t->steps, err);
    t->steps++;
    return st;
}

/* What the steps since the last report came to; *row: bad ones in a row, up to now. */
static rheo_status account(rheo_trainer *t, uint64_t *row, rheo_error *err)
{
    rheo_bad_steps bad = { 0 };
    rheo_status st = rheo_trainer_report(t, &bad, err);
    if (!st && bad.count) st = rheo_trainer_guard(t, &bad, err);
    *row = bad.row;
    return st;
}

/* The first step builds kernels: it says nothing of speed. The state it began with is saved while the device is at it. */
static rheo_status first_step(rheo_trainer *t, rheo_error *err)
{
    uint64_t row = 0;
    rheo_status st = one_step(t, err);
    if (!st && t->steps == 1) st = rheo_trainer_write(t, err);
    if (!st) st = account(t, &row, err);
    if (!st && t->in.dev) rheo_cache_save(t->in.dev);
    rheo_trainer_say(t, "first step after %.2f s", rheo_seconds() - t->start);
    t->images_per_second = 0;
    t->report_time = t->pace_start = rheo_seconds();
    t->report_at = t->steps + 1;
    return st;
}

static rheo_status do_chores(rheo_trainer *t, rheo_error *err)
{
    const double now = rheo_seconds(), between = t->options->save_seconds > 0 ? t->options->save_seconds : SAVE_SECONDS;
    const bool due = now - t->last_look > fmax(LOOK_SECONDS, t->look_seconds / LOOK_SHARE);
    rheo_status st = RHEO_OK;
    if (due && now + 2 * rheo_trainer_reserve(t) < t->deadline) st = rheo_trainer_look(t, err);
    if (st || rheo_seconds() - t->last_save < between) return st;
    const double since = rheo_seconds() - t->last_save;
    st = rheo_trainer_save(t, err);
    if (!st && t->steps >= t->next_picture && t->draw_seconds < PICTURE_SHARE * since) st = rheo_trainer_draw(t, err);
    return st;
}

/* What is due now and then, none of it while bad steps are about. A full disk is no reason to lose what is in memory. */
static rheo_status chores(rheo_trainer *t, rheo_error *err)
{
    rheo_error why = RHEO_ERROR_INIT;
    const rheo_status st = do_chores(t, &why);
    if (!st) return st;
    if (st != RHEO_EFILE) return rheo_fail(err, st, "%s", why.text);
    rheo_trainer_say(t, "%s; training goes on, the next save tries again", why.text);
    return RHEO_OK;
}

/* The last look, save and picture. One that cannot be written does not keep the others from it. */
static rheo_status finish(rheo_trainer *t, rheo_error *err)
{
    static rheo_status (*const parts[])(rheo_trainer *, rheo_error *) = { rheo_trainer_look, rheo_trainer_save, rheo_trainer_draw };
    rheo_status st = RHEO_OK;
    for (size_t k = 0; k < sizeof parts / sizeof *parts && (!st || st == RHEO_EFILE); k++) {
        const rheo_status got = parts[k](t, err);
        if (got) st = got;
    }
    return st;
}

static bool ended(const rheo_trainer *t)
{
    if (t->recipe.iterations) return t->steps >= (uint64_t)t->recipe.iterations;
    return rheo_seconds() + rheo_trainer_reserve(t) >= t->deadline;
}

static bool stopped(const rheo_trainer *t) { return t->options->stop && *t->options->stop; }

rheo_status rheo_trainer_run(rheo_trainer *t, rheo_error *err)
{
    uint64_t row = 0;
    rheo_status st = first_step(t, err);
    while (!st && !stopped(t) && !ended(t)) {
        st = one_step(t, err);
        if (st || (t->steps < t->report_at && !ended(t))) continue;
        st = account(t, &row, err);
        if (!st && !row) st = chores(t, err);
        t->report_time = rheo_seconds();
    }
    if (!st && t->steps > t->reported) st = account(t, &row, err);
    if (st) return st;
    if (stopped(t)) {
        st = rheo_trainer_save(t, err);
        return st ? st : rheo_fail(err, RHEO_ESTOPPED, "stopped after step %llu, saved in %s", (unsigned long long)t->steps, t->run.last);
    }
    st = finish(t, err);
    if (!st && t->in.dev) rheo_cache_save(t->in.dev);
    return st;
}

void rheo_trainer_free(rheo_trainer *t)
{
    rheo_batches_free(&t->batches);
    rheo_evaluator_free(&t->evaluator);
    rheo_drawer_free(&t->drawer);
    rheo_trainstep_free(&t->step);
    rheo_instance_free(&t->in);
    rheo_snapshot_free(&t->good);
    rheo_dataset_close(t->data);
    rheo_recipe_free(&t->recipe);
    rheo_run_close(&t->run);
}
