/* Launches side by side: whoever reads what another writes waits for it, others need not, and the numbers are those of one after another. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "expect.h"
#include "graph/device_program.h"
#include "support.h"

/* ---- values made of any two of the last 16 ------------------------------------------------------------------------- */

enum { NEAR = 16, NODES = 600, H = 6, W = 5, C = 16, COUNT = H * W * C };

typedef struct fixture {
    test_bench b;
    int x, w, y;
} fixture;

static uint32_t draw(uint32_t k, uint32_t below)
{
    uint32_t words[4];
    rheo_philox((const uint32_t[]){ k, 0, 0, 0 }, (const uint32_t[]){ 7, 0 }, words);
    return rheo_philox_below(words[0], below);
}

static fixture make(rheo_device *dev)
{
    const rheo_shape shape = { 1, H, W, C };
    double x[COUNT], w[9 * C * C];
    rheo_value v[NEAR];
    fixture f = { .b = test_start(dev) };
    rheo_graph *g = f.b.g;
    test_fill((rheo_sample_fill){ 0 }, shape, 1, x);
    test_fill((rheo_sample_fill){ .scale = 0.05 }, (rheo_shape){ 3, 3, C, C }, 2, w);
    f.x = test_storage(f.b.s, RHEO_F32, COUNT, x);
    f.w = test_storage(f.b.s, RHEO_F32, 9 * C * C, w);
    f.y = test_storage(f.b.s, RHEO_F32, COUNT, NULL);
    for (int k = 0; k < NEAR; k++) v[k] = rheo_affine(g, rheo_window(g, f.x, 0, shape), 0.1 * (k + 1), 0.01 * k);
    for (uint32_t k = 0; k < NODES; k++) {
        const rheo_value a = v[draw(3 * k, NEAR)], b = v[draw(3 * k + 1, NEAR)];
        rheo_value *to = &v[k % NEAR];
        switch (draw(3 * k + 2, 4)) {
        case 0: *to = rheo_tanh(g, rheo_add(g, a, b)); break;
        case 1: *to = rheo_affine(g, rheo_mul(g, a, b), 0.5, 0.125); break;
        case 2: *to = rheo_conv2d(g, a, rheo_window(g, f.w, 0, (rheo_shape){ 3, 3, C, C }), 1, 1); break;
        default: *to = rheo_relu(g, rheo_sub(g, a, b));
        }
    }
    rheo_value sum = v[0];
    for (int k = 1; k < NEAR; k++) sum = rheo_add(g, sum, v[k]);
    rheo_assign(g, rheo_window(g, f.y, 0, shape), sum);
    cr_assert_eq(g->error.status, RHEO_OK, "%s", g->error.text);
    return f;
}

/* ---- who waits for whom --------------------------------------------------------------------------------------------- */

/* The program, whose layout outlives it. */
static rheo_device_program *compile(fixture *f, rheo_layout *l)
{
    rheo_device_program *p = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_layout_make(f->b.g, rheo_device_facts_of(rheo_state_device(f->b.s)), false, l, &err));
    ASSERT_OK(rheo_device_program_create(f->b.g, l, f->b.s, false, &p, &err));
    return p;
}

/* before[k][i]: command i of the section passes before command k begins, by what they wait for and nothing else. */
static void follow(const rheo_command *first, int n, bool before[RHEO_SECTION_MOST][RHEO_SECTION_MOST])
{
    for (int k = 0; k < n; k++) {
        memset(before[k], 0, sizeof before[k]);
        for (int a = 0; a < first[k].n_after; a++) {
            const int i = first[k].after[a];
            cr_assert_lt(i, k);
            before[k][i] = true;
            for (int j = 0; j < i; j++) before[k][j] |= before[i][j];
        }
    }
}

static int32_t producer(const rheo_graph *g, rheo_value v)
{
    while (g->nodes[v.node]->op->flags & RHEO_OP_ALIAS) v = g->nodes[v.node]->in[0];
    return v.node;
}

static bool reads(const rheo_graph *g, int32_t node, int32_t from)
{
    const rheo_node *n = g->nodes[node];
    for (int i = 0; i < n->n_in; i++)
        if (producer(g, n->in[i]) == from) return true;
    return false;
}

/* Some output of one lies where the other's is. */
static bool share(const rheo_layout *l, int32_t a, int32_t b)
{
    const rheo_place *p = &l->place[a * RHEO_MAX_OUT], *q = &l->place[b * RHEO_MAX_OUT];
    return p->kind == RHEO_IN_ARENA && q->kind == RHEO_IN_ARENA && p->index == q->index && p->offset < q->offset + q->bytes
           && q->offset < p->offset + p->bytes;
}

Test(overlap, readers_and_what_takes_their_memory_wait)
{
    static bool before[RHEO_SECTION_MOST][RHEO_SECTION_MOST];
    rheo_device *dev = test_device();
    if (!rheo_device_facts_of(dev)->overlaps) cr_skip("%s runs launches one after another", rheo_device_facts_of(dev)->name);
    fixture f = make(dev);
    rheo_layout l;
    rheo_device_program *p = compile(&f, &l);
    int pairs = 0, apart = 0;
    for (int at = 0; at < p->n_commands; at += RHEO_SECTION_MOST) {
        const rheo_command *first = p->commands + at;
        const int n = rheo_section_length(p, at);
        if (!p->overlaps[at / RHEO_SECTION_MOST]) continue;
        follow(first, n, before);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < k; i++, pairs++) {
                const int32_t here = first[k].node, there = first[i].node;
                apart += !before[k][i];
                if (here == there || before[k][i]) continue;
                cr_assert(!reads(f.b.g, here, there), "%d does not wait for %d, which it reads", at + k, at + i);
                cr_assert(!share(&l, here, there), "%d does not wait for %d, whose memory it takes", at + k, at + i);
                for (int j = 0; j < k; j++)
                    cr_assert(!reads(f.b.g, there, first[j].node) || !share(&l, here, first[j].node),
                              "%d does not wait for %d, which reads the memory it takes", at + k, at + i);
            }
    }
    cr_assert(pairs > 0 && apart > pairs / 100, "%d of %d pairs may run side by side", apart, pairs);
    rheo_device_program_destroy(p);
    rheo_layout_free(&l);
    test_finish(&f.b);
    rheo_device_close(dev);
}

/* ---- the numbers ------------------------------------------------------------------------------------------------------ */

/* RHEO_TEST_RUNS=20000: drivers that lose their way do so rarely. */
static int runs_wanted(void)
{
    const char *asked = getenv("RHEO_TEST_RUNS");
    return asked ? atoi(asked) : 50;
}

Test(overlap, numbers_are_those_of_one_launch_after_another)
{
    static double y[2][COUNT], again[COUNT];
    for (int one = 0; one < 2; one++) {
        if (one) setenv("RHEO_LIMIT_OVERLAP", "0", 1);
        rheo_device *dev = test_device();
        fixture f = make(dev);
        rheo_layout l;
        rheo_device_program *p = compile(&f, &l);
        rheo_error err = RHEO_ERROR_INIT;
        cr_assert(!one || !p->overlaps[0]);
        for (int run = 0; run < runs_wanted(); run++) {
            ASSERT_OK(rheo_device_program_run(p, &err));
            test_read(f.b.s, f.y, run ? again : y[one]);
            cr_assert(!run || !memcmp(again, y[one], sizeof again), "run %d", run);
        }
        rheo_device_program_destroy(p);
        rheo_layout_free(&l);
        test_finish(&f.b);
        rheo_device_close(dev);
    }
    cr_assert(!memcmp(y[0], y[1], sizeof y[0]));
}
