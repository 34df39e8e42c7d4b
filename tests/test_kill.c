/* A run that is killed (kill -9) again and again, and resumed each time, ends in the checkpoint of one that was never killed, bit for bit: all
 * tensors and counts. Of its notes `seconds`, `best` and `best_step` are the clock's, and may differ. RHEO_TEST_KILLS=100 kills more often. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include <signal.h>
#include <time.h>

#include "base/philox.h"
#include "process.h"
#include "runs.h"

#define SEED 20
enum { KILLS = 8, STEPS_A_KILL = 400 };

typedef struct victim {
    const char *run;
    char iterations[24], last[160], temporary[164];
    process train, resume;
} victim;

static process training(const char *run, const char *iterations, const char *output)
{
    process c = { .args = { "train", "glow", "--data", "toy:moons", "--out", run, "--force", "--iters", iterations, "--save", "0.001", "--batch",
                            "16", "--depth", "2", "--width", "8", "--seed", "5" }, .output = output };
    const char *device = getenv("RHEO_TEST_DEVICE");
    int n = 0;
    while (c.args[n]) n++;
    if (device) c.args[n] = "--device", c.args[n + 1] = device;
    return c;
}

static uint64_t steps_done(const victim *v)
{
    if (access(v->last, F_OK)) return 0;
    state s = read_state(v->run);       /* whatever the moment of the kill, it can be read */
    const uint64_t steps = s.shot.step;
    free_state(&s);
    return steps;
}

static void pause_for(double seconds)
{
    const struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, NULL);
}

/* Waits for the moment to kill: any, or one in which a checkpoint is being written. False where the process ended before. */
static bool await_moment(const victim *v, pid_t pid, bool while_saving, double chance)
{
    siginfo_t gone = { 0 };
    if (!while_saving) pause_for(1.5 * chance);
    while (while_saving && access(v->temporary, F_OK) && !gone.si_pid) {
        pause_for(5e-5);
        waitid(P_PID, (id_t)pid, &gone, WEXITED | WNOHANG | WNOWAIT);
    }
    if (while_saving) pause_for(1e-3 * chance);
    gone.si_pid = 0;
    waitid(P_PID, (id_t)pid, &gone, WEXITED | WNOHANG | WNOWAIT);
    return !gone.si_pid;
}

static void expect_equal(const victim *v, const state *whole)
{
    static const char *const folders[] = { "", "/samples" };
    char command[240];
    state s = read_state(v->run);
    cr_assert_eq(s.shot.step, whole->shot.step);
    expect_same(whole, &s);
    free_state(&s);
    for (int k = 0; k < 2; k++) {
        snprintf(command, sizeof command, "test -z \"$(ls '%s%s' | grep tmp)\"", v->run, folders[k]);
        cr_assert_eq(system(command), 0, "temporary files are left");
    }
}

static void end_well(const victim *v, uint64_t iterations, const state *whole)
{
    char text[4096];
    if (steps_done(v) < iterations && process_run(steps_done(v) ? &v->resume : &v->train)) {
        process_output(&v->train, text, sizeof text);
        cr_assert_fail("%s", text);
    }
    expect_equal(v, whole);
}

Test(kill, killed_runs_end_as_if_they_were_not, .timeout = 3600)
{
    if (device_count() == 1) cr_skip_test("needs a device: the host's doubles are not kept in a file");
    const char *asked = getenv("RHEO_TEST_KILLS");
    const int kills = asked ? atoi(asked) : KILLS;
    const uint64_t iterations = (uint64_t)kills * STEPS_A_KILL;
    scratch s = scratch_make();
    char whole_run[100], run[100], output[100];
    snprintf(whole_run, sizeof whole_run, "%s/whole", s.folder);
    snprintf(run, sizeof run, "%s/killed", s.folder);
    snprintf(output, sizeof output, "%s/output", s.folder);
    victim v = { .run = run };
    snprintf(v.iterations, sizeof v.iterations, "%d", kills * STEPS_A_KILL);
    snprintf(v.last, sizeof v.last, "%s/last.safetensors", run);
    snprintf(v.temporary, sizeof v.temporary, "%s.tmp", v.last);
    v.train = training(run, v.iterations, output);
    v.resume = (process){ .args = { "train", "--resume", run, "--save", "0.001" }, .output = output };
    const process unkilled = training(whole_run, v.iterations, output);
    cr_assert_eq(process_run(&unkilled), 0);
    state whole = read_state(whole_run);

    int ended = 0, in_saving = 0, before_first = 0;
    uint32_t tries = 0;
    for (int k = 0; k < kills;) {
        uint32_t word[4];
        rheo_philox_block(&(rheo_address){ .seed = SEED, .sample = tries++, .purpose = RHEO_FOR_METRIC }, 0, word);
        if (steps_done(&v) == iterations) {     /* a life too short for so many kills: the next one */
            end_well(&v, iterations, &whole);
            unlink(v.last);
            ended++;
        }
        const pid_t pid = process_start(steps_done(&v) ? &v.resume : &v.train);
        const bool killed = await_moment(&v, pid, k % 2 == 0, rheo_philox_uniform(word[0]));
        in_saving += killed && !access(v.temporary, F_OK);
        kill(pid, SIGKILL);
        const int code = process_wait(pid);
        cr_assert(code == -1 || code == 0, "exit code %d", code);
        before_first += access(v.last, F_OK) != 0;
        k += killed;
    }
    end_well(&v, iterations, &whole);
    printf("%d kills: %d while a checkpoint was being written, %d before there was one; %d runs ended between them\n", kills, in_saving,
           before_first, ended);
    free_state(&whole);
    clean(&s);
}
