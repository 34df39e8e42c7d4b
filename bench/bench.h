/* rheo-bench: what a user needs to trust or tune a device. Results on stdout, as tables or JSON. */
#ifndef RHEO_BENCH_BENCH_H
#define RHEO_BENCH_BENCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "graph/plan.h"
#include "train/step.h"

enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* ---- peak.c: what the device can do at most ------------------------------------------------------------------ */

typedef struct bench_peak {
    double gflops;          /* fused multiply-adds in registers, two operations each */
    double gbytes;          /* read and written a second by a copy of 64 MiB */
    double launch_us;       /* one of many queued empty launches */
} bench_peak;
rheo_status bench_peak_of(rheo_device *dev, bench_peak *out, rheo_error *err);

/* ---- model.c: training steps of the models that are compared -------------------------------------------------- */

typedef struct bench_model {
    rheo_recipe recipe;
    rheo_instance in;
    rheo_trainstep step;
} bench_model;
/* "glow-cifar", "glow-small", ... with this batch (0: its usual one), activations stored or inverted, ready to run. */
rheo_status bench_model_create(const char *name, const char *device, int64_t batch, bool invert, bench_model *out, rheo_error *err);
void bench_model_free(bench_model *m);
const char *bench_model_names(void);

/* ---- subcommands ------------------------------------------------------------------------------------------------ */

int bench_run_peak(int argc, char **argv);
int bench_run_ops(int argc, char **argv);
int bench_run_model(int argc, char **argv);
int bench_run_compare(int argc, char **argv);

/* main.c: the first line of every report, and its JSON form. */
void bench_print_device(const rheo_device *dev);
bool bench_add_device(cJSON *to, const rheo_device *dev);
/* "rheo-bench COMMAND: message" */
int bench_failed(const char *command, const rheo_error *err);
/* Prints and deletes it. */
int bench_print_json(cJSON *json);

#endif
