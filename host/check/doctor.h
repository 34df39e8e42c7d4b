/* What the checks of rheo_doctor (rheo.h) share. */
#ifndef RHEO_CHECK_DOCTOR_H
#define RHEO_CHECK_DOCTOR_H

#include "check/contents.h"
#include "graph/faults.h"
#include "graph/op.h"

typedef struct rheo_checkup {
    const rheo_doctor_options *options;
    rheo_device *dev;
    rheo_faults faults;
} rheo_checkup;

typedef struct rheo_check rheo_check;
struct rheo_check {
    /* Puts into *found what it finds. A status but RHEO_OK: the device refused, err says what. */
    rheo_status (*run)(rheo_checkup *c, const rheo_check *check, rheo_finding *found, rheo_error *err);
    char name[RHEO_FAULT_WHERE];
    const rheo_op *op;       /* of "op" and "gradient" */
    int variant;
    const char *what;        /* of "program" and "training": its name */
};

typedef struct rheo_check_list {
    rheo_check *list;
    int count, capacity;
} rheo_check_list;

/* False when out of memory. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
bool rheo_check_add(rheo_check_list *l, const rheo_check *check, const char *name, ...);

/* Something is wrong: the first text stays. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void rheo_find_wrong(rheo_finding *found, const char *format, ...);
/* A difference, in `what`; wrong where it is beyond its bound. */
void rheo_find_difference(rheo_finding *found, const rheo_difference *d, int64_t count, const char *what);

/* doctor_*.c: each adds its checks. */
rheo_status rheo_check_programs(rheo_checkup *c, rheo_check_list *l, rheo_error *err);
rheo_status rheo_check_ops(rheo_checkup *c, rheo_check_list *l, rheo_error *err);
rheo_status rheo_check_gradients(rheo_checkup *c, rheo_check_list *l, rheo_error *err);
rheo_status rheo_check_random(rheo_checkup *c, rheo_check_list *l, rheo_error *err);
rheo_status rheo_check_buffers(rheo_checkup *c, rheo_check_list *l, rheo_error *err);
rheo_status rheo_check_training(rheo_checkup *c, rheo_check_list *l, rheo_error *err);

/* Whether the sample is one that a quick checkup runs. */
bool rheo_sample_is_small(const rheo_op_sample *s);

#endif
