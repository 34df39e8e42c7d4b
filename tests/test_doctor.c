/* rheo doctor finds what is broken: the command over a kernel with a wrong number, and over a driver in which CLBlast's products crash and
 * hang. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "check/alone.h"
#include "graph/choices.h"
#include "op/table.h"
#include "runs.h"
#include "support.h"

#ifndef FAULTY_DRIVER
#define FAULTY_DRIVER ""
#endif

typedef struct result {
    int code;                   /* as the shell has it */
    char out[16384], err[4096];
} result;

static result run(const scratch *s, const char *environment, const char *arguments)
{
    char command[1024], out[100], err[100], device[160] = "";
    const char *name = getenv("RHEO_TEST_DEVICE");
    result r = { 0 };
    snprintf(out, sizeof out, "%s/out", s->folder);
    snprintf(err, sizeof err, "%s/err", s->folder);
    if (name) snprintf(device, sizeof device, "--device '%s'", name);
    snprintf(command, sizeof command, "RHEO_CACHE_DIR='%s/cache' %s '%s' %s %s >'%s' 2>'%s'", s->folder, environment, RHEO_COMMAND, arguments,
             device, out, err);
    const int status = system(command);
    r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    scratch_text(out, r.out, sizeof r.out);
    scratch_text(err, r.err, sizeof r.err);
    return r;
}

#define EXPECT_IN(text, words) cr_expect(strstr(text, words), "found '%s', expected '%s' in it", text, words)

/* A line that begins with the verdict and has check and variant in it. */
static bool has_row(const char *out, const char *verdict, const char *check)
{
    for (const char *line = out; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char one[600];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        if (!strncmp(one, verdict, strlen(verdict)) && strstr(one, check)) return true;
    }
    return false;
}

#define EXPECT_ROW(r, verdict, check) cr_expect(has_row((r).out, verdict, check), "found '%s%s', expected %s: %s", (r).out, (r).err, verdict, check)

static bool no_device(void)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    return device && !strcmp(device, "host");
}

/* A copy of the kernel's file in which one number is another. */
static void break_kernel(scratch *s, const char *file, const char *number, const char *other)
{
    static char text[1 << 16];
    char path[300];
    snprintf(path, sizeof path, "cl/%s", file);
    scratch_text(path, text, sizeof text);
    char *at = strstr(text, number);
    cr_assert(at && strlen(number) == strlen(other));
    memcpy(at, other, strlen(other));
    scratch_put(s, file, text, strlen(text));
}

static result train(const scratch *s)
{
    char arguments[300];
    snprintf(arguments, sizeof arguments, "train glow --data toy:moons --out '%s/run' --depth 1 --width 8 --batch 4 --iters 1", s->folder);
    return run(s, "", arguments);
}

/* Both experiments refuse, and the command has said so before. */
static void expect_toys_without(const scratch *s, const char *words)
{
    static float field[RHEO_TOY_MESH * RHEO_TOY_MESH * 6];
    rheo_toy_number numbers[RHEO_TOY_FIELD_NUMBERS];
    rheo_error err = RHEO_ERROR_INIT;
    char folder[100], arguments[300];
    snprintf(folder, sizeof folder, "%s/cache", s->folder);
    setenv("RHEO_CACHE_DIR", folder, 1);
    ASSERT_FAILS(rheo_toy_field(getenv("RHEO_TEST_DEVICE"), 1, field, numbers, &err), RHEO_EDEVICE, words);
    snprintf(arguments, sizeof arguments, "toy ncsn --out '%s/toy' --n 100", s->folder);
    const result r = run(s, "", arguments);
    cr_expect_eq(r.code, 1);
    cr_expect(!strncmp(r.err, words, strlen(words)), "found '%s', expected '%s' first", r.err, words);
    EXPECT_IN(r.err, "\nrheo toy: op sum: ");
}

/* The only way to compute it: nothing is computed, until it is switched on again. */
Test(doctor, finds_a_broken_kernel, .timeout = 120)
{
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    char environment[100];
    break_kernel(&s, "reduce.cl", "-INFINITY : 0.0f", "-INFINITY : 0.5f");
    snprintf(environment, sizeof environment, "RHEO_CL_DIR='%s'", s.folder);
    result r = run(&s, environment, "doctor --op sum");
    cr_expect_eq(r.code, 1);
    EXPECT_ROW(r, "wrong", "op sum");
    EXPECT_IN(r.out, "--op sum; switched off on this device");
    EXPECT_IN(r.out, "kernels from RHEO_CL_DIR=");

    r = train(&s);
    cr_expect_eq(r.code, 1);
    EXPECT_IN(r.err, "op sum: it is switched off on ");
    EXPECT_IN(r.err, "wrong), and there is no other way to compute it");
    expect_toys_without(&s, "op sum: it is switched off on ");

    r = run(&s, "", "doctor --op sum");
    cr_expect_eq(r.code, 0, "%s%s", r.out, r.err);
    EXPECT_ROW(r, "ok", "op sum");
    clean(&s);
}

/* One way of two: the other is used, and said so. Winograd's algorithm is for CPUs. */
Test(doctor, switches_to_the_next_variant, .timeout = 120)
{
    const char *kind = getenv("RHEO_KIND");
    if (no_device() || (kind && !strcmp(kind, "gpu"))) cr_skip_test("needs a CPU device");
    scratch s = scratch_make();
    char environment[100];
    break_kernel(&s, "winograd_f23.cl", "0.5f", "0.6f");
    snprintf(environment, sizeof environment, "RHEO_CL_DIR='%s'", s.folder);
    result r = run(&s, environment, "doctor --op conv2d");
    cr_expect_eq(r.code, 1);
    EXPECT_ROW(r, "wrong", "op conv2d (own or direct)              own");
    EXPECT_ROW(r, "ok", "op conv2d (own or direct)              direct");
    EXPECT_ROW(r, "ok", "op conv2d                              own");
    r = train(&s);
    cr_expect_eq(r.code, 0, "%s", r.err);
    EXPECT_IN(r.err, "op conv2d (own or direct): variant own is switched off on ");
    clean(&s);
}

/* ---- fused operations: what they consist of is computed instead --------------------------------------------------------- */

/* The loss of the last of three steps. */
static double trained_loss(const scratch *s, const char *environment, const char *folder, const char *more, result *r)
{
    static char log[1 << 14];
    char arguments[300], path[160];
    snprintf(arguments, sizeof arguments, "train glow --data toy:moons --out '%s/%s' --depth 2 --width 8 --batch 16 --iters 3 --warmup 1 %s",
             s->folder, folder, more);
    *r = run(s, environment, arguments);
    cr_assert_eq(r->code, 0, "%s", r->err);
    snprintf(path, sizeof path, "%s/%s/log.jsonl", s->folder, folder);
    scratch_text(path, log, sizeof log);
    const char *third = strstr(log, "\"step\":3,"), *loss = third ? strstr(third, "\"loss\":") : NULL;
    cr_assert(loss, "%s", log);
    return strtod(loss + sizeof "\"loss\":" - 1, NULL);
}

/* As the doctor has it (check/doctor_training.c): a hundred roundings, the square root of what a chain of operations adds up to. */
#define ROUNDING (100 * FLT_EPSILON)

/* lu_matrix is made by the model, lu_actnorm by rewriting, of evaluation; that expands to lu_matrix, which is switched off too. */
Test(doctor, expands_broken_fused_operations, .timeout = 120)
{
    static const char *const ops[] = { "lu_matrix", "lu_actnorm" };
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    char environment[100], arguments[100], words[100];
    result r;
    break_kernel(&s, "lu.cl", "p[r * c + j] == 0.0f", "p[r * c + j] != 0.0f");
    snprintf(environment, sizeof environment, "RHEO_CL_DIR='%s'", s.folder);
    const double right = trained_loss(&s, environment, "host", "--device host", &r), wrong = trained_loss(&s, environment, "wrong", "", &r);
    cr_expect(fabs(wrong - right) > 1000 * ROUNDING * fabs(right), "the broken kernel does no harm: %.9g, %.9g", wrong, right);
    for (int k = 0; k < 2; k++) {
        snprintf(arguments, sizeof arguments, "doctor --op %s", ops[k]);
        snprintf(words, sizeof words, "op %s", ops[k]);
        r = run(&s, environment, arguments);
        cr_expect_eq(r.code, 1);
        EXPECT_ROW(r, "wrong", words);
    }
    const double mended = trained_loss(&s, environment, "mended", "", &r);
    for (int k = 0; k < 2; k++) {
        snprintf(words, sizeof words, "op %s: it is switched off on ", ops[k]);
        EXPECT_IN(r.err, words);
    }
    cr_expect(fabs(mended - right) <= ROUNDING * fabs(right), "%.9g, expected %.9g", mended, right);
    snprintf(arguments, sizeof arguments, "eval '%s/mended' --limit 64", s.folder);
    r = run(&s, environment, arguments);
    cr_expect_eq(r.code, 0, "%s", r.err);
    EXPECT_IN(r.err, "op lu_actnorm: it is switched off on ");
    clean(&s);
}

/* Every variant of every operation that has an expansion. */
static void switch_off_fused(void)
{
    rheo_device *dev = test_device();
    const rheo_device_facts *facts = rheo_device_facts_of(dev);
    rheo_error err = RHEO_ERROR_INIT;
    rheo_faults f = { 0 };
    for (int o = 0; o < rheo_op_count; o++)
        for (int k = 0; rheo_ops[o]->expand && k < rheo_ops[o]->n_samples; k++) {
            const rheo_op_sample *s = &rheo_ops[o]->samples[k];
            char where[RHEO_FAULT_WHERE];
            rheo_alone a;
            ASSERT_OK(rheo_alone_declare(dev, rheo_ops[o], s->n_in, s->in, s->attr, s->attr_bytes, &a, &err));
            rheo_fault_where(a.node, facts, where);
            if (!a.node->op->variants) cr_assert(rheo_faults_set(&f, where, "", "wrong"));
            for (int v = 0; a.node->op->variants && a.node->op->variants[v]; v++)
                if (rheo_variant_offered(a.node, v, facts)) cr_assert(rheo_faults_set(&f, where, a.node->op->variants[v], "wrong"));
            rheo_alone_free(&a);
        }
    cr_assert(f.count > 10 && rheo_faults_remember(&f, dev));
    rheo_faults_free(&f);
    rheo_device_close(dev);
}

Test(doctor, finds_training_right_without_fused_operations, .timeout = 120)
{
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    switch_off_fused();
    test_trainings();
    scratch_remove(&s);
}

/* It has as many inputs as a sample can have. */
Test(doctor, checks_the_operation_of_most_inputs, .timeout = 120)
{
    if (no_device()) cr_skip_test("needs a device");
    scratch s = scratch_make();
    const result r = run(&s, "", "doctor --op conv2d_stack --quick");
    cr_expect_eq(r.code, 0, "%s", r.err);
    EXPECT_ROW(r, "ok", "gradient conv2d_stack");
    clean(&s);
}

/* ---- crashes ---------------------------------------------------------------------------------------------------------------- */

Test(doctor, outlives_crashes_and_hanging, .timeout = 120)
{
    static const char *const faults[][2] = { { "crash", "crashed" }, { "hang", "hung" } };
    if (no_device() || !*FAULTY_DRIVER) cr_skip_test("needs CLBlast and a device");
    scratch s = scratch_make();
    for (int k = 0; k < 2; k++) {
        char environment[400];
        snprintf(environment, sizeof environment, "RHEO_TEST_FAULT=%s LD_PRELOAD='%s'", faults[k][0], FAULTY_DRIVER);
        const result r = run(&s, environment, k ? "doctor --op matmul --quick --limit 6" : "doctor --op matmul --quick");
        cr_expect_eq(r.code, 1);
        EXPECT_ROW(r, faults[k][1], "op matmul (own or clblast)             clblast");
        EXPECT_ROW(r, "ok", "op matmul (own or clblast)             own");
        EXPECT_ROW(r, "ok", "gradient matmul");
    }
    clean(&s);
}
