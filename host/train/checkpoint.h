/* Checkpoint files: one safetensors file that loads with no other.
 *
 * Parameters stand under their own names, averaged ones under "ema.", the optimizer's under "adam.m." and "adam.v.";
 * convolution weights in PyTorch's OIHW order. Notes: "rheo" (this format's version), "config" (the recipe) and "progress",
 * both JSON. */
#ifndef RHEO_TRAIN_CHECKPOINT_H
#define RHEO_TRAIN_CHECKPOINT_H

#include "train/snapshot.h"

/* Writes what arrays s has, whole or not at all. */
rheo_status rheo_checkpoint_write(const char *path, const rheo_recipe *recipe, const rheo_params *params, const rheo_snapshot *s,
                                  rheo_error *err);

/* Reads the recipe, creates the model and, once the file is seen to hold all parameters in their shapes, reads the arrays of `flats`.
 * The caller frees all three. */
rheo_status rheo_checkpoint_read(const char *path, unsigned flats, rheo_recipe *recipe, rheo_model **model, rheo_snapshot *s,
                                 rheo_error *err);

/* The two notes, checked to be a checkpoint's; the caller deletes both. tensors may be NULL. */
rheo_status rheo_checkpoint_notes(const char *path, cJSON **config, cJSON **progress, size_t *tensors, rheo_error *err);

#endif
