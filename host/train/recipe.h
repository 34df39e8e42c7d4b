/* Everything a run was asked for, in one struct that a checkpoint carries as JSON: enough to build the same model and the
 * same training step again. */
#ifndef RHEO_TRAIN_RECIPE_H
#define RHEO_TRAIN_RECIPE_H

#include <cjson/cJSON.h>

#include "data/dataset.h"
#include "graph/choices.h"
#include "model/model.h"
#include "op/ops.h"

typedef enum rheo_memory { RHEO_MEMORY_AUTO, RHEO_MEMORY_STORE, RHEO_MEMORY_INVERT, RHEO_MEMORIES } rheo_memory;
typedef enum rheo_schedule { RHEO_SCHEDULE_CONSTANT, RHEO_SCHEDULE_LINEAR, RHEO_SCHEDULES } rheo_schedule;

typedef struct rheo_recipe {
    char model[32];
    cJSON *config;              /* the model's own options, complete once the model has been created; owned */
    char data[1024];            /* as asked for */
    uint32_t size;              /* images of a folder cropped and resized to it; 0: as they are */
    bool flip;                  /* training images are, half of them, and */
    uint32_t shift;             /* moved by up to so many pixels: data/augment.h */
    rheo_data_shape shape;
    uint32_t fingerprint;       /* of the training rows */
    cJSON *class_names;         /* texts, of the classes that the model is conditional on; NULL: only numbers; owned */
    rheo_standard standard;     /* of tables: their columns, and what they are standardised by; owned */
    uint64_t seed;
    int64_t batch, accumulate;
    rheo_adam_attr optimizer;
    double lr, warmup, ema, clip;       /* warmup in steps; clip 0: none. NAN: the model's */
    rheo_schedule schedule;     /* RHEO_SCHEDULES: the model's */
    rheo_memory memory;
    char device[128];
    int64_t iterations;         /* 0: by the clock */
    double minutes;             /* 0: by iterations */
    rheo_choices variants;      /* of operations, that the run uses; owned. In JSON only those used */
} rheo_recipe;

/* Copies and checks what the caller asked for, all but shape and fingerprint; what was left to the model is still to be
 * chosen. Errors name the option. */
rheo_status rheo_recipe_from_options(const rheo_train_options *options, rheo_recipe *out, rheo_error *err);

/* The JSON form, and back from an untrusted one: `where` (a file's name) begins the message. */
cJSON *rheo_recipe_to_json(const rheo_recipe *r);       /* NULL when out of memory */
rheo_status rheo_recipe_from_json(const cJSON *json, const char *where, rheo_recipe *out, rheo_error *err);

/* How data for the recipe's model are read: its own (`other` is NULL), or another set, whose pictures are cropped and resized to the size of
 * square ones of the model. Lent. */
rheo_reading rheo_recipe_reading(const rheo_recipe *r, const char *other);

void rheo_recipe_free(rheo_recipe *r);

#endif
