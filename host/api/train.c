/* The whole-job calls of training. */
#include <math.h>

#include "train/footprint.h"
#include "train/trainer.h"

void rheo_train_defaults(rheo_train_options *options)
{
    *options = (rheo_train_options){
        .model = "glow", .accumulate = 1, .lr = NAN, .warmup = NAN, .optimizer = "adam", .ema = NAN, .clip = NAN, .memory = "auto",
    };
}

rheo_status rheo_train(const rheo_train_options *options, rheo_error *err)
{
    rheo_trainer t;
    rheo_status st = rheo_trainer_create(options, &t, err);
    if (!st) st = rheo_trainer_run(&t, err);
    if (st == RHEO_ENOMEM && t.in.dev) rheo_footprint_advise(&t.in, &t.recipe, t.data->split[RHEO_SPLIT_TRAIN].count, err);
    rheo_trainer_free(&t);
    return st;
}

rheo_status rheo_resume(const rheo_train_options *options, rheo_error *err)
{
    rheo_trainer t;
    rheo_status st = rheo_trainer_resume(options, &t, err);
    if (!st) st = rheo_trainer_run(&t, err);
    rheo_trainer_free(&t);
    return st;
}
