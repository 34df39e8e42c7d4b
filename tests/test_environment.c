/* What goes wrong around the command: full disks, folders without rights, no OpenCL, devices that fail. Each is one line that names the place,
 * exit code 1, and nothing half-written. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include <sys/stat.h>

#include "process.h"
#include "runs.h"

typedef struct place {
    scratch s;
    char run[100], output[100], text[8192];
} place;

/* Small images and a run of two steps. */
static place make_place(void)
{
    place p = { .s = scratch_make() };
    make_images(p.s.folder);
    snprintf(p.run, sizeof p.run, "%s/run", p.s.folder);
    snprintf(p.output, sizeof p.output, "%s/output", p.s.folder);
    return p;
}

/* `rest` ends in NULL. */
static process training(const place *p, const char *run, const char *const *rest)
{
    process c = { .args = { "train", "glow", "--data", p->s.folder, "--out", run, "--depth", "1", "--width", "8", "--levels", "1", "--batch", "8" },
                  .output = p->output };
    const char *device = getenv("RHEO_TEST_DEVICE");
    int n = 0;
    while (c.args[n]) n++;
    if (device) c.args[n++] = "--device", c.args[n++] = device;
    while (*rest) c.args[n++] = *rest++;
    return c;
}

static void train_two_steps(place *p)
{
    const process c = training(p, p->run, (const char *const[]){ "--iters", "2", NULL });
    const int code = process_run(&c);
    process_output(&c, p->text, sizeof p->text);
    cr_assert_eq(code, 0, "%s", p->text);
}

/* The command fails, and the last line it prints has the words; with `only` there is no other. */
static void expect_failure(place *p, const process *c, bool only, const char *words)
{
    const int code = process_run(c);
    process_output(c, p->text, sizeof p->text);
    const size_t n = strlen(p->text);
    cr_assert(n && p->text[n - 1] == '\n', "%s: '%s'", c->args[0], p->text);
    p->text[n - 1] = '\0';
    const char *before = strrchr(p->text, '\n'), *line = before ? before + 1 : p->text;
    cr_expect_eq(code, 1, "%s: exit code %d: %s", c->args[0], code, p->text);
    cr_expect(strstr(line, words), "%s: found '%s', expected '%s' in it", c->args[0], line, words);
    cr_expect(!only || !before, "%s: expected one line: %s", c->args[0], p->text);
}

static void expect_no_files(const place *p, const char *beginning)
{
    char command[200];
    snprintf(command, sizeof command, "test -z \"$(ls '%s' | grep '^%s')\"", p->s.folder, beginning);
    cr_expect_eq(system(command), 0, "files that begin with %s are left", beginning);
}

Test(environment, a_full_disk_leaves_nothing_half_written, .timeout = 240)
{
    static const char *const jobs[][3] = { { "sample", ".png", "--n=64" }, { "sample", ".npy", "--n=64" }, { "encode", ".npy", "--split=train" },
                                           { "score", ".csv", "--split=train" } };
    place p = make_place();
    char out[120];
    struct stat full;
    train_two_steps(&p);
    for (size_t k = 0; k < sizeof jobs / sizeof *jobs; k++) {
        snprintf(out, sizeof out, "%s/big%s", p.s.folder, jobs[k][1]);
        process c = { .args = { jobs[k][0], p.run, jobs[k][2], "--out", out }, .output = p.output, .largest_file = 256 };
        expect_failure(&p, &c, true, "cannot be written: File too large");
        expect_no_files(&p, "big");
        c = (process){ .args = { jobs[k][0], p.run, jobs[k][2], "--out", "/dev/full" }, .output = p.output };
        expect_failure(&p, &c, true, "/dev/full: cannot be written: No space left on device");
        cr_assert(!stat("/dev/full", &full) && S_ISCHR(full.st_mode), "the device was replaced");
    }
    /* Training does not begin where its first checkpoint does not fit. */
    snprintf(out, sizeof out, "%s/second", p.s.folder);
    process c = training(&p, out, (const char *const[]){ "--iters", "50", NULL });
    c.largest_file = 2048;
    expect_failure(&p, &c, false, "last.safetensors: cannot be written: File too large");
    snprintf(out, sizeof out, "%s/second/last.safetensors.tmp", p.s.folder);
    cr_expect(access(out, F_OK));
    clean(&p.s);
}

Test(environment, folders_without_rights, .timeout = 240)
{
    place p = make_place();
    char locked[100], out[120];
    snprintf(locked, sizeof locked, "%s/locked", p.s.folder);
    snprintf(out, sizeof out, "%s/new", locked);
    train_two_steps(&p);
    cr_assert(!chmod(p.s.folder, 0777) && !mkdir(locked, 0555));
    process c = { .args = { "--help" }, .output = p.output, .as_nobody = 1 };
    if (process_run(&c) == CANNOT_START) {
        clean(&p.s);
        cr_skip_test("the test is root, and nobody else may run the command where it stands");
    }
    static const char cache[] = "RHEO_CACHE_DIR=/dev/null";
    c = (process){ .args = { "encode", p.run, "--out", out }, .output = p.output, .as_nobody = 1, .set = { cache } };
    expect_failure(&p, &c, true, "locked/new: cannot be written: Permission denied");
    c = training(&p, out, (const char *const[]){ "--iters", "2", "--device", "host", NULL });     /* nobody has no cache for PoCL */
    c.as_nobody = 1, c.set[0] = cache;
    expect_failure(&p, &c, true, "locked/new: folder cannot be made: Permission denied");
    cr_expect(access(out, F_OK));
    clean(&p.s);
}

Test(environment, no_opencl, .timeout = 240)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    if (device && !strcmp(device, "host")) cr_skip_test("needs no OpenCL");
    place p = make_place();
    char none[140];
    snprintf(none, sizeof none, "OCL_ICD_VENDORS=%s", p.s.folder);
    process c = training(&p, p.run, (const char *const[]){ "--iters", "2", NULL });
    c.set[0] = none;
    expect_failure(&p, &c, true, "no OpenCL 1.2 device found: install the GPU's OpenCL driver, or PoCL");
    c = (process){ .args = { "devices" }, .output = p.output, .set = { none } };
    expect_failure(&p, &c, true, "no OpenCL 1.2 device: install the GPU's OpenCL driver, or PoCL");
    expect_no_files(&p, "run");
    clean(&p.s);
}

Test(environment, devices_that_fail, .timeout = 240)
{
    const char *device = getenv("RHEO_TEST_DEVICE");
    if (device && !strcmp(device, "host")) cr_skip_test("needs a device");
    place p = make_place();
    char cache[140], last[140];
    snprintf(cache, sizeof cache, "RHEO_CACHE_DIR=%s/cache", p.s.folder);
    snprintf(last, sizeof last, "%s/last.safetensors", p.run);
    train_two_steps(&p);
    unlink(last);

    static const char driver[] = "LD_PRELOAD=" FAILING_DRIVER;
    const char *const two[] = { "--force", "--iters", "2", NULL };
    process c = training(&p, p.run, two);
    memcpy(c.set, (const char *[]){ driver, "RHEO_TEST_FAIL=build", cache }, 3 * sizeof *c.set);
    expect_failure(&p, &c, true, ": CL_BUILD_PROGRAM_FAILURE: ");
    cr_expect(access(last, F_OK));

    c = training(&p, p.run, two);
    memcpy(c.set, (const char *[]){ driver, "RHEO_TEST_FAIL=buffer" }, 2 * sizeof *c.set);
    expect_failure(&p, &c, true, "CL_MEM_OBJECT_ALLOCATION_FAILURE");
    cr_expect(strstr(p.text, "--memory invert") && strstr(p.text, "--batch"), "%s", p.text);

    /* In the middle of training: the kernel is named, and what was saved is whole. */
    c = training(&p, p.run, (const char *const[]){ "--force", "--iters", "100000000", "--save", "0.001", NULL });
    memcpy(c.set, (const char *[]){ driver, "RHEO_TEST_FAIL=launch", "RHEO_TEST_AFTER=60000" }, 3 * sizeof *c.set);
    expect_failure(&p, &c, false, "clEnqueueNDRangeKernel of ");
    cr_expect(strstr(p.text, ": kernel ") && strstr(p.text, "CL_OUT_OF_RESOURCES"), "%s", p.text);
    state s = read_state(p.run);
    cr_expect_gt(s.shot.step, 0);
    char more[24];
    snprintf(more, sizeof more, "%llu", (unsigned long long)s.shot.step + 1);
    free_state(&s);
    c = (process){ .args = { "train", "--resume", p.run, "--iters", more }, .output = p.output };
    cr_expect_eq(process_run(&c), 0);
    clean(&p.s);
}
