/* Images of three classes that are easily told apart, and runs of a small conditional Glow on them. */
#ifndef RHEO_TESTS_CLASSES_H
#define RHEO_TESTS_CLASSES_H

#include <math.h>

#include "runs.h"

enum { SIDE = 4, DIMS = SIDE * SIDE, CLASSES = 3, TRAIN = 250, TEST = 200 };
#define TINY "{\"classes\": true, \"levels\": 2, \"depth\": 2, \"width\": 8}"

/* Image i is of class i % 3: its left, right or upper half is bright, each pixel with noise. */
static inline int pixel(int image, int y, int x)
{
    const int noise = (int)(mixed((unsigned)(image * DIMS + y * SIDE + x)) % 60);
    const bool bright = image % CLASSES == 0 ? x < SIDE / 2 : image % CLASSES == 1 ? x >= SIDE / 2 : y < SIDE / 2;
    return (bright ? 170 : 20) + noise;
}

static inline void put_labels(scratch *s, const char *name, int n, int classes)
{
    unsigned char bytes[8 + 256] = { 0, 0, 8, 1, 0, 0, 0, (unsigned char)n };
    for (int i = 0; i < n; i++) bytes[8 + i] = (unsigned char)(i % classes);
    scratch_put(s, name, bytes, (size_t)(8 + n));
}

static inline scratch make_data(int classes)
{
    scratch s = scratch_make();
    make_images_of(s.folder, SIDE, TRAIN, TEST, pixel);
    put_labels(&s, "train-labels-idx1-ubyte", TRAIN, classes);
    put_labels(&s, "t10k-labels-idx1-ubyte", TEST, classes);
    return s;
}

static inline rheo_train_options options_for(const char *data, const char *run, int k, int64_t steps)
{
    rheo_train_options o = small(run, device_of(k), steps);
    o.data = data;
    o.model_config = TINY;
    return o;
}

static inline rheo_checkpoint *open_trained(scratch *s, int k, int64_t steps)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    char run[100];
    snprintf(run, sizeof run, "%s/run", s->folder);
    rheo_train_options o = options_for(s->folder, run, k, steps);
    o.batch = 32;
    o.lr = 5e-3;
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, o.device, "raw", &c, &err));
    return c;
}

/* What chance gives of n right among three classes stays below this but for 1e-9: 1/3 and six deviations. */
static inline double beyond_chance(int n) { return 1.0 / CLASSES + 6 * sqrt(1.0 / CLASSES * (1 - 1.0 / CLASSES) / n); }

#endif
