/* Variants chosen by measuring them: each node's op runs alone, on storages of its own. */
#ifndef RHEO_CHECK_TUNE_H
#define RHEO_CHECK_TUNE_H

#include "graph/plan.h"

/* Measures what the plans' nodes have a choice of, once each, and adds the winners. Each variant's result is compared with the
 * default's first. report (may be NULL) is told of each; *stop (may be NULL) ends it with RHEO_ESTOPPED. */
rheo_status rheo_tune_plans(rheo_device *dev, int n, const rheo_plan *const *plans, rheo_choices *winners,
                            void (*report)(void *user, const rheo_tuned *tuned), void *user, const volatile int *stop, rheo_error *err);

#endif
