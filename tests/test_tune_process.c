/* rheo tune outlives what it measures: the command over a driver in which CLBlast's products crash, hang, exit or are wrong. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "graph/choices.h"
#include "runs.h"
#include "support.h"

#ifndef FAULTY_DRIVER
#define FAULTY_DRIVER ""
#endif

/* What a run of the command left. */
typedef struct result {
    int code;                   /* as the shell has it */
    int lines, failed;          /* operations printed, and those in which CLBlast failed */
    char out[8192], err[4096];
} result;

static int count_of(const char *text, const char *word)
{
    int n = 0;
    while ((text = strstr(text, word)) != NULL) n++, text++;
    return n;
}

typedef enum how { ALWAYS, ONCE, ONCE_THEN_INTERRUPTED } how;

/* Runs it over images of 4 x 4. */
static result tune(scratch *s, const char *fault, how times)
{
    char command[2048], file[100], out[100], err[100], device[160] = "", meanwhile[200] = "";
    const char *name = getenv("RHEO_TEST_DEVICE");
    result r = { 0 };
    snprintf(file, sizeof file, "%s/once", s->folder);
    snprintf(out, sizeof out, "%s/out", s->folder);
    snprintf(err, sizeof err, "%s/err", s->folder);
    if (times) scratch_put(s, "once", "", 0);
    if (times == ONCE_THEN_INTERRUPTED)
        snprintf(meanwhile, sizeof meanwhile, "while [ -e '%s' ] && kill -0 $!; do sleep 0.1; done; kill -INT $!;", file);
    if (name) snprintf(device, sizeof device, "--device '%s'", name);
    snprintf(command, sizeof command,
             "RHEO_CACHE_DIR='%s/cache' RHEO_TEST_FAULT=%s %s%s LD_PRELOAD='%s' '%s' tune glow --data '%s' --depth 1 --width 8 "
             "--levels 1 --permutation shuffle --batch 4 --limit 1 %s >'%s' 2>'%s' & %s wait $!",
             s->folder, fault, times ? "RHEO_TEST_ONCE=" : "", times ? file : "", FAULTY_DRIVER, RHEO_COMMAND, s->folder, device, out, err,
             meanwhile);
    const int status = system(command);
    r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    scratch_text(out, r.out, sizeof r.out);
    scratch_text(err, r.err, sizeof r.err);
    r.lines = count_of(r.out, "\n");
    r.failed = count_of(r.out, "clblast failed  -> own; ");
    return r;
}

#define EXPECT_IN(text, words) cr_expect(strstr(text, words), "found '%s', expected '%s' in it", text, words)

/* All operations are measured, by candidates that are wrong in all of them, and `times` worse than wrong. */
static void expect_outlived(const result *r, int times, const char *words)
{
    cr_expect_eq(r->code, 0);
    cr_expect_gt(r->lines, times);
    cr_expect_eq(r->failed, r->lines);
    cr_expect_eq(count_of(r->err, words), times, "found '%s', expected '%s' in it %d times", r->err, words, times);
}

/* Winners in the cache folder. */
static int kept(const scratch *s)
{
    char folder[100];
    rheo_choices c = { 0 };
    snprintf(folder, sizeof folder, "%s/cache", s->folder);
    setenv("RHEO_CACHE_DIR", folder, 1);
    rheo_device *dev = test_device();
    rheo_choices_recall(&c, dev);
    const int n = c.count;
    rheo_choices_free(&c);
    rheo_device_close(dev);
    return n;
}

/* One test, so that kernels are compiled once. */
Test(tune_process, outlives_its_candidates, .timeout = 240)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    if (!*FAULTY_DRIVER || (device && !strcmp(device, "host"))) cr_skip_test("needs CLBlast and a device");
    scratch s = scratch_make();
    make_images(s.folder);

    result r = tune(&s, "crash", ALWAYS);
    expect_outlived(&r, 3, ": clblast crashed (Segmentation fault); going on without it\n");
    EXPECT_IN(r.out, "; crashed (Segmentation fault)\n");
    EXPECT_IN(r.out, "; not tried: crashed or hung in 3 operations\n");
    cr_expect_eq(kept(&s), r.lines);

    r = tune(&s, "hang", ONCE);
    expect_outlived(&r, 1, ": clblast did not finish in ");
    EXPECT_IN(r.out, "off by");
    r = tune(&s, "exit", ONCE);
    expect_outlived(&r, 1, ": clblast ended the process (status 3); going on without it\n");
    /* What a candidate leaves behind is not the next default's fault. */
    r = tune(&s, "poison", ONCE);
    expect_outlived(&r, 1, ": own crashed (Aborted) after other variants; going on in a new process\n");

    r = tune(&s, "default", ALWAYS);
    cr_expect_eq(r.code, 1);
    cr_expect_eq(r.lines, 0);
    EXPECT_IN(r.err, ": the default, own, crashed (Aborted)\n");

    r = tune(&s, "hang", ONCE_THEN_INTERRUPTED);
    cr_expect_eq(r.code, 1);
    EXPECT_IN(r.err, "rheo tune: stopped after 0 of ");
    clean(&s);
}
