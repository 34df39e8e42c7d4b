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

typedef struct rheo_model_type {
    const char *name;
    /* config: the model's own options by name, all optional; unknown names are refused. What was chosen by default is written back
     * into config, so that it alone recreates the model. */
    rheo_status (*create)(cJSON *config, rheo_data_shape data, uint64_t seed, rheo_model **out, rheo_error *err);
    void (*destroy)(rheo_model *m);
    /* Per-sample loss [N,1,1,1] in nats. For flows: -log p(x), dequantisation constant included; key (u32 [1,1,1,4]) feeds
     * the random nodes. */
    rheo_value (*loss)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
    /* x -> latents -> x again: per-sample max |difference| [N,1,1,1] in the flow's input units (images: [-1/2, 1/2]). */
    rheo_value (*round_trip)(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
    /* n samples [n,H,W,C] in data units (bytes 0..255 not yet rounded; continuous: as the data). temperature: scalar value. */
    rheo_value (*sample)(rheo_build *b, const rheo_model *m, int64_t n, rheo_value key, rheo_value temperature);
} rheo_model_type;

struct rheo_model {
    const rheo_model_type *type;
    rheo_data_shape data;
    rheo_params *params;
};

extern const rheo_model_type rheo_model_glow, rheo_model_ncsn;
const rheo_model_type *rheo_model_find(const char *name);      /* NULL: no such model */
const char *rheo_model_names(void);             /* all of them: "glow" */

#endif
