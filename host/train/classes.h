/* Classes that a model is conditional on: how many, their names, and labels of data as numbers of theirs. */
#ifndef RHEO_TRAIN_CLASSES_H
#define RHEO_TRAIN_CLASSES_H

#include "data/dataset.h"
#include "train/recipe.h"

/* What was asked for: whether the model's options have "classes": true. */
bool rheo_classes_wanted(const rheo_recipe *r);
/* Then puts their number and names in its place: those of the folders (names where all are UTF-8), else one more than the highest label of the training and
 * validation rows. data has been read. Errors: RHEO_EINVAL where the data have no labels. */
rheo_status rheo_classes_choose(rheo_recipe *r, const rheo_dataset *data, rheo_error *err);

/* A split's labels as classes of a model of `classes` (0: nothing to do): by name where both have names, else by number. *labels
 * [the split's count] for the caller to free; NULL where its own are right as they are. Errors: RHEO_EFORMAT where there are none, or ones
 * that the model does not have. */
rheo_status rheo_classes_match(const rheo_recipe *r, int64_t classes, const rheo_dataset *data, rheo_split split, uint8_t **labels,
                               rheo_error *err);
/* Whether the training and validation rows have labels that are right as they are. */
rheo_status rheo_classes_check(const rheo_recipe *r, int64_t classes, const rheo_dataset *data, rheo_error *err);

/* The class of that number or name. Errors: RHEO_EINVAL with those there are. */
rheo_status rheo_class_find(const rheo_recipe *r, int64_t classes, const char *text, uint32_t *out, rheo_error *err);
const char *rheo_class_name(const rheo_recipe *r, int64_t k);       /* NULL where it has none */

#endif
