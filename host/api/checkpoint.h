/* What the calls on an opened checkpoint share. */
#ifndef RHEO_API_CHECKPOINT_H
#define RHEO_API_CHECKPOINT_H

#include "sample/draw_score.h"
#include "train/draw.h"
#include "train/encode.h"
#include "train/evaluate.h"

struct rheo_checkpoint {
    char *path;                     /* of the file */
    rheo_recipe recipe;
    rheo_instance in;
    uint64_t step;
    char *remarks;
    rheo_evaluator evaluator;       /* made when first needed */
    rheo_drawer drawer, decoder;
    rheo_encoder encoder;
    rheo_score_drawer chains;
    rheo_watch watch;
};

static inline bool rheo_is_score(const rheo_checkpoint *c) { return c->in.model->type == &rheo_model_ncsn; }

#endif
