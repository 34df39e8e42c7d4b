/* What training needs of a device's memory, found by trial plans that take none of it. */
#ifndef RHEO_TRAIN_FOOTPRINT_H
#define RHEO_TRAIN_FOOTPRINT_H

#include "train/instance.h"

typedef struct rheo_footprint {
    bool inverts;            /* what `memory` came to */
    uint64_t activations;    /* of a step: arenas */
    uint64_t variables;      /* parameters, moments, averages, gradients, batches */
    uint64_t beside;         /* arenas of the initialisation, later of validation and pictures, while the step's are kept */
    uint64_t largest;        /* of the variables: each is a buffer */
} rheo_footprint;

static inline uint64_t rheo_footprint_bytes(const rheo_footprint *f) { return f->activations + f->variables + f->beside; }
bool rheo_footprint_fits(const rheo_footprint *f, const rheo_device_facts *dev);

/* Of a run of this recipe over so many training rows with in's model and device. RHEO_ENOMEM: a tensor exceeds the largest buffer. */
rheo_status rheo_footprint_measure(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, rheo_footprint *out, rheo_error *err);

/* RHEO_ENOMEM where that is more than the device has, found before anything is begun that could not be ended. Measures only where the step
 * alone takes more than half. */
rheo_status rheo_footprint_check(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, uint64_t step_bytes, rheo_error *err);

/* After RHEO_ENOMEM: adds to the message which batch or memory would fit. Nothing where memory is short on the host. */
void rheo_footprint_advise(const rheo_instance *in, const rheo_recipe *recipe, int64_t rows, rheo_error *err);

#endif
