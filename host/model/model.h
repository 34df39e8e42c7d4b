/* What a model brings to training, evaluation and sampling, all as graph builders.
 *
 * A model is made from its configuration (JSON) and the data's shape; it owns its parameters' table and layers.
 * x is [N,H,W,C]: image bytes 0..255 as floats, or vectors [N,1,1,D]. */
#ifndef RHEO_MODEL_MODEL_H
#define RHEO_MODEL_MODEL_H

#include <cjson/cJSON.h>

#include "graph/params.h"

typedef struct rheo_data_shape {
    int64_t h, w, c;
    bool bytes;              /* discrete 8-bit data: dequantised; else continuous vectors */
} rheo_data_shape;

typedef struct rheo_model rheo_model;
typedef struct rheo_rows rheo_rows;

/* How a model is trained where the caller does not say. */
typedef struct rheo_training_defaults {
    int64_t batch;
    double lr, warmup, ema, clip;       /* as in rheo_train_options */
    bool falling;            /* the rate falls to zero at the end of a run that the clock ends */
} rheo_training_defaults;

/* A loss that is a mean over noise levels, of which each sample draws one. */
typedef struct rheo_loss_levels {
    int64_t (*count)(const rheo_model *m);
    uint32_t (*drawn)(const rheo_model *m, uint64_t seed, uint32_t step, uint32_t sample);
    double (*deviation)(const rheo_model *m, int64_t level);
} rheo_loss_levels;

/* Told what was chosen for an option, and why. */
typedef rheo_status (*rheo_chosen)(void *user, const char *option, double value, const char *why, rheo_error *err);

typedef struct rheo_model_type {
    const char *name;
    bool likelihood;         /* the loss is -log p(x), shown as bits/dim for bytes; else it is shown as it is */
    bool data_initialised;   /* parameters are set from the first images */
    /* config: the model's own options by name, all optional; unknown names are refused. What was chosen by default is written back
     * into config, so that it alone recreates the model. */
    rheo_status (*create)(cJSON *config, rheo_data_shape data, uint64_t seed, rheo_model **out, rheo_error *err);
    void (*destroy)(rheo_model *m);
    rheo_training_defaults (*defaults)(const rheo_model *m);
    /* NULL where there is nothing to choose. Takes "auto" out of a config and replaces it by options chosen from the training rows. */
    rheo_status (*choose)(cJSON *config, rheo_data_shape data, const rheo_rows *rows, rheo_chosen chosen, void *user, rheo_error *err);
    const rheo_loss_levels *levels;     /* NULL: the loss has none */
    /* Per-sample loss [N,1,1,1]. With a likelihood: -log p(x) in nats, dequantisation constant included; key (u32 [1,1,1,4]) feeds
     * the random nodes. */
    rheo_value (*loss)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
    /* NULL where there are no latents. x -> latents -> x again: per-sample max |difference| [N,1,1,1] in the flow's input units (images: [-1/2, 1/2]). */
    rheo_value (*round_trip)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
    /* NULL where samples are no function of latents. n samples [n,H,W,C] in data units (bytes 0..255 not yet rounded; continuous: as the data). temperature: scalar value. */
    rheo_value (*sample)(rheo_build *b, const rheo_model *m, int64_t n, rheo_value key, rheo_value temperature);
    /* Both NULL where there are no latents. x to its whitened latents [N,1,1,D], N(0, I) under the model, and such codes to samples as above. */
    rheo_value (*encode)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
    rheo_value (*decode)(rheo_build *b, const rheo_model *m, rheo_value codes);
    /* NULL where no model of this type is conditional on classes. The loss given each class [N,1,1,K]. */
    rheo_value (*class_loss)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
} rheo_model_type;

struct rheo_model {
    const rheo_model_type *type;
    rheo_data_shape data;
    rheo_params *params;
    int64_t classes;         /* K, that it is conditional on: its builders read b->classes; 0: none */
};

extern const rheo_model_type rheo_model_glow, rheo_model_ncsn;
const rheo_model_type *rheo_model_find(const char *name);      /* NULL: no such model */
const char *const *rheo_model_names(void);      /* all of them, NULL-terminated */

#endif
