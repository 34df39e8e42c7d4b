/* Variants: how they are chosen, kept and measured. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/tune.h"
#include "expect.h"
#include "op/common.h"
#include "op/product.h"
#include "scratch.h"
#include "support.h"

/* ---- an op with variants: y = x ------------------------------------------------------------------------------------ */

enum { SLOW, FAST, WRONG, HALF, FAILING, ABSENT, LOOSE };
static const char *const names[] = { "slow", "fast", "wrong", "half", "failing", "absent", "loose", NULL };
static const double looseness[] = { 1, 1, 1, 1, 1, 1, 9 };

typedef struct copy {
    cl_mem from, to;
    size_t bytes;
    int32_t variant;
} copy;

static rheo_status call_copy(rheo_device *dev, const void *data, rheo_error *err)
{
    const copy *c = data;
    const size_t left = c->variant == HALF ? c->bytes / 2 : 0;
    rheo_status st = RHEO_OK;
    if (c->variant == WRONG) return rheo_fill(dev, c->to, 0, c->bytes, 0, err);
    if (c->variant == FAILING) return rheo_fail(err, RHEO_EDEVICE, "this one never works");
    for (int k = 0; k < (c->variant == SLOW ? 20 : 1) && !st; k++) st = rheo_copy(dev, c->from, left, c->to, left, c->bytes - left, err);
    return st;
}

static rheo_status copy_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const copy c = { rheo_in(l, 0), rheo_out(l, 0), (size_t)rheo_count(n->out[0].shape) * 4, n->variant };
    return rheo_emit_call(l, call_copy, &c, sizeof c, err);
}

/* One channel leaves no choice. */
static bool copy_offers(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    (void)dev;
    return variant != ABSENT && n->out[0].shape.c > 1;
}

static const rheo_op copied = {
    .name = "copied",
    .flags = RHEO_OP_NO_GRADIENT,
    .infer = rheo_infer_same,
    .variants = names,
    .offers = copy_offers,
    .looseness = looseness,
    .launch = copy_launch,
};

static const int32_t attr[2] = { 3, -4 };

static void fused_expand(rheo_graph *g, const rheo_node *n, rheo_value *out) { out[0] = rheo_apply(g, &copied, 1, n->in, attr, sizeof attr); }

static const rheo_op fused = {
    .name = "fused",
    .flags = RHEO_OP_NO_GRADIENT,
    .infer = rheo_infer_same,
    .expand = fused_expand,
    .launch = copy_launch,
};

/* A graph of one such node, assigned to a storage. */
static rheo_plan *plan_of_op(test_bench *b, const rheo_op *op, rheo_shape shape, rheo_choices *choices)
{
    const rheo_plan_options options = { .choices = choices };
    rheo_plan *plan = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_value x = rheo_window(b->g, test_storage(b->s, RHEO_F32, rheo_count(shape), NULL), 0, shape);
    const rheo_value y = rheo_apply(b->g, op, 1, &x, attr, sizeof attr);
    rheo_assign(b->g, rheo_window(b->g, test_storage(b->s, RHEO_F32, rheo_count(shape), NULL), 0, shape), y);
    ASSERT_OK(rheo_plan_create(b->g, b->s, &options, &plan, &err));
    return plan;
}

static rheo_plan *plan_of(test_bench *b, rheo_shape shape, rheo_choices *choices) { return plan_of_op(b, &copied, shape, choices); }

static const rheo_node *copied_in(const rheo_plan *p)
{
    const rheo_node *n;
    int k = 0;
    while ((n = rheo_plan_node(p, k)) != NULL && n->op != &copied) k++;
    cr_assert(n, "the plan has no such node");
    return n;
}

/* The variant that a node of this shape gets. */
static int chosen(rheo_device *dev, rheo_shape shape, rheo_choices *choices)
{
    test_bench b = test_start(dev);
    rheo_plan *p = plan_of(&b, shape, choices);
    const int variant = copied_in(p)->variant;
    rheo_plan_destroy(p);
    test_finish(&b);
    return variant;
}

/* ---- choosing -------------------------------------------------------------------------------------------------------- */

static const rheo_shape small = { 2, 3, 5, 7 }, single = { 2, 3, 5, 1 };
static const char key[] = "copied 2x3x5x7 3,-4";

static void expect_record(const rheo_choices *c, const char *at, const char *name, bool used)
{
    const rheo_choice *it = rheo_choices_find(c, at);
    cr_assert(it, "%s: not there", at);
    cr_expect_str_eq(it->variant, name);
    cr_expect_eq(it->used, used);
}

Test(variants, are_chosen_by_key_then_by_op)
{
    rheo_device *dev = test_device();
    rheo_choices c = { 0 };
    cr_expect_eq(chosen(dev, small, NULL), SLOW);
    cr_expect_eq(chosen(dev, small, &c), SLOW);
    expect_record(&c, key, "slow", true);
    rheo_choices_free(&c);

    cr_assert(rheo_choices_set(&c, "copied", "fast", false));
    cr_expect_eq(chosen(dev, small, &c), FAST);
    expect_record(&c, key, "fast", true);
    expect_record(&c, "copied", "fast", false);
    cr_assert(rheo_choices_set(&c, key, "half", false));
    cr_expect_eq(chosen(dev, small, &c), HALF);
    expect_record(&c, key, "half", true);

    const int before = c.count;
    cr_expect_eq(chosen(dev, single, &c), SLOW);
    cr_expect_eq(c.count, before, "where there is no choice nothing is recorded");
    rheo_choices_free(&c);
    rheo_device_close(dev);
}

/* Both a name that no build has and a variant that the node has not here. */
Test(variants, that_are_unknown_become_the_default)
{
    rheo_device *dev = test_device();
    const char *const bad[] = { "no such", "absent" };
    for (int k = 0; k < 2; k++) {
        rheo_choices c = { 0 };
        cr_assert(rheo_choices_set(&c, key, bad[k], true));
        cr_expect_eq(chosen(dev, small, &c), SLOW);
        cr_expect_eq(chosen(dev, small, &c), SLOW);
        cr_expect_eq(c.unknown, 1);
        expect_record(&c, key, "slow", true);
        rheo_choices_free(&c);
    }
    rheo_device_close(dev);
}

Test(variants, are_kept_for_the_device)
{
    scratch s = scratch_make();
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    rheo_device *dev = test_device();
    rheo_choices c = { 0 };
    rheo_choices_recall(&c, dev);
    cr_expect_eq(c.count, 0);
    cr_assert(rheo_choices_set(&c, "one", "a", true) && rheo_choices_set(&c, "two", "b", false) && rheo_choices_remember(&c, dev));
    rheo_choices_free(&c);
    cr_assert(rheo_choices_set(&c, "two", "c", false) && rheo_choices_remember(&c, dev));
    rheo_choices_free(&c);
    cr_assert(rheo_choices_set(&c, "one", "recorded", true));
    rheo_choices_recall(&c, dev);
    expect_record(&c, "one", "recorded", true);
    expect_record(&c, "two", "c", false);
    rheo_choices_free(&c);

    cr_assert(rheo_choices_set(&c, key, "fast", true) && rheo_choices_remember(&c, dev));
    rheo_choices_free(&c);
    cr_assert(rheo_choices_set(&c, "copied", "loose", true));
    rheo_choices_recall(&c, dev);
    cr_expect_eq(chosen(dev, small, &c), LOOSE, "what is asked of an op as a whole comes before winners");
    rheo_choices_free(&c);
    rheo_device_close(dev);
    scratch_remove(&s);
}

/* The variant of a convolution for which F(4x4, 3x3) is offered, on CPUs. */
static const char *of_convolution(rheo_device *dev, rheo_choices *choices)
{
    const rheo_shape x = { 4, 9, 14, 32 }, w = { 3, 3, 32, 49 };
    const rheo_plan_options options = { .choices = choices };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_plan *plan = NULL;
    test_bench b = test_start(dev);
    const rheo_value window = rheo_window(b.g, test_storage(b.s, RHEO_F32, rheo_count(w), NULL), 0, w);
    const rheo_value y = rheo_conv2d(b.g, rheo_window(b.g, test_storage(b.s, RHEO_F32, rheo_count(x), NULL), 0, x), window, 1, 1);
    const rheo_shape out = rheo_shape_of(b.g, y);
    rheo_assign(b.g, rheo_window(b.g, test_storage(b.s, RHEO_F32, rheo_count(out), NULL), 0, out), y);
    ASSERT_OK(rheo_plan_create(b.g, b.s, &options, &plan, &err));
    const rheo_node *n;
    int k = 0;
    while ((n = rheo_plan_node(plan, k)) != NULL && strcmp(n->op->name, "conv2d")) k++;
    cr_assert(n, "the plan has no such node");
    const char *name = n->op->variants[n->variant];
    rheo_plan_destroy(plan);
    test_finish(&b);
    return name;
}

Test(variants, that_round_more_are_asked_for)
{
    rheo_device *dev = test_device();
    rheo_choices c = { 0 };
    if (rheo_device_facts_of(dev)->kind != RHEO_CPU) cr_skip_test("needs a CPU device");
    cr_expect_str_eq(of_convolution(dev, &c), "own");
    rheo_choices_free(&c);
    cr_assert(rheo_product_prefer_f43(&c));
    cr_expect_str_eq(of_convolution(dev, &c), "f43");
    cr_expect_eq(c.count, 6, "five operations as a whole, and this one");
    rheo_choices_free(&c);
    rheo_device_close(dev);
}

/* ---- faults ---------------------------------------------------------------------------------------------------------- */

static void fault(rheo_device *dev, const char *where, const char *variant, const char *verdict)
{
    rheo_faults f = { 0 };
    rheo_faults_recall(&f, dev);
    cr_assert(rheo_faults_set(&f, where, variant, verdict) && rheo_faults_remember(&f, dev));
    rheo_faults_free(&f);
}

static int recalled(rheo_device *dev, const char *wanted)
{
    rheo_choices c = { 0 };
    if (wanted) cr_assert(rheo_choices_set(&c, key, wanted, false));
    rheo_choices_recall(&c, dev);
    const int variant = chosen(dev, small, &c);
    cr_expect_eq(c.unknown, 0);
    rheo_choices_free(&c);
    return variant;
}

Test(variants, that_are_faulty_are_not_chosen)
{
    static const char where[] = "copied (slow or fast or wrong or half or failing or loose)";
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    rheo_device *dev = test_device();
    fault(dev, where, "slow", "wrong");
    cr_expect_eq(recalled(dev, NULL), FAST);
    cr_expect_eq(recalled(dev, "slow"), FAST, "whatever a run has on record");
    cr_expect_eq(recalled(dev, "half"), HALF);
    cr_expect_eq(chosen(dev, single, NULL), SLOW);
    fault(dev, where, "fast", "crashed");
    cr_expect_eq(recalled(dev, "fast"), WRONG);
    fault(dev, where, "slow", NULL);
    cr_expect_eq(recalled(dev, NULL), SLOW);

    for (int v = 0; v < ABSENT; v++) fault(dev, where, names[v], "hung");
    rheo_choices c = { 0 };
    rheo_choices_recall(&c, dev);
    cr_expect_eq(c.faults.count, ABSENT);
    test_bench b = test_start(dev);
    rheo_plan *plan = NULL;
    const rheo_value x = rheo_window(b.g, test_storage(b.s, RHEO_F32, rheo_count(small), NULL), 0, small);
    rheo_assign(b.g, x, rheo_apply(b.g, &copied, 1, &x, attr, sizeof attr));
    ASSERT_FAILS(rheo_plan_create(b.g, b.s, &(rheo_plan_options){ .choices = &c }, &plan, &err), RHEO_EDEVICE,
                 "hung), and there is no other way to compute it");
    test_finish(&b);
    rheo_choices_free(&c);
    rheo_device_close(dev);
    scratch_remove(&s);
}

/* Where it is faulty, and where that is asked for; what it expands to is chosen like any other. */
Test(variants, none_of_a_fused_operation_expands_it)
{
    scratch s = scratch_make();
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    rheo_device *dev = test_device();
    for (int k = 0; k < 3; k++) {
        rheo_choices c = { 0 };
        test_bench b = test_start(dev);
        if (k == 1) cr_assert(rheo_choices_set(&c, "fused", RHEO_EXPANDED, false));
        if (k == 2) fault(dev, "fused", "", "wrong");
        if (k == 2) fault(dev, "copied (slow or fast or wrong or half or failing or loose)", "slow", "wrong");
        rheo_choices_recall(&c, dev);
        rheo_plan *p = plan_of_op(&b, &fused, small, &c);
        cr_expect_eq(rheo_plan_count_op(p, "fused"), k == 0);
        cr_expect_eq(rheo_plan_count_op(p, "copied"), k > 0);
        if (k) cr_expect_eq(copied_in(p)->variant, k == 1 ? SLOW : FAST);
        if (k) expect_record(&c, key, k == 1 ? "slow" : "fast", true);
        rheo_plan_destroy(p);
        test_finish(&b);
        rheo_choices_free(&c);
    }
    rheo_device_close(dev);
    scratch_remove(&s);
}

/* ---- measuring --------------------------------------------------------------------------------------------------------- */

static void check_report(void *user, const rheo_tuned *t)
{
    ++*(int *)user;
    cr_expect_str_eq(t->key, "copied 1x256x256x4 3,-4");
    cr_assert_eq(t->variants, ABSENT);
    for (int k = 0; k < t->variants; k++) cr_expect_str_eq(t->names[k], names[k]);
    cr_expect(t->seconds[SLOW] > 0 && t->seconds[FAST] > 0 && t->seconds[FAST] < t->seconds[SLOW]);
    cr_expect(isnan(t->seconds[WRONG]) && isnan(t->seconds[HALF]) && isnan(t->seconds[FAILING]));
    cr_expect_eq(t->winner, FAST);
    cr_expect(strstr(t->trouble, "never works"), "%s", t->trouble);
}

Test(variants, are_verified_and_measured)
{
    rheo_device *dev = test_device();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_choices c = { 0 };
    volatile int stop = 1;
    int reports = 0;
    const rheo_tune_watch watch = { .report = check_report, .user = &reports }, stopped = { .stop = &stop };
    test_bench b = test_start(dev);
    rheo_plan *p = plan_of(&b, RHEO_SHAPE(1, 256, 256, 4), NULL);
    const rheo_plan *const twice[] = { p, p };
    ASSERT_FAILS(rheo_tune_plans(dev, 2, twice, &c, &stopped, &err), RHEO_ESTOPPED, "stopped");
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_tune_plans(dev, 2, twice, &c, &watch, &err));
    cr_expect_eq(reports, 1);
    cr_expect_eq(c.count, 1);
    expect_record(&c, "copied 1x256x256x4 3,-4", "fast", false);
    rheo_choices_free(&c);
    rheo_plan_destroy(p);
    test_finish(&b);
    rheo_device_close(dev);
}

/* Refuses the variant that it is pointed to; asked for all of them in turn. */
static const char *refuse(void *user, const rheo_tuned *so_far)
{
    const int *refused = user;
    cr_expect_str_eq(so_far->names[so_far->variants], names[so_far->variants]);
    return so_far->variants == *refused ? "not this one" : NULL;
}

static void check_refused(void *user, const rheo_tuned *t)
{
    const int *refused = user;
    cr_expect_eq(*refused, FAILING);
    cr_assert_eq(t->variants, ABSENT);
    cr_expect(isnan(t->seconds[FAILING]));
    cr_expect_eq(t->winner, FAST);
    cr_expect_str_eq(t->trouble, "not this one");
}

Test(variants, can_be_refused)
{
    rheo_device *dev = test_device();
    rheo_error err = RHEO_ERROR_INIT;
    test_bench b = test_start(dev);
    rheo_plan *p = plan_of(&b, RHEO_SHAPE(1, 256, 256, 4), NULL);
    const rheo_plan *const plans[] = { p };
    const int refused[] = { FAILING, SLOW };    /* a candidate; the default, and the whole operation with it */
    for (int k = 0; k < 2; k++) {
        rheo_choices c = { 0 };
        int which = refused[k];
        const rheo_tune_watch watch = { refuse, check_refused, &which, NULL };
        ASSERT_OK(rheo_tune_plans(dev, 1, plans, &c, &watch, &err));
        cr_expect_eq(c.count, which == FAILING);
        rheo_choices_free(&c);
    }
    rheo_plan_destroy(p);
    test_finish(&b);
    rheo_device_close(dev);
}

static void count_report(void *user, const rheo_tuned *t)
{
    cr_expect(t->variants > 1 && t->index == *(int *)user && t->index < t->count);
    for (int k = 0; k < t->variants; k++) cr_expect(t->seconds[k] > 0, "%s %s: %s", t->key, t->names[k], t->trouble);
    ++*(int *)user;
}

/* The public call, over a model whose products are tiny. */
Test(variants, of_a_model_are_tuned)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_choices kept = { 0 };
    int reports = 0;
    rheo_train_options o;
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    rheo_train_defaults(&o);
    o.data = "toy:moons";
    o.model_config = "{\"depth\": 1, \"width\": 8}";
    o.batch = 16;
    o.user = &reports;
    o.device = "host";
    ASSERT_FAILS(rheo_tune(&o, NULL, count_report, &err), RHEO_EINVAL, "host");
    err = (rheo_error)RHEO_ERROR_INIT;
    o.device = getenv("RHEO_TEST_DEVICE");
    ASSERT_OK(rheo_tune(&o, NULL, count_report, &err));
    rheo_device *dev = test_device();
    rheo_choices_recall(&kept, dev);
    cr_expect_eq(kept.count, reports);
    rheo_choices_free(&kept);
    rheo_device_close(dev);
    scratch_remove(&s);
}
