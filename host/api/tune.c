/* Tuning: plans of all that is done with a model, and the measurements of what they consist of. */
#include <math.h>
#include <stdlib.h>

#include "check/tune.h"
#include "train/draw.h"
#include "train/evaluate.h"
#include "train/feed.h"
#include "train/step.h"

/* Plans as training, evaluation and sampling make them. */
typedef struct jobs {
    rheo_recipe recipe;
    rheo_instance in;
    rheo_trainstep step;
    rheo_evaluator watching, evaluation; /* of training's validation, of trained models */
    rheo_drawer drawer;
} jobs;

static rheo_status jobs_create(const rheo_train_options *options, jobs *j, rheo_error *err)
{
    rheo_dataset *data = NULL;
    rheo_status st = rheo_instance_from_options(options, &j->recipe, &data, &j->in, err);
    rheo_dataset_close(data);
    if (!st) st = rheo_trainstep_create(&j->in, &j->recipe, &j->step, err);
    if (!st) st = rheo_evaluator_create(&j->in, j->in.theta, j->recipe.batch, false, &j->watching, err);
    if (!st) st = rheo_evaluator_create(&j->in, j->in.theta, RHEO_EVALUATION_BATCH, true, &j->evaluation, err);
    return st || !j->in.model->type->sample ? st : rheo_drawer_create(&j->in, j->in.theta, j->recipe.config, RHEO_EVALUATION_BATCH, &j->drawer, err);
}

static void jobs_free(jobs *j)
{
    rheo_drawer_free(&j->drawer);
    rheo_evaluator_free(&j->evaluation);
    rheo_evaluator_free(&j->watching);
    rheo_trainstep_free(&j->step);
    rheo_instance_free(&j->in);
    rheo_recipe_free(&j->recipe);
}

/* Winners are kept operation by operation: the next may take the process along. */
typedef struct keeper {
    const char *(*before)(void *user, const rheo_tuned *so_far);
    void (*report)(void *user, const rheo_tuned *tuned);
    void *user;
    rheo_device *dev;
    rheo_choices winners;
    bool lost;
} keeper;

static const char *ask(void *user, const rheo_tuned *so_far)
{
    const keeper *k = user;
    return k->before ? k->before(k->user, so_far) : NULL;
}

static void keep(void *user, const rheo_tuned *tuned)
{
    keeper *k = user;
    k->lost = k->lost || !rheo_choices_remember(&k->winners, k->dev);
    if (k->report) k->report(k->user, tuned);
}

rheo_status rheo_tune(const rheo_train_options *options, const char *(*before)(void *user, const rheo_tuned *so_far),
                      void (*report)(void *user, const rheo_tuned *tuned), rheo_error *err)
{
    jobs j = { .step = { .gradient = -1 } };
    keeper k = { .before = before, .report = report, .user = options->user };
    rheo_status st = jobs_create(options, &j, err);
    if (!st) {
        const rheo_plan *const all[] = { j.step.apply,  j.watching.loss, j.evaluation.loss,       j.evaluation.round_trip,
                                         j.drawer.plan, j.step.micro,    j.evaluation.class_loss };
        const rheo_plan *plans[sizeof all / sizeof *all];
        const rheo_tune_watch watch = { ask, keep, &k, options->stop };
        int n = 0;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (all[i]) plans[n++] = all[i];
        k.dev = j.in.dev;
        rheo_faults_recall(&k.winners.faults, k.dev);
        st = rheo_tune_plans(j.in.dev, n, plans, &k.winners, &watch, err);
        if (k.lost && !st) st = rheo_fail(err, RHEO_EFILE, "the cache folder cannot be written: what was measured is lost");
        rheo_cache_save(j.in.dev);
    }
    rheo_choices_free(&k.winners);
    jobs_free(&j);
    return st;
}
