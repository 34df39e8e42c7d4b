/* rheo-bench: what a user needs to trust or tune a device. Results on stdout, as tables or JSON. */
#ifndef RHEO_BENCH_BENCH_H
#define RHEO_BENCH_BENCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "graph/plan.h"
#include "sample/chain.h"
#include "train/draw.h"
#include "train/evaluate.h"
#include "train/step.h"

enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* ---- peak.c: what the device can do at most ------------------------------------------------------------------ */

typedef struct bench_peak {
    double gflops;          /* fused multiply-adds in registers, two operations each */
    double gbytes;          /* read and written a second by a copy of 64 MiB */
    double launch_us;       /* one of many queued empty launches */
} bench_peak;
rheo_status bench_peak_of(rheo_device *dev, bench_peak *out, rheo_error *err);
/* gflops becomes what multiply-adds reach now, where that is more. */
rheo_status bench_peak_again(rheo_device *dev, double *gflops, rheo_error *err);

/* ---- roofline.c: operations below the roofs of that ------------------------------------------------------------ */

typedef struct bench_point {
    const char *op, *key;    /* the operation, and with its shapes */
    double flops, bytes, seconds;
    int times;               /* it stands in the step; the numbers above are of one */
} bench_point;
/* Writes X.dat and X.gp beside the path X.png and has gnuplot draw it. Where that is not installed they stay, and stderr says so. */
rheo_status bench_roofline(const char *path, const char *title, const rheo_device *dev, const bench_peak *peak, const bench_point *points,
                           int count, rheo_error *err);

/* ---- models.c: the models that are compared ---------------------------------------------------------------------- */

/* What is timed, over one batch: a training step; the loss (glow: log-likelihoods; ncsn: the network and what follows); or glow's drawing
 * of images, ncsn's Langevin step. */
typedef enum bench_phase { BENCH_TRAIN, BENCH_SAMPLE, BENCH_EVAL } bench_phase;
const char *bench_phase_name(bench_phase phase);
/* Of --phase; else a line is said, and BENCH_USAGE returned. */
int bench_take_phase(const char *command, const char *name, bench_phase *out);

typedef struct bench_model_options {
    bench_phase phase;
    const char *device;      /* NULL: the default */
    int64_t batch;           /* 0: the model's usual one */
    bool invert;             /* activations are rebuilt instead of stored */
    bool f43;                /* Winograd's F(4x4, 3x3) where it is offered */
    bool apart;              /* convolutions of couplings one by one where they would be one operation */
} bench_model_options;

/* All zero before it is created. */
typedef struct bench_model {
    rheo_recipe recipe;
    rheo_instance in;
    bench_phase phase;
    rheo_plan *plan;         /* of the phase; one of these owns it */
    rheo_trainstep step;
    rheo_evaluator evaluator;
    rheo_drawer drawer;
    rheo_chain chain;
    rheo_plan *product;
} bench_model;
/* "glow-cifar", "glow-small", ..., or a matrix product "MxKxN" alone, ready to run. Free it whatever is returned. */
rheo_status bench_model_create(const char *name, const bench_model_options *o, bench_model *out, rheo_error *err);
void bench_model_free(bench_model *m);
const char *bench_model_names(void);

/* ---- product.c: matrix products and convolutions in no model --------------------------------------------------- */

/* "MxKxN" or "NxHxWxI:KxO"? */
bool bench_is_sizes(const char *name);
rheo_status bench_product_create(const char *name, const bench_model_options *o, bench_model *out, rheo_error *err);
/* Variants for `in`: the device's winners, and what o says. */
rheo_status bench_choose(rheo_instance *in, rheo_recipe *recipe, const bench_model_options *o, rheo_error *err);

/* ---- subcommands ------------------------------------------------------------------------------------------------ */

int bench_run_peak(int argc, char **argv);
int bench_run_ops(int argc, char **argv);
int bench_run_model(int argc, char **argv);
int bench_run_compare(int argc, char **argv);
int bench_run_programs(int argc, char **argv);

/* main.c: the first line of every report, and its JSON form. */
enum { BENCH_DEVICE_TEXT = 512 };
void bench_name_device(const rheo_device *dev, char text[BENCH_DEVICE_TEXT]);
void bench_print_device(const rheo_device *dev);
bool bench_add_device(cJSON *to, const rheo_device *dev);
/* "rheo-bench COMMAND: message" */
int bench_failed(const char *command, const rheo_error *err);
/* Prints and deletes it. */
int bench_print_json(cJSON *json);

#endif
