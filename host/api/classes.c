/* Models that are conditional on classes. */
#include "train/classes.h"

#include <math.h>
#include <stdlib.h>

#include "api/checkpoint.h"
#include "base/running_mean.h"

const char *rheo_checkpoint_class_name(const rheo_checkpoint *c, uint32_t k) { return rheo_class_name(&c->recipe, k); }

rheo_status rheo_checkpoint_class_number(const rheo_checkpoint *c, const char *text, uint32_t *out, rheo_error *err)
{
    return rheo_class_find(&c->recipe, c->in.model->classes, text, out, err);
}

/* Losses given each class, batch after batch, each handed to `take`. */
static rheo_status each_batch(rheo_checkpoint *c, const rheo_rows *rows, uint32_t n, uint64_t seed,
                              void (*take)(void *user, uint32_t row, const double *loss, int64_t classes), void *user, rheo_error *err)
{
    const int64_t classes = c->in.model->classes;
    double *loss = malloc((size_t)(RHEO_EVALUATION_BATCH * classes) * sizeof *loss);
    rheo_status st = loss ? rheo_need_evaluator(c, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (uint32_t first = 0; first < n && !st; first += RHEO_EVALUATION_BATCH) {
        const int64_t now = n - first < RHEO_EVALUATION_BATCH ? n - first : RHEO_EVALUATION_BATCH;
        st = rheo_evaluator_class_loss(&c->evaluator, rows, first, now, seed, loss, err);
        for (int64_t i = 0; i < now && !st; i++) take(user, first + (uint32_t)i, loss + i * classes, classes);
        if (!st) rheo_watch_tell(&c->watch, first + (uint32_t)now, n);
    }
    free(loss);
    return st;
}

static void keep_all(void *user, uint32_t row, const double *loss, int64_t classes)
{
    double *out = (double *)user + row * classes;
    for (int64_t k = 0; k < classes; k++) out[k] = -loss[k];
}

rheo_status rheo_log_prob_classes(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, double *out, rheo_error *err)
{
    rheo_rows rows;
    float *own = NULL;
    const size_t count = n * (size_t)c->in.model->classes;
    if (!c->in.model->classes) return rheo_fail(err, RHEO_EINVAL, "found a model that is not conditional on classes");
    if (!n) return rheo_fail(err, RHEO_EINVAL, "log_prob_classes: no images");
    double *all = malloc(count * sizeof *all);
    if (!all) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_status st = rheo_rows_of(c, x, n, &rows, &own, err);
    if (!st) st = each_batch(c, &rows, n, seed, keep_all, all, err);
    for (size_t k = 0; k < count && !st; k++) out[k] = all[k];
    free(all);
    free(own);
    return st;
}

/* -log (1/K) sum exp(-loss). */
static double loss_of_mixture(const double *loss, int64_t classes)
{
    double least = loss[0], sum = 0;
    for (int64_t k = 1; k < classes; k++) least = fmin(least, loss[k]);
    for (int64_t k = 0; k < classes; k++) sum += exp(least - loss[k]);
    return least - log(sum / (double)classes);
}

static void keep_mixture(void *user, uint32_t row, const double *loss, int64_t classes) { ((double *)user)[row] = loss_of_mixture(loss, classes); }

rheo_status rheo_mixture_loss(rheo_checkpoint *c, const rheo_rows *rows, uint64_t seed, double *out, rheo_error *err)
{
    return each_batch(c, rows, rows->count, seed, keep_mixture, out, err);
}

typedef struct counts {
    const uint8_t *labels;
    rheo_running_mean mixture;
    uint32_t right;
} counts;

static void count_one(void *user, uint32_t row, const double *loss, int64_t classes)
{
    counts *to = user;
    int64_t likeliest = 0;
    for (int64_t k = 1; k < classes; k++)
        if (loss[k] < loss[likeliest]) likeliest = k;
    to->right += likeliest == to->labels[row];
    rheo_running_mean_add(&to->mixture, loss_of_mixture(loss, classes));
}

rheo_status rheo_evaluate_classes(rheo_checkpoint *c, const rheo_rows *rows, uint32_t n, uint64_t seed, rheo_evaluation *out, rheo_error *err)
{
    counts found = { .labels = rows->labels };
    const rheo_status st = each_batch(c, rows, n, seed, count_one, &found, err);
    out->accuracy = n ? (double)found.right / n : NAN;
    out->without_labels = found.mixture.mean * rheo_unit(c->in.model);
    return st;
}
