#include "op/rules.h"

#include <stddef.h>

const rheo_rule *const rheo_rules[] = {
#define ROW(name) &rheo_rule_##name,
    RHEO_RULES(ROW)
#undef ROW
    NULL,
};
