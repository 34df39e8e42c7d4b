#include "train/batches.h"

#include <stdlib.h>

rheo_status rheo_batches_create(rheo_trainstep *step, const rheo_recipe *recipe, const rheo_dataset *data, rheo_batches *out, rheo_error *err)
{
    const int64_t dims = rheo_dims(recipe->shape);
    const size_t bytes = (size_t)(recipe->batch * (dims + step->in->model->classes)) * sizeof(float);
    *out = (rheo_batches){ .recipe = recipe, .step = step };
    const rheo_status st = rheo_feed_create(&data->split[RHEO_SPLIT_TRAIN], dims, recipe->seed, &out->feed, err);
    if (st) return st;
    out->feed.augment = (rheo_augment){ recipe->flip, recipe->shift, data->h, data->w, data->c };
    for (int k = 0; k < 2; k++)
        if (!(out->staging[k] = malloc(bytes))) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    return RHEO_OK;
}

void rheo_batches_free(rheo_batches *b)
{
    rheo_device *dev = b->step ? b->step->in->dev : NULL;
    for (int k = 0; k < 2 && dev; k++) rheo_wait(dev, &b->passed[k], NULL);
    if (dev) rheo_finish(dev, NULL);        /* after an error a batch may be on its way without a mark */
    rheo_feed_free(&b->feed);
    free(b->staging[0]);
    free(b->staging[1]);
    *b = (rheo_batches){ .step = NULL };
}

rheo_status rheo_batches_initialise(rheo_batches *b, int64_t n, rheo_error *err)
{
    const rheo_instance *in = b->step->in;
    const uint64_t seed = b->recipe->seed;
    rheo_status st = rheo_params_write_initial(in->model->params, in->state, in->theta, in->fixed, seed, err);
    if (st || !in->model->type->data_initialised) return st;
    float *x = malloc((size_t)(n * rheo_dims(b->recipe->shape)) * sizeof *x);
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_feed_fill(&b->feed, 0, n, x);
    st = rheo_trainstep_initialise(in, seed, n, x, err);
    free(x);
    return st;
}

rheo_status rheo_batches_upload(rheo_batches *b, uint64_t step, int64_t micro, rheo_error *err)
{
    const rheo_recipe *r = b->recipe;
    const rheo_instance *in = b->step->in;
    const uint64_t first = (step * (uint64_t)r->accumulate + (uint64_t)micro) * (uint64_t)r->batch;
    const int64_t count = r->batch * rheo_dims(r->shape), classes = in->model->classes;
    float *x = b->staging[b->turn];
    rheo_status st = in->dev ? rheo_wait(in->dev, &b->passed[b->turn], err) : RHEO_OK;
    if (st) return st;
    rheo_feed_fill(&b->feed, first, r->batch, x);
    st = rheo_state_upload(in->state, b->step->batch, 0, count, x, err);
    if (st || !classes) return st;
    rheo_feed_fill_classes(&b->feed, first, r->batch, classes, x + count);
    return rheo_state_upload(in->state, b->step->classes, 0, r->batch * classes, x + count, err);
}

rheo_status rheo_batches_train(rheo_batches *b, uint64_t step, rheo_error *err)
{
    rheo_device *dev = b->step->in->dev;
    rheo_status st = RHEO_OK;
    for (int64_t micro = 0; micro < b->recipe->accumulate && !st; micro++) {
        const bool last = micro + 1 == b->recipe->accumulate;
        st = rheo_batches_upload(b, step, micro, err);
        if (!st) st = rheo_plan_run(last ? b->step->apply : b->step->micro, err);
        if (!st && dev) st = rheo_mark(dev, &b->passed[b->turn], err);
        b->turn = !b->turn;
    }
    return st;
}
