/* Losses told apart by noise level: their mean alone hides which levels are learned (score 1.3). */
#ifndef RHEO_TRAIN_BANDS_H
#define RHEO_TRAIN_BANDS_H

#include "model/model.h"
#include "rheo/rheo.h"

/* loss [n] of samples 0, ..., n - 1 drawn by (seed, step 0), into bands of neighbouring levels, the noisiest first. Returns how many
 * there are; 0: the model's loss has no levels. */
int rheo_bands(const rheo_model *m, const double *loss, uint32_t n, uint64_t seed, rheo_band out[RHEO_BANDS]);

#endif
