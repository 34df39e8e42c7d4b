/* Variants chosen by measuring them: each node's op runs alone, on storages of its own. */
#ifndef RHEO_CHECK_TUNE_H
#define RHEO_CHECK_TUNE_H

#include "graph/plan.h"

/* Who watches: before and report as in rheo.h; *stop, not 0, ends it with RHEO_ESTOPPED. Each may be NULL. */
typedef struct rheo_tune_watch {
    const char *(*before)(void *user, const rheo_tuned *so_far);
    void (*report)(void *user, const rheo_tuned *tuned);
    void *user;
    const volatile int *stop;
} rheo_tune_watch;

/* Measures what the plans' nodes have a choice of, once each, and adds the winners. Each variant's result is compared with the
 * default's first. What is faulty (winners->faults) is not measured. */
rheo_status rheo_tune_plans(rheo_device *dev, int n, const rheo_plan *const *plans, rheo_choices *winners, const rheo_tune_watch *watch,
                            rheo_error *err);

#endif
