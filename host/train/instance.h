/* A model with its parameters on a device: what training, evaluation and sampling have in common. */
#ifndef RHEO_TRAIN_INSTANCE_H
#define RHEO_TRAIN_INSTANCE_H

#include "data/dataset.h"
#include "graph/plan.h"
#include "op/key.h"
#include "train/recipe.h"

typedef struct rheo_instance {
    rheo_device *dev;        /* NULL: the host executor */
    rheo_state *state;
    rheo_model *model;
    int theta, fixed;        /* storages */
    rheo_choices *choices;   /* of variants, for every plan; lent. NULL: defaults */
    size_t *trial;           /* as in rheo_plan_options: footprint.c */
    double units;            /* nats that standardised data's units add to a sample's -log p; 0 for others */
} rheo_instance;

/* The recipe's model; completes recipe->config and what else was left to the model. */
rheo_status rheo_recipe_model(rheo_recipe *recipe, rheo_model **out, rheo_error *err);
void rheo_model_destroy(rheo_model *m);         /* accepts NULL */

/* Opens the device and declares the parameters' storages. "host" is no device but the host executor. The model is taken over,
 * whatever is returned. */
rheo_status rheo_instance_create(rheo_model *model, const char *device, rheo_instance *out, rheo_error *err);
void rheo_instance_free(rheo_instance *in);

/* What a run with these options begins with, for measuring: no run folder is looked at. The training rows are read. recipe, data and in are
 * the caller's to free, whatever is returned; zeroed before. RHEO_EINVAL for the host executor, which is not to be timed. */
rheo_status rheo_instance_from_options(const rheo_train_options *options, rheo_recipe *recipe, rheo_dataset **data, rheo_instance *in,
                                       rheo_error *err);
/* From here on likelihoods are those of data in their own units. */
void rheo_instance_in_units(rheo_instance *in, const rheo_standard *s);
/* Plans of `in` take their variants from here, what a run has on record first, the winners measured on this device for the
 * rest. choices must outlive in. */
void rheo_instance_choose(rheo_instance *in, rheo_choices *choices);

/* How every plan here is made: fusion rules, the instance's variants, and RHEO_ARENA=0 for separate buffers. */
rheo_plan_options rheo_usual_plan(const rheo_instance *in);

/* Waits for the device; nothing on the host. */
rheo_status rheo_instance_finish(const rheo_instance *in, rheo_error *err);

static inline int64_t rheo_dims(rheo_data_shape s) { return s.h * s.w * s.c; }
/* From the loss of a sample to the unit shown, and that unit's name: "bits/dim", "nats" for continuous data, or "loss" where it is no
 * likelihood. */
double rheo_unit(const rheo_model *m);
const char *rheo_unit_name(const rheo_model *m);

static inline rheo_shape rheo_batch_shape(rheo_data_shape s, int64_t n) { return RHEO_SHAPE(n, s.h, s.w, s.c); }

#endif
