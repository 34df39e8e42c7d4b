/* Noise-conditional score networks (Song and Ermon 2019, 2020; score 1 to 4): the score s(x, sigma) of data blurred by noise. */
#ifndef RHEO_MODEL_NCSN_H
#define RHEO_MODEL_NCSN_H

#include "model/model.h"
#include "net/refinenet.h"
#include "net/softplus_net.h"

typedef enum rheo_score_network { RHEO_NCSN_V1, RHEO_NCSN_BASELINE, RHEO_NCSN_V2, RHEO_NCSN_MLP } rheo_score_network;
typedef enum rheo_score_objective { RHEO_DSM, RHEO_SSM, RHEO_SSM_VR } rheo_score_objective;

/* Options: network "v1" (conditional), "baseline" (one level), "v2" (s = f(x) / sigma) or "mlp" (vectors, unconditional); width;
 * innorm_form "reference" or "paper"; range "unit" (the network takes 2 x - 1) or "logit" (x as it is). Noise: sigma_begin (0: none),
 * sigma_end, levels, sigma_dist "geometric" or "uniform". Training: objective "dsm", "ssm" or "ssm-vr", projection "gaussian" or
 * "rademacher", anneal_power, dequantise "uniform" or "none". Sampling: steps a level, epsilon, step_convention "eta" or "alpha",
 * denoise "on" or "off". */
typedef struct rheo_ncsn {
    rheo_model model;
    rheo_score_network network;
    rheo_refinenet refine; /* all but MLP */
    rheo_softplus_net mlp;
    int64_t levels;
    double *sigma; /* [levels], falling */
    rheo_score_objective objective;
    int rademacher;
    double anneal_power;
    int dequantise;
    int64_t steps;  /* of the sampler at each level */
    double epsilon; /* its step at the last level, in the eta convention */
    int denoise;
} rheo_ncsn;

/* s(x, sigma) like x [N,H,W,C]; images from 0 to 1. labels: u32 [1,1,1,N], which level each sample is at; sigma [N or 1,1,1,1]. Each
 * network reads what it needs of the two; the other may be RHEO_NONE. */
rheo_value rheo_ncsn_score(rheo_build *b, const rheo_ncsn *m, rheo_value x, rheo_value labels, rheo_value sigma);

/* The loss of a sample (score 1.3, 1.4) [N,1,1,1]; x in data units, key as for rheo_model_type.loss (ncsn_loss.c). */
rheo_value rheo_ncsn_loss(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value key);
/* Takes "auto" out of a config and, unless that is false, chooses sigma_begin, levels and epsilon from the training rows where they are
 * not given (ncsn_choose.c). */
rheo_status rheo_ncsn_choose(cJSON *config, rheo_data_shape data, const rheo_rows *rows, rheo_chosen chosen, void *user, rheo_error *err);
/* The level that the loss drew for a sample at a training step. */
uint32_t rheo_ncsn_label(const rheo_ncsn *m, uint64_t seed, uint32_t step, uint32_t sample);

#endif
