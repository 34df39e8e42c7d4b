/* Glow's own builders, beside what every model brings. */
#ifndef RHEO_MODEL_GLOW_H
#define RHEO_MODEL_GLOW_H

#include "model/model.h"

enum { RHEO_GLOW_MAX_LEVELS = 8 };

/* log p(x) [N,1,1,1] in nats of continuous x; codes (may be NULL) receives the whitened latents (z - mean) / deviation of each
 * level, N(0, I) under the model. */
rheo_value rheo_glow_encode(rheo_build *b, const rheo_model *m, rheo_value x, rheo_value *codes);
/* The x that has these codes. */
rheo_value rheo_glow_decode(rheo_build *b, const rheo_model *m, const rheo_value *codes);

#endif
