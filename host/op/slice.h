/* What the constructors of index maps know of each other, to simplify as they build. */
#ifndef RHEO_OP_SLICE_H
#define RHEO_OP_SLICE_H

#include "op/copy.h"

/* Attributes of slice (elements [from, from + size) of the input) and of pad (the input at `from` in zeros of `size`). */
typedef struct rheo_box { rheo_shape from, size; } rheo_box;

extern const rheo_op rheo_op_slice, rheo_op_pad, rheo_op_concat;

/* An axis along which box b, of shape `b_size` at `b_from`, begins where box a ends, both alike in the others; -1 if none. */
int rheo_adjoining(rheo_shape a_from, rheo_shape a_size, rheo_shape b_from, rheo_shape b_size);

#endif
