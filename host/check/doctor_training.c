/* The doctor's look at training: 20 steps of two tiny models on the device and in double. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "check/doctor.h"
#include "op/ops.h"
#include "train/step.h"

enum { STEPS = 20, BATCH = 4, SIDE = 8 };

/* Layers with all kinds of operations, 3x3 convolutions of 32 channels among them. */
static const struct { const char *name, *config; } models[] = {
    { "glow", "{\"levels\":2,\"depth\":2,\"width\":32}" },
    { "ncsn", "{\"network\":\"v2\",\"width\":8,\"sigma_begin\":1,\"levels\":4}" },
};

/* ---- one training ---------------------------------------------------------------------------------------------- */

typedef struct training {
    rheo_recipe recipe;
    rheo_instance in;
    rheo_trainstep step;
    double loss[STEPS];
} training;

static void training_free(training *t)
{
    if (t->step.apply) rheo_trainstep_free(&t->step);
    t->in.dev = NULL;           /* lent */
    rheo_instance_free(&t->in);
    rheo_recipe_free(&t->recipe);
}

static rheo_status create(rheo_device *dev, int model, training *t, rheo_error *err)
{
    /* epsilon: of the size that gradients have, since parameters without any would else move by the sign of their noise. */
    t->recipe = (rheo_recipe){ .shape = { SIDE, SIDE, 1, true }, .seed = 1, .batch = BATCH, .accumulate = 1, .lr = 1e-3, .warmup = 1, .ema = 0.9,
                               .memory = RHEO_MEMORY_STORE, .config = cJSON_Parse(models[model].config),
                               .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-3 } };
    snprintf(t->recipe.model, sizeof t->recipe.model, "%s", models[model].name);
    t->in = (rheo_instance){ .dev = dev, .theta = -1, .fixed = -1 };
    rheo_status st = t->recipe.config ? rheo_recipe_model(&t->recipe, &t->in.model, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st && !(t->in.state = rheo_state_create())) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_state_bind(t->in.state, dev, err);
    if (!st) st = rheo_params_declare(t->in.model->params, t->in.state, &t->in.theta, &t->in.fixed, err);
    if (!st && dev) rheo_instance_choose(&t->in, &t->recipe.variants);
    return st ? st : rheo_trainstep_create(&t->in, &t->recipe, &t->step, err);
}

/* Grey gradients with noise, as bytes. */
static void draw_images(float x[BATCH * SIDE * SIDE])
{
    const rheo_address at = { .seed = 7, .purpose = RHEO_FOR_SYNTHETIC_DATA };
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE; i++) {
        uint32_t words[4];
        rheo_philox_block(&at, i / 4, words);
        x[i] = (float)(16 * (i % SIDE) + rheo_philox_below(words[i % 4], 100));
    }
}

/* Every parameter `noise` off, as a part of it. */
static rheo_status disturb(training *t, double noise, rheo_error *err)
{
    const int64_t count = rheo_storage_at(t->in.state, t->in.theta)->count;
    double *theta = malloc(2 * (size_t)count * sizeof *theta), *off = theta + count;
    if (!theta) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_sample_contents((rheo_sample_fill){ 0 }, rheo_vector(count), 3, off);
    rheo_status st = rheo_contents_read(t->in.state, t->in.theta, theta, err);
    for (int64_t i = 0; i < count; i++) theta[i] *= 1 + copysign(noise, off[i]);
    if (!st) st = rheo_contents_write(t->in.state, t->in.theta, theta, err);
    free(theta);
    return st;
}

static rheo_status train(rheo_device *dev, int model, double noise, training *t, rheo_error *err)
{
    float x[BATCH * SIDE * SIDE];
    rheo_status st = create(dev, model, t, err);
    draw_images(x);
    if (!st) st = rheo_params_write_initial(t->in.model->params, t->in.state, t->in.theta, t->in.fixed, t->recipe.seed, err);
    if (!st && t->in.model->type->data_initialised) st = rheo_trainstep_initialise(&t->in, t->recipe.seed, BATCH, x, err);
    if (!st && noise > 0) st = disturb(t, noise, err);
    if (!st) st = rheo_state_write(t->in.state, t->step.batch, 0, BATCH * SIDE * SIDE, x, err);
    if (!st) st = rheo_key_write(t->in.state, &t->step.key, t->recipe.seed, 0, 0, err);
    if (!st) st = rheo_trainstep_write_scalar(&t->step, RHEO_RATE_BASE, (float)t->recipe.lr, err);
    if (!st) st = rheo_trainstep_write_scalar(&t->step, RHEO_RATE_END, 1e9f, err);
    for (int k = 0; k < STEPS && !st; k++) {
        float scalars[RHEO_SCALARS];
        st = rheo_plan_run(t->step.apply, err);
        if (!st) st = rheo_trainstep_read_scalars(&t->step, scalars, err);
        if (!st) t->loss[k] = scalars[RHEO_LOSS];
    }
    return st;
}

/* ---- the check ---------------------------------------------------------------------------------------------------- */

/* What training makes of errors is measured in double, with parameters all NOISE eps off, about what one operation is. The device makes such
 * an error in each operation between parameters and loss; those of a chain of n add up to sqrt(n) of one, and n is below 10,000. Losses themselves
 * are rounded to float32. */
#define NOISE (16 * FLT_EPSILON)
#define SQRT_CHAIN 100

static void compare(rheo_finding *f, const training *got, const training *exact, const training *off)
{
    double moved = 0, scale = 0;
    for (int k = 0; k < STEPS; k++) {
        moved = fmax(moved, fabs(exact->loss[k] - off->loss[k]));
        scale = fmax(scale, fabs(exact->loss[k]));
    }
    const rheo_difference d = rheo_compare(STEPS, got->loss, exact->loss, SQRT_CHAIN * (moved / scale + FLT_EPSILON));
    rheo_find_difference(f, &d, STEPS, "loss by step");
    if (!(exact->loss[STEPS - 1] < exact->loss[0])) rheo_find_wrong(f, "the host's loss does not fall: %g, %g", exact->loss[0], exact->loss[STEPS - 1]);
}

static rheo_status check_training(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    int model = 0;
    training got = { 0 }, exact = { 0 }, off = { 0 };
    while (strcmp(models[model].name, check->what)) model++;
    rheo_status st = train(NULL, model, 0, &exact, err);
    if (!st) st = train(NULL, model, NOISE, &off, err);
    if (!st) st = train(c->dev, model, 0, &got, err);
    if (!st) compare(f, &got, &exact, &off);
    training_free(&got);
    training_free(&exact);
    training_free(&off);
    return st;
}

rheo_status rheo_check_training(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    (void)c;
    for (size_t k = 0; k < sizeof models / sizeof *models; k++)
        if (!rheo_check_add(l, &(rheo_check){ .run = check_training, .what = models[k].name }, "training %s", models[k].name))
            return rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
    return RHEO_OK;
}
