/* Small runs for the tests of training: on the host executor, and on the device that RHEO_TEST_DEVICE names (or the default one; "host"
 * for none). */
#ifndef RHEO_TESTS_RUNS_H
#define RHEO_TESTS_RUNS_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "scratch.h"
#include "train/checkpoint.h"
#include "train/trainer.h"

enum { ALL = (1 << RHEO_FLATS) - 1 };

static inline const char *device_of(int k)
{
    return k ? getenv("RHEO_TEST_DEVICE") : "host";
}

/* How many devices there are to test: the host, and the other. */
static inline int device_count(void)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    return device && !strcmp(device, "host") ? 1 : 2;
}

static inline rheo_train_options small(const char *run, const char *device, int64_t iterations)
{
    rheo_train_options o;
    rheo_train_defaults(&o);
    o.data = "toy:moons";
    o.run = run;
    o.device = device;
    o.iterations = iterations;
    o.batch = 16;
    o.model_config = "{\"depth\": 2, \"width\": 8}";
    o.lr = 1e-3;
    o.warmup = 4;
    o.seed = 5;
    return o;
}

/* A folder of IDX files of square images, whose pixels are told by a function. */
static inline void make_images_of(const char *folder, int side, int n_train, int n_test, int (*pixel)(int image, int y, int x))
{
    static const char *const part[] = { "train", "t10k" };
    const unsigned char edge = (unsigned char)side;
    char path[160];
    for (int k = 0; k < 2; k++) {
        const int n = k ? n_test : n_train;
        const unsigned char header[16] = { 0, 0, 8, 3, 0, 0, 0, (unsigned char)n, 0, 0, 0, edge, 0, 0, 0, edge };
        snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, part[k]);
        FILE *f = fopen(path, "wb");
        fwrite(header, 1, sizeof header, f);
        for (int i = 0; i < n * side * side; i++) fputc(pixel(i / (side * side), i / side % side, i % side), f);
        fclose(f);
    }
}

/* Random bits of a number (the end of MurmurHash3). */
static inline unsigned mixed(unsigned k)
{
    k = (k ^ k >> 16) * 0x85ebca6bu;
    k = (k ^ k >> 13) * 0xc2b2ae35u;
    return k ^ k >> 16;
}

static inline int ramp(int image, int y, int x) { return ((image * 4 + y) * 4 + x) * 37 % 256; }

/* 40 + 10 images of 4 x 4. */
static inline void make_images(const char *folder) { make_images_of(folder, 4, 40, 10, ramp); }

typedef struct state {
    rheo_recipe recipe;
    rheo_model *model;
    rheo_snapshot shot;
} state;

static inline state read_state(const char *run)
{
    state s;
    char path[400];
    rheo_error err = RHEO_ERROR_INIT;
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    ASSERT_OK(rheo_checkpoint_read(path, ALL, &s.recipe, &s.model, &s.shot, &err));
    return s;
}

static inline void free_state(state *s)
{
    rheo_recipe_free(&s->recipe);
    rheo_model_destroy(s->model);
    rheo_snapshot_free(&s->shot);
}

/* The parameters, bit for bit; gaps between them in the flat arrays are nobody's. */
static inline void expect_same(const state *a, const state *b)
{
    for (int f = 0; f < RHEO_FLATS; f++)
        for (int k = 0; k < rheo_params_count(a->model->params); k++) {
            const rheo_param *p = rheo_params_at(a->model->params, k);
            const float *x = p->trained ? a->shot.flat[f] : a->shot.fixed, *y = p->trained ? b->shot.flat[f] : b->shot.fixed;
            cr_assert(!memcmp(x + p->offset, y + p->offset, (size_t)rheo_count(p->shape) * 4), "array %d, %s differs", f, p->name);
        }
    cr_assert_eq(a->shot.applied, b->shot.applied);
    cr_assert_eq(a->shot.skipped, b->shot.skipped);
}

static inline void clean(scratch *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", s->folder);
    cr_assert_eq(system(command), 0);
}

#endif
