#include "sample/draw_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/philox.h"
#include "sample/snapshots.h"

enum { MOST_AT_ONCE = 64 }; /* samples a batch: enough for any device, and a step is answered soon */
#define TELL_SECONDS 0.5

/* ---- chains --------------------------------------------------------------------------------------------------- */

static rheo_value network(rheo_graph *g, void *ctx, rheo_value x, rheo_value labels, rheo_value sigma)
{
    const rheo_instance *in = ctx;
    rheo_build b = { 0 };
    if (rheo_build_init(&b, g, in->model->params, in->theta, in->fixed, NULL)) return rheo_graph_fail(g, "score: out of memory");
    const rheo_value s = rheo_ncsn_score(&b, (const rheo_ncsn *)in->model, x, labels, sigma);
    rheo_build_finish(&b);
    return s;
}

void rheo_score_drawer_free(rheo_score_drawer *d)
{
    rheo_chain_free(&d->chain);
    free(d->x);
    d->x = NULL;
}

static rheo_status prepare(rheo_score_drawer *d, const rheo_instance *in, const rheo_score_job *job, int64_t batch, rheo_error *err)
{
    const rheo_plan_options usual = rheo_usual_plan(in);
    rheo_annealing all = job->schedule.annealing;
    rheo_status st = RHEO_OK;
    all.denoise = true; /* its plan too, should another draw want it */
    if (!d->x || d->chain.kind != job->kind || d->chain.shape.n != batch) {
        rheo_score_drawer_free(d);
        *d = (rheo_score_drawer){ .in = in, .x = malloc((size_t)(batch * rheo_dims(in->model->data)) * sizeof *d->x) };
        if (!d->x) return rheo_fail(err, RHEO_ENOMEM, "no memory for %lld samples", (long long)batch);
        st = rheo_chain_create(in->state, rheo_batch_shape(in->model->data, batch), job->kind, &all, network, (void *)(uintptr_t)in, &usual,
                               &d->chain, err);
    }
    if (st) rheo_score_drawer_free(d);
    return st ? st : rheo_chain_tune(&d->chain, &job->schedule.annealing, job->schedule.first_level, err);
}

/* The same image for each chain. */
static rheo_status set_known(rheo_score_drawer *d, const rheo_score_job *job, rheo_error *err)
{
    const int64_t n = d->chain.shape.n, dims = rheo_dims(d->in->model->data);
    for (int64_t i = 0; i < n; i++) memcpy(d->x + i * dims, job->reference, (size_t)dims * sizeof *d->x);
    return rheo_chain_set_known(&d->chain, job->mask, d->x, err);
}

/* Training row + sigma z; which, and z, are functions of (seed, index of the sample). */
static void start_at_data(const rheo_score_drawer *d, const rheo_score_job *job, uint32_t first)
{
    const int64_t dims = rheo_dims(d->in->model->data);
    const double sigma = job->schedule.annealing.sigma[job->schedule.first_level];
    for (int64_t i = 0; i < d->chain.shape.n; i++) {
        rheo_address at = { .seed = job->options->seed, .sample = first + (uint32_t)i, .purpose = RHEO_FOR_START, .id = 1 };
        uint32_t words[4];
        double z[4] = { 0 };
        rheo_philox_block(&at, 0, words);
        const int64_t row = (int64_t)rheo_philox_below(words[0], job->data->count) * dims;
        at.id = 2;
        for (int64_t e = 0; e < dims; e++) {
            if (e % 4 == 0) {
                rheo_philox_block(&at, (uint32_t)(e / 4), words);
                rheo_philox_normals(words, z);
            }
            const double x = job->data->images ? job->data->images[row + e] / 255.0 : (double)job->data->vectors[row + e];
            d->x[i * dims + e] = (float)(x + sigma * z[e % 4]);
        }
    }
}

/* ---- a draw ---------------------------------------------------------------------------------------------------- */

typedef struct draw {
    rheo_score_drawer *d;
    const rheo_score_job *job;
    rheo_snapshots snapshots;
    bool snap;              /* in the first batch only */
    uint64_t before, steps; /* steps of finished batches, of all */
    uint32_t samples;       /* finished */
    double start, told;
    double measured;    /* when the first step was done: kernels are built before */
    rheo_status status; /* of what the watch did */
    rheo_error *err;
} draw;

static void tell(draw *r, int level, uint64_t done)
{
    const rheo_langevin_options *o = r->job->options;
    const double now = rheo_seconds();
    if (done == 1) r->measured = now;
    if (!o->progress || (now - r->told < TELL_SECONDS && done != r->steps)) return;
    r->told = now;
    const rheo_score_schedule *s = &r->job->schedule;
    const double each = done > 1 ? (now - r->measured) / (double)(done - 1) : NAN;
    const rheo_langevin_progress p = {
        .step = done, .steps = r->steps, .level = level - s->first_level + 1, .levels = s->annealing.levels - s->first_level,
        .samples = r->samples, .batch = (uint32_t)r->d->chain.shape.n, .seconds = now - r->start, .seconds_a_step = each,
        .seconds_left = each * (double)(r->steps - done), .bytes = rheo_chain_bytes(&r->d->chain),
    };
    o->progress(o->user, &p);
}

static bool watch(void *user, int level, int step)
{
    draw *r = user;
    const rheo_score_schedule *s = &r->job->schedule;
    const uint64_t here = (uint64_t)(level - s->first_level) * (uint64_t)s->annealing.steps + (uint64_t)step;
    if (r->snap) r->status = rheo_snapshots_take(&r->snapshots, &r->d->chain, here, r->d->x, r->err);
    tell(r, level, r->before + here);
    return !r->status && !(r->job->options->stop && *r->job->options->stop);
}

static rheo_status check_finite(const float *x, int64_t count, int64_t dims, uint32_t first, rheo_error *err)
{
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(x[k]))
            return rheo_fail(err, RHEO_ENONFINITE,
                             "sample %lld: its chain diverged; expected a smaller epsilon, or a model that is trained longer",
                             (long long)(first + k / dims));
    return RHEO_OK;
}

static rheo_status draw_batch(draw *r, uint32_t first, float *out)
{
    rheo_score_drawer *d = r->d;
    const rheo_langevin_options *o = r->job->options;
    const int64_t dims = rheo_dims(d->in->model->data), now = o->n - first < d->chain.shape.n ? o->n - first : d->chain.shape.n;
    if (r->job->data) start_at_data(d, r->job, first);
    r->snap = o->snapshots && first == 0;
    rheo_status st = rheo_chain_run(&d->chain, o->seed, first, r->job->data ? d->x : NULL, watch, r, r->err);
    if (!st) st = rheo_chain_read(&d->chain, d->x, r->err);
    if (!st) st = check_finite(d->x, now * dims, dims, first, r->err);
    if (!st && r->snap) rheo_snapshots_end(&r->snapshots, d->x);
    if (!st) memcpy(out + first * dims, d->x, (size_t)(now * dims) * sizeof *out);
    return r->status ? r->status : st;
}

rheo_status rheo_score_draw(rheo_score_drawer *d, const rheo_instance *in, const rheo_score_job *job, float *out, rheo_error *err)
{
    const rheo_langevin_options *o = job->options;
    const rheo_score_schedule *s = &job->schedule;
    const uint32_t most = job->kind == RHEO_CHAIN_INTERPOLATE ? o->n : MOST_AT_ONCE, batches = (o->n - 1) / most + 1;
    const uint32_t batch = (o->n - 1) / batches + 1;
    const uint64_t one = (uint64_t)(s->annealing.levels - s->first_level) * (uint64_t)s->annealing.steps;
    draw r = { .d = d, .job = job, .steps = batches * one, .start = rheo_seconds(), .err = err };
    rheo_status st = prepare(d, in, job, batch, err);
    if (!st && job->reference) st = set_known(d, job, err);
    if (!st && o->snapshots) st = rheo_snapshots_create(in->model->data, o->n < batch ? o->n : batch, s, &r.snapshots, err);
    for (uint32_t first = 0; first < o->n && !st; first += batch) {
        st = draw_batch(&r, first, out);
        r.before += one;
        r.samples = first + batch < o->n ? first + batch : o->n;
    }
    if (!st && o->snapshots) st = rheo_snapshots_write(&r.snapshots, o->snapshots, o->snapshots_made_by, err);
    rheo_snapshots_free(&r.snapshots);
    return st;
}
