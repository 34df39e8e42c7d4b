/* What the table's walk does not see of index maps and densities: simplification as graphs are built, packs with gaps and
 * with producers inside, messages, accuracy of long sums. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/table.h"
#include "support.h"

static rheo_value input(test_bench *b, rheo_shape shape, uint64_t seed)
{
    double *x = malloc((size_t)rheo_count(shape) * sizeof *x);
    test_fill((rheo_sample_fill){ 0 }, shape, seed, x);
    const rheo_value v = rheo_window(b->g, test_storage(b->s, RHEO_F32, rheo_count(shape), x), 0, shape);
    free(x);
    return v;
}

static int output(test_bench *b, rheo_value v)
{
    const rheo_shape shape = rheo_shape_of(b->g, v);
    const int k = test_storage(b->s, RHEO_F32, rheo_count(shape), NULL);
    rheo_assign(b->g, rheo_window(b->g, k, 0, shape), v);
    return k;
}

static bool same(rheo_value a, rheo_value b) { return !rheo_is_none(a) && a.node == b.node && a.out == b.out; }
static const char *name_of(const test_bench *b, rheo_value v) { return rheo_node_of(b->g, v)->op->name; }

#define AT(n, h, w, c) RHEO_SHAPE(n, h, w, c)

/* ---- simplification -------------------------------------------------------------------------------------------------- */

Test(index, slices_see_through_what_they_cut)
{
    test_bench b = test_start(NULL);
    rheo_graph *g = b.g;
    const rheo_value x = input(&b, AT(2, 4, 4, 8), 1), y = input(&b, AT(2, 4, 4, 3), 2), z = input(&b, AT(2, 4, 4, 5), 3);
    const rheo_value parts[3] = { x, y, z }, all = rheo_concat(g, 3, 3, parts);
    const rheo_value low = rheo_slice(g, x, AT(0, 0, 0, 0), AT(2, 4, 4, 3)), high = rheo_slice(g, x, AT(0, 0, 0, 3), AT(2, 4, 4, 5));

    cr_expect(same(rheo_slice(g, x, AT(0, 0, 0, 0), AT(2, 4, 4, 8)), x));
    cr_expect(same(rheo_slice(g, all, AT(0, 0, 0, 8), AT(2, 4, 4, 3)), y));
    cr_expect(same(rheo_slice(g, all, AT(0, 0, 0, 0), AT(2, 4, 4, 3)), low));
    cr_expect_str_eq(name_of(&b, rheo_slice(g, all, AT(0, 0, 0, 7), AT(2, 4, 4, 3))), "slice");
    cr_expect(same(rheo_slice(g, high, AT(0, 1, 0, 2), AT(2, 2, 4, 3)), rheo_slice(g, x, AT(0, 1, 0, 5), AT(2, 2, 4, 3))));
    cr_expect(same(rheo_slice(g, rheo_pad(g, x, AT(1, 0, 0, 0), AT(4, 4, 4, 8)), AT(1, 0, 0, 0), AT(2, 4, 4, 8)), x));

    cr_expect(same(rheo_concat(g, 3, 2, (rheo_value[]){ low, high }), x));
    cr_expect_str_eq(name_of(&b, rheo_concat(g, 3, 2, (rheo_value[]){ high, low })), "concat");
    cr_expect(same(rheo_concat(g, 3, 1, &y), y));

    cr_expect(same(rheo_unsqueeze(g, rheo_squeeze(g, x)), x));
    cr_expect(same(rheo_squeeze(g, rheo_unsqueeze(g, x)), x));
    cr_expect(same(rheo_transpose(g, rheo_transpose(g, x, 0, 3, 1, 2), 0, 2, 3, 1), x));
    cr_expect_str_eq(name_of(&b, rheo_transpose(g, input(&b, AT(1, 1, 6, 7), 4), 2, 0, 3, 1)), "reshape");
    cr_expect(!rheo_graph_error(g)->status, "%s", rheo_graph_error(g)->text);
    test_finish(&b);
}

/* Pads whose contents adjoin become the pad of a concat, and that of all parts the concat itself. */
Test(index, pads_join)
{
    test_bench b = test_start(NULL);
    rheo_graph *g = b.g;
    const rheo_shape whole = AT(2, 3, 1, 8);
    const rheo_value x = input(&b, AT(2, 3, 1, 3), 1), y = input(&b, AT(2, 3, 1, 5), 2), z = input(&b, AT(2, 1, 1, 8), 3);
    const rheo_value px = rheo_pad(g, x, AT(0, 0, 0, 0), whole), py = rheo_pad(g, y, AT(0, 0, 0, 3), whole);
    const rheo_value all = rheo_concat(g, 3, 2, (rheo_value[]){ x, y });
    cr_expect(same(rheo_join_pads(g, px, py), all));
    cr_expect(same(rheo_join_pads(g, py, px), all));
    cr_expect(rheo_is_none(rheo_join_pads(g, px, rheo_pad(g, z, AT(0, 1, 0, 0), whole))));
    cr_expect(rheo_is_none(rheo_join_pads(g, px, px)));
    cr_expect(rheo_is_none(rheo_join_pads(g, px, y)));
    test_finish(&b);
}

/* The gradient of a fixed permutation is its inverse; that of any other index adds up. */
Test(index, permutations_have_permutations_for_gradients)
{
    static const uint32_t shuffled[5] = { 3, 0, 4, 1, 2 }, inverse[5] = { 1, 3, 4, 0, 2 }, repeated[5] = { 3, 0, 4, 1, 1 };
    test_bench b = test_start(NULL);
    rheo_graph *g = b.g;
    const rheo_value x = input(&b, AT(2, 3, 1, 5), 1), dy = input(&b, AT(2, 3, 1, 5), 2);
    rheo_value y = rheo_gather(g, x, rheo_table_u32(g, rheo_vector(5), shuffled), 3), dx;
    rheo_gradients(g, 1, &y, &dy, 1, &x, &dx);
    cr_expect(same(dx, rheo_gather(g, dy, rheo_table_u32(g, rheo_vector(5), inverse), 3)));
    y = rheo_gather(g, x, rheo_table_u32(g, rheo_vector(5), repeated), 3);
    rheo_gradients(g, 1, &y, &dy, 1, &x, &dx);
    cr_expect_str_eq(name_of(&b, dx), "scatter_add");
    test_finish(&b);
}

Test(index, messages_name_the_numbers)
{
    static const struct { int which; const char *words; } row[] = {
        { 0, "slice: [1 1 1 6] elements from [0 0 0 3] on are not within [2 3 4 8]" },
        { 1, "concat: along axis 3 [2 3 5 8] does not continue [2 3 4 8]" },
        { 2, "squeeze: [2 3 4 8] has an odd height or width" },
        { 3, "transpose: (0 1 1 3) is no order of the dimensions 0 to 3" },
        { 4, "pack: input 1, [2 3 4 8] at 100, overlaps the one before it (to 192) or the end, 1000" },
        { 5, "solve_triangular: rows of [2 3 4 8] by a matrix [2 3 4 8], expected [1 1 C C]" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        test_bench b = test_start(NULL);
        const rheo_value x = input(&b, AT(2, 3, 4, 8), 1), y = input(&b, AT(2, 3, 5, 8), 1);
        switch (row[k].which) {
        case 0: rheo_slice(b.g, x, AT(0, 0, 0, 3), AT(1, 1, 1, 6)); break;
        case 1: rheo_concat(b.g, 3, 2, (rheo_value[]){ x, y }); break;
        case 2: rheo_squeeze(b.g, x); break;
        case 3: rheo_transpose(b.g, x, 0, 1, 1, 3); break;
        case 4: rheo_pack(b.g, 2, (rheo_value[]){ x, x }, (int64_t[]){ 0, 100 }, 1000); break;
        default: rheo_solve_triangular(b.g, x, x, true, true, false);
        }
        cr_expect_str_eq(rheo_graph_error(b.g)->text, row[k].words);
        test_finish(&b);
    }
}

/* ---- packs ---------------------------------------------------------------------------------------------------------- */

/* Producers inside, a window and a repeated value copied, gaps before, between and after, aligned and not. Run twice, since
 * memory is fresh only once. */
static void run_pack(rheo_device *dev, bool separate, double *out)
{
    static const int64_t offset[5] = { 64, 160, 201, 448, 1024 };
    test_bench b = test_start(dev);
    rheo_graph *g = b.g;
    const rheo_value x = input(&b, AT(1, 3, 4, 5), 1), y = input(&b, AT(1, 1, 1, 33), 2), z = rheo_exp(g, x);
    const rheo_value in[5] = { z, rheo_square(g, y), y, z, rheo_concat(g, 3, 2, (rheo_value[]){ y, y }) };
    /* Taken through one more operation, so that the pack lies in the arena, where its memory was another's. */
    const int k = output(&b, rheo_neg(g, rheo_pack(g, 5, in, offset, 1200)));
    const rheo_plan_options options = { .separate_buffers = separate };
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    cr_assert_eq(rheo_plan_create(g, b.s, &options, &plan, &err), RHEO_OK, "%s", err.text);
    for (int i = 0; i < 2; i++) cr_assert_eq(rheo_plan_run(plan, &err), RHEO_OK, "%s", err.text);
    test_read(b.s, k, out);
    rheo_plan_destroy(plan);
    test_finish(&b);
}

Test(index, packs_are_zero_between)
{
    static double got[1200], expected[1200];
    rheo_device *dev = test_device();
    run_pack(NULL, false, expected);
    for (int separate = 0; separate < 2; separate++) {
        run_pack(dev, separate, got);
        for (int i = 0; i < 1200; i++)
            cr_expect(fabs(got[i] - expected[i]) <= 8 * FLT_EPSILON * fabs(expected[i]), "separate %d, element %d: %.9g, expected %.9g",
                      separate, i, got[i], expected[i]);
    }
    rheo_device_close(dev);
}

/* ---- long sums ------------------------------------------------------------------------------------------------------ */

/* log-densities of D = 3072 to 1e-4 nats beyond the rounding of the result itself. */
Test(index, gaussian_sums_keep_their_digits)
{
    enum { SAMPLES = 6 };
    static double got[SAMPLES], expected[SAMPLES];
    for (int on_host = 0; on_host < 2; on_host++) {
        rheo_device *dev = on_host ? NULL : test_device();
        test_bench b = test_start(dev);
        const rheo_shape shape = AT(SAMPLES, 32, 32, 3);
        const rheo_value z = input(&b, shape, 1), m = input(&b, shape, 2), r = rheo_affine(b.g, input(&b, shape, 3), 0.125, 0);
        const int k = output(&b, rheo_gaussian_logp(b.g, z, m, r));
        test_run(b.g, b.s);
        test_read(b.s, k, on_host ? expected : got);
        test_finish(&b);
        rheo_device_close(dev);
    }
    for (int i = 0; i < SAMPLES; i++)
        cr_expect(fabs(got[i] - expected[i]) <= 1e-4 + 0.5 * FLT_EPSILON * fabs(expected[i]), "sample %d: %.9g, expected %.9g", i, got[i],
                  expected[i]);
}
