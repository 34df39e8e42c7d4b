/* The doctor's look at random numbers (score 9): uniforms bit for bit, normals within 5e-6. */
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "check/doctor.h"
#include "graph/internal.h"
#include "graph/plan.h"
#include "op/table.h"

typedef rheo_value (*maker)(rheo_graph *, rheo_value, rheo_shape, uint32_t, uint32_t);

/* A tensor drawn on the device with this key: seed, step, first sample. */
static rheo_status draw(rheo_device *dev, maker make, const uint32_t key[4], rheo_shape shape, uint32_t purpose, uint32_t id, double *out,
                        rheo_error *err)
{
    const double words[4] = { key[0], key[1], key[2], key[3] };
    rheo_plan *plan = NULL;
    rheo_graph *g = NULL;
    rheo_state *s = rheo_state_create();
    rheo_status st = s ? rheo_state_bind(s, dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    const int from = st ? -1 : rheo_storage_add(s, "key", RHEO_U32, 4), to = st ? -1 : rheo_storage_add(s, "out", RHEO_F32, rheo_count(shape));
    if (!st && (from < 0 || to < 0 || !(g = rheo_graph_create(s, &rheo_op_arithmetic)))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_contents_write(s, from, words, err);
    if (!st) {
        rheo_assign(g, rheo_window(g, to, 0, shape), make(g, rheo_window(g, from, 0, rheo_vector(4)), shape, purpose, id));
        st = rheo_plan_create(g, s, NULL, &plan, err);
    }
    if (!st) st = rheo_plan_run(plan, err);
    if (!st) st = rheo_contents_read(s, to, out, err);
    rheo_plan_destroy(plan);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    return st;
}

/* Published vectors that an address reaches, by their upper 24 bits. */
static rheo_status check_vectors(rheo_checkup *c, rheo_finding *f, rheo_error *err)
{
    static const struct { uint32_t key[4], block, words[4]; } row[] = {
        { { 0, 0, 0, 0 }, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0x4d2, 0, 0, 0 }, 1, { 0x9eeede35, 0x1cbe137c, 0xfa277093, 0x147edd50 } },
    };
    rheo_status st = RHEO_OK;
    for (size_t r = 0; r < sizeof row / sizeof *row && !st; r++) {
        double u[8];
        st = draw(c->dev, rheo_uniform, row[r].key, rheo_vector(8), 0, 0, u, err);
        for (int k = 0; k < 4 && !st; k++) {
            const double got = u[4 * row[r].block + k] * 0x1p24;
            if (got != row[r].words[k] >> 8)
                rheo_find_wrong(f, "Philox4x32-10, vector %zu, word %d: %.0f, expected %u", r, k, got, row[r].words[k] >> 8);
        }
    }
    return st;
}

enum { SAMPLES = 5, ELEMENTS = 3 * 67 };

/* Every field of the address at its largest, sample numbers that wrap, elements that straddle blocks and vectors. */
static rheo_status check_all_fields(rheo_checkup *c, rheo_finding *f, rheo_error *err)
{
    static const uint32_t key[4] = { 0xa4093822, 0x299f31d0, 0xfffffff0u, 0xfffffffeu };
    static const double normal_bound = 5e-6;
    const rheo_shape shape = { SAMPLES, 1, 3, 67 };
    double u[SAMPLES * ELEMENTS], coarse[SAMPLES * ELEMENTS], z[SAMPLES * ELEMENTS];
    rheo_status st = draw(c->dev, rheo_uniform, key, shape, 255, 0xffffff, u, err);
    if (!st) st = draw(c->dev, rheo_uniform16, key, shape, 255, 0xffffff, coarse, err);
    if (!st) st = draw(c->dev, rheo_normal, key, shape, 255, 0xffffff, z, err);
    f->error = 0;
    for (uint32_t i = 0; i < SAMPLES * ELEMENTS && !st; i++) {
        const uint32_t e = i % ELEMENTS, counter[4] = { e / 4, key[3] + i / ELEMENTS, key[2], 0xffffffffu };
        uint32_t words[4];
        double normals[4];
        rheo_philox(counter, key, words);
        rheo_philox_normals(words, normals);
        const double expected[3] = { rheo_philox_uniform(words[e % 4]), rheo_philox_uniform16(words[e % 4]), normals[e % 4] };
        if (u[i] != expected[0]) rheo_find_wrong(f, "uniform, element %u: %.9g, expected %.9g", i, u[i], expected[0]);
        if (coarse[i] != expected[1]) rheo_find_wrong(f, "uniform16, element %u: %.9g, expected %.9g", i, coarse[i], expected[1]);
        const double off = fabs(z[i] - expected[2]);
        if (!(off <= normal_bound)) rheo_find_wrong(f, "normal, element %u: %.9g, expected %.9g within 5e-6", i, z[i], expected[2]);
        f->error = fmax(f->error, off / normal_bound);
    }
    return st;
}

static rheo_status check_random(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    (void)check;
    const rheo_status st = check_vectors(c, f, err);
    return st ? st : check_all_fields(c, f, err);
}

rheo_status rheo_check_random(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    (void)c;
    return rheo_check_add(l, &(rheo_check){ .run = check_random }, "random numbers") ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
}
