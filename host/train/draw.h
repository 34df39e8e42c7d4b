/* Sampling and decoding, a full batch at a time. Sample i is a function of (seed, i), or of its codes. */
#ifndef RHEO_TRAIN_DRAW_H
#define RHEO_TRAIN_DRAW_H

#include "base/watch.h"
#include "train/instance.h"

typedef struct rheo_drawer {
    const rheo_instance *in;
    int64_t batch;
    int levels;              /* values a byte can take: 2^bits */
    int temperature, codes, out;        /* storages; codes only where they are given, temperature only where they are drawn, else -1 */
    int classes;             /* [batch, K], weights of the samples' classes; -1 without classes */
    rheo_key key;
    rheo_plan *plan;
    float *results;
} rheo_drawer;

/* Whether training shows samples, and how many. */
enum { RHEO_PICTURE_COUNT = 64 };
static inline bool rheo_shows_samples(const rheo_model *m) { return m->type->sample && m->data.bytes && (m->data.c == 1 || m->data.c == 3); }

rheo_status rheo_drawer_create(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, rheo_drawer *out, rheo_error *err);
/* One whose codes are given: for rheo_drawer_decode only. The model has latents. */
rheo_status rheo_drawer_create_given(const rheo_instance *in, int theta, const cJSON *config, int64_t batch, rheo_drawer *out, rheo_error *err);
void rheo_drawer_free(rheo_drawer *d);

/* n samples into out: bytes [n, h, w, c], or floats [n, c] where the data is vectors. labels [n]: the class of each, where the model
 * has classes; NULL: of none in particular (b->classes unknown). */
rheo_status rheo_drawer_draw(rheo_drawer *d, uint32_t n, const uint8_t *labels, double temperature, uint64_t seed, void *out,
                             rheo_error *err);
/* The same from codes [n, dims]; watch may be NULL. */
rheo_status rheo_drawer_decode(rheo_drawer *d, uint32_t n, const uint8_t *labels, const float *codes, void *out, const rheo_watch *watch,
                               rheo_error *err);

#endif
