/* Noise-conditional score networks (Song and Ermon 2019, 2020; score 3): the score s(x, sigma) of data blurred by noise. */
#ifndef RHEO_MODEL_NCSN_H
#define RHEO_MODEL_NCSN_H

#include "model/model.h"

typedef struct rheo_ncsn rheo_ncsn;

/* Options: network "v1" (conditional), "baseline" (one level), "v2" (s = f(x) / sigma) or "mlp" (vectors, unconditional); width;
 * levels (v1: rows of the normalisations); innorm_form "reference" or "paper"; range "unit" (images in [0,1], taken to 2 x - 1) or
 * "logit" (as they are). Defaults are written back into config. */
rheo_status rheo_ncsn_create(cJSON *config, rheo_data_shape data, rheo_ncsn **out, rheo_error *err);
void rheo_ncsn_destroy(rheo_ncsn *m); /* accepts NULL */
rheo_params *rheo_ncsn_params(const rheo_ncsn *m);

/* s(x, sigma) like x [N,H,W,C]. labels: u32 [1,1,1,N], which level each sample is at; sigma [N,1,1,1]. Each network reads what it
 * needs of the two; the other may be RHEO_NONE. */
rheo_value rheo_ncsn_score(rheo_build *b, const rheo_ncsn *m, rheo_value x, rheo_value labels, rheo_value sigma);

#endif
