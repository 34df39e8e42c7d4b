/* What pooling and resizing share: their kernels' items are rows of an image at one vector of channels. */
#ifndef RHEO_OP_POOL_H
#define RHEO_OP_POOL_H

#include "op/copy.h"
#include "op/ops.h"

rheo_grid rheo_pool_grid(const rheo_launcher *l, rheo_shape rows);

#endif
