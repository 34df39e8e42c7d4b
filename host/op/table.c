#include "op/table.h"

const rheo_op *const rheo_ops[] = {
#define ROW(name) &rheo_op_##name,
    RHEO_OPS(ROW)
};
const rheo_arithmetic rheo_op_arithmetic = { .add = rheo_add, .constant = rheo_constant };
const int rheo_op_count = (int)(sizeof rheo_ops / sizeof *rheo_ops);
