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

/* checkpoint.c: makes the evaluator where there is none; the caller's rows, lent. */
rheo_status rheo_need_evaluator(rheo_checkpoint *c, rheo_error *err);
rheo_rows rheo_lent_rows(const rheo_checkpoint *c, const void *x, uint32_t n);
/* classes.c, of models of classes: -log of the classes' mean p(x) [rows->count], and what an evaluation says of them. */
rheo_status rheo_mixture_loss(rheo_checkpoint *c, const rheo_rows *rows, uint64_t seed, double *out, rheo_error *err);
rheo_status rheo_evaluate_classes(rheo_checkpoint *c, const rheo_rows *rows, uint32_t n, uint64_t seed, rheo_evaluation *out,
                                  rheo_error *err);

static inline bool rheo_is_score(const rheo_checkpoint *c) { return c->in.model->type == &rheo_model_ncsn; }

#endif
