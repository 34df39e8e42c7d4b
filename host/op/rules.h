/* The rewriting rules that plans apply after gradients are taken, one file host/op/fuse_*.c each. */
#ifndef RHEO_OP_RULES_H
#define RHEO_OP_RULES_H

#include "graph/plan.h"

#define RHEO_RULES(X)      /* add a rule here; tried in this order */ \
    X(actnorm_conv1x1)     \
    X(conv1x1_actnorm)     \
    X(step_inverse)        \
    X(conv_prefix)         \
    X(conv_act)            \
    X(conv_bias)           \
    X(conv_stack)          \
    X(dx_add)              \
    X(dx_act)              \
    X(stack_backward)

#define RHEO_RULE_DECLARE(name) extern const rheo_rule rheo_rule_##name;
RHEO_RULES(RHEO_RULE_DECLARE)
#undef RHEO_RULE_DECLARE

extern const rheo_rule *const rheo_rules[];     /* ends with NULL */

#endif
