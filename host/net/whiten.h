/* Data-dependent initialisation of y = (x + b) exp(factor l) (flows 1.1): sets b and l so that x comes out with mean 0 and
 * deviation 1 in every channel, over samples and positions. Serves actnorm and the convolutions that carry one. */
#ifndef RHEO_NET_WHITEN_H
#define RHEO_NET_WHITEN_H

#include "graph/params.h"

void rheo_whiten(rheo_build *b, int bias, int log_scale, float factor, rheo_value x);

#endif
