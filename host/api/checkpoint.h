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
    const char **columns;           /* names in the recipe's standard; NULL without */
};

/* checkpoint.c: makes the evaluator where there is none. */
rheo_status rheo_need_evaluator(rheo_checkpoint *c, rheo_error *err);
/* classes.c, of models of classes: -log of the classes' mean p(x) [rows->count], and what an evaluation says of them. */
rheo_status rheo_mixture_loss(rheo_checkpoint *c, const rheo_rows *rows, uint64_t seed, double *out, rheo_error *err);
rheo_status rheo_evaluate_classes(rheo_checkpoint *c, const rheo_rows *rows, uint32_t n, uint64_t seed, rheo_evaluation *out,
                                  rheo_error *err);
/* The caller's x as rows of the model: lent, or where they are standardised a copy in *own for the caller to free. */
rheo_status rheo_rows_of(const rheo_checkpoint *c, const void *x, uint32_t n, rheo_rows *rows, float **own, rheo_error *err);
/* Samples in the data's units, in place. */
void rheo_in_units(const rheo_checkpoint *c, uint32_t n, void *x);

static inline bool rheo_is_score(const rheo_checkpoint *c) { return c->in.model->type == &rheo_model_ncsn; }

#endif
