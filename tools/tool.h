/* What the subcommands of `rheo` share. Results go to stdout, messages to stderr. */
#ifndef RHEO_TOOLS_TOOL_H
#define RHEO_TOOLS_TOOL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "rheo/rheo.h"

struct cJSON;

extern const char *const tool_program;      /* "rheo", in whose main file it stands */

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };      /* exit codes */

/* A row of the table in main.c; argv[0] is the subcommand's name, argv[-1] the program's. */
typedef struct tool_command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} tool_command;

/* ---- options: a table a subcommand, ended by a row without a name -------------------------------------------- */

typedef enum tool_type {
    TOOL_FLAG,               /* bool, takes no value */
    TOOL_TEXT,               /* const char *, lent from argv */
    TOOL_INT,                /* long long, within [low, high] */
    TOOL_NUMBER              /* double, finite, within [low, high] */
} tool_type;

typedef struct tool_option {
    const char *name;        /* "minutes" is given as --minutes N or --minutes=N */
    tool_type type;
    void *to;                /* keeps what it holds unless the option is given */
    const char *value;       /* what the help calls the value: "N" */
    const char *help;
    double low, high;        /* both 0: unbounded */
} tool_option;

typedef struct tool_usage {
    const char *command;     /* "devices" */
    const char *operands;    /* "RUN", or NULL */
    const char *summary;     /* for --help: a sentence or a few, \v, an example */
    int min_operands, max_operands;
    const tool_option *options;
    uint64_t *given;         /* bit k: option k was given; may be NULL */
} tool_usage;

/* Reads the options and leaves the operands in argv[0], ..., *argc of them. False: the help was printed or the usage
 * was wrong, and the subcommand returns *code. */
bool tool_parse(const tool_usage *usage, int *argc, char **argv, int *code);

/* An option that was given and is among the NULL-terminated names, or with `among` false is none of them; NULL: there is none. */
const char *tool_given(const tool_usage *usage, const char *const *names, bool among);

/* "rheo COMMAND: message" on stderr; returns TOOL_FAILED or TOOL_USAGE. */
int tool_failed(const char *command, const rheo_error *err);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int tool_misused(const char *command, const char *format, ...);

/* Prints an object and frees it; `ok` false: there was no memory to make it. Returns the exit code, and says why it failed. */
int tool_print_json(const char *command, struct cJSON *json, bool ok);

/* ---- work that takes long ---------------------------------------------------------------------------------- */

/* Ctrl-C and SIGTERM set the flag returned here and write `text` (may be NULL); a second Ctrl-C ends the process as it always does. */
const volatile int *tool_stop_at_interrupt(const char *text);

/* PoCL's threads, bound to CPUs, are up to twice as fast; but it aborts where one of CPUs 0, ..., n-1 is not allowed. To be called before
 * the first device is looked for; leaves alone what the environment says of it. */
void tool_bind_pocl(void);

/* How far it is, on stderr: one line written over and over on a terminal, a line every few seconds into a pipe. */
typedef struct tool_progress {
    bool terminal;
    double last; /* seconds at which a line went into a pipe */
    int width;   /* of the line on the terminal */
} tool_progress;
tool_progress tool_progress_start(void);
bool tool_progress_due(tool_progress *p, double seconds);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tool_progress_line(tool_progress *p, const char *format, ...);
void tool_progress_keep(tool_progress *p, const char *text); /* a line that stays */
void tool_progress_end(tool_progress *p);

/* ---- what several subcommands have ------------------------------------------------------------------------- */

/* rheo_checkpoint_open, whose remarks go to stderr. */
rheo_status tool_open_checkpoint(const char *path, const char *device, const char *weights, rheo_checkpoint **out, rheo_error *err);

/* The models' own options: rows of the table, and those given as JSON text. NULL when out of memory; freed by rheo_free. */
typedef struct tool_model {
    long long levels, depth, width, bits, steps;
    const char *coupling, *permutation, *padding;
    const char *network, *spacing, *objective, *projection, *dequantise, *convention, *denoise, *form;
    double first, last, power, epsilon;      /* of noise; NAN: not given */
    double class_weight;                     /* NAN: not given */
    bool choose, classes;
} tool_model;
#define TOOL_MODEL_NONE { .steps = -1, .first = NAN, .last = NAN, .power = NAN, .epsilon = NAN, .class_weight = NAN }
#define TOOL_MODEL_OPTIONS(m) \
    { "levels", TOOL_INT, &(m).levels, "L", "levels: glow's of its multi-scale architecture, ncsn's of noise", 1, 10000 }, \
    { "depth", TOOL_INT, &(m).depth, "K", "glow: steps of flow a level", 1, 4096 }, \
    { "width", TOOL_INT, &(m).width, "W", "channels inside the networks", 1, 65536 }, \
    { "coupling", TOOL_TEXT, &(m).coupling, "C", "glow: affine or additive", 0, 0 }, \
    { "permutation", TOOL_TEXT, &(m).permutation, "P", "glow: conv1x1, shuffle or reverse", 0, 0 }, \
    { "padding", TOOL_TEXT, &(m).padding, "MODE", "glow: of 3x3 convolutions: zero, or edge (an indicator channel)", 0, 0 }, \
    { "bits", TOOL_INT, &(m).bits, "N", "glow: bits of the data that are kept", 1, 8 }, \
    { "classes", TOOL_FLAG, &(m).classes, NULL, "glow: conditional on the classes that label the data", 0, 0 }, \
    { "class-weight", TOOL_NUMBER, &(m).class_weight, "W", "glow: of a classifier's bits beside bits/dim in training; 0.01", 0, 1e3 }, \
    { "network", TOOL_TEXT, &(m).network, "NET", "ncsn: v2 (default for images), v1, baseline, or mlp (for vectors)", 0, 0 }, \
    { "sigma-begin", TOOL_NUMBER, &(m).first, "S", "ncsn: the first noise level; v2 22.5, v1 1, baseline 0.01, mlp 0", 0, 1e6 }, \
    { "sigma-end", TOOL_NUMBER, &(m).last, "S", "ncsn: the last noise level; 0.01", 0, 1e6 }, \
    { "sigma-dist", TOOL_TEXT, &(m).spacing, "D", "ncsn: levels between them: geometric (default) or uniform", 0, 0 }, \
    { "objective", TOOL_TEXT, &(m).objective, "O", "ncsn: dsm, ssm or ssm-vr; dsm, mlp without noise ssm-vr", 0, 0 }, \
    { "projection", TOOL_TEXT, &(m).projection, "P", "ncsn, of ssm: gaussian (default) or rademacher", 0, 0 }, \
    { "anneal-power", TOOL_NUMBER, &(m).power, "P", "ncsn: a level's weight is sigma^P; 2, baseline 0", 0, 10 }, \
    { "dequantise", TOOL_TEXT, &(m).dequantise, "D", "ncsn: none (default of v2) or uniform", 0, 0 }, \
    { "steps", TOOL_INT, &(m).steps, "T", "ncsn, sampling: steps a level; v2 5, v1 100", 0, 1000000 }, \
    { "epsilon", TOOL_NUMBER, &(m).epsilon, "E", "ncsn, sampling: the step at the last level", 0, 1e6 }, \
    { "step-convention", TOOL_TEXT, &(m).convention, "C", "ncsn, of epsilon: eta (default), or alpha = 2 eta", 0, 0 }, \
    { "denoise", TOOL_TEXT, &(m).denoise, "D", "ncsn, sampling: a last step without noise, on (default of v2) or off", 0, 0 }, \
    { "innorm-form", TOOL_TEXT, &(m).form, "F", "ncsn: InstanceNorm++ as in the reference (default) or the paper", 0, 0 }
char *tool_model_config(const tool_model *m);

/* Options of chains of score models; o is a rheo_langevin_options from rheo_langevin_defaults. */
#define TOOL_LANGEVIN_OPTIONS(o, chain_steps) \
    { "steps", TOOL_INT, &(chain_steps), "T", "steps a noise level; the model's own", 1, 1e6 }, \
    TOOL_STEP_OPTIONS(o)
#define TOOL_STEP_OPTIONS(o) \
    { "epsilon", TOOL_NUMBER, &(o).epsilon, "E", "size of a step at the last level; the model's own", 1e-12, 1e6 }, \
    { "step-convention", TOOL_TEXT, &(o).step_convention, "C", "of epsilon: eta, or alpha (twice eta)", 0, 0 }, \
    { "denoise", TOOL_TEXT, &(o).denoise, "on|off", "a last step without noise", 0, 0 }
/* Reports its progress and stops at Ctrl-C from here on; the end closes the line. */
void tool_langevin_start(rheo_langevin_options *o);
void tool_langevin_end(void);

/* Shows how far encoding, decoding and likelihoods are; the end closes the line. */
void tool_watch_start(rheo_checkpoint *c);
void tool_watch_end(void);

/* What made a picture: kept in it as a sentence and as JSON with the options as they are used, of paths only the last name. */
typedef struct tool_origin {
    const tool_usage *usage;            /* the command's */
    const char *const *without;         /* NULL-terminated options that had no part in it, or NULL */
    const char *from;                   /* the run or checkpoint */
    const rheo_checkpoint_facts *facts;
    const char *const *labels;          /* of the picture's rows, or NULL */
    char about[400];
} tool_origin;
tool_origin tool_origin_of(const tool_usage *usage, const char *const *without, const char *from, const rheo_checkpoint_facts *facts);

/* Adds to the sentence. It begins "glow trained on fashion-mnist, step 1000". */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tool_origin_tell(tool_origin *o, const char *format, ...);
char *tool_origin_json(const tool_origin *o);   /* NULL when out of memory; freed by rheo_free */

/* Images [n, h, w, c] of bytes as one PNG of `columns` (0: the nearest to a square) that tells its origin. */
rheo_status tool_write_grid(const char *path, const unsigned char *images, uint32_t n, uint32_t columns, const tool_origin *o, rheo_error *err);

/* Samples as rheo_sample gives them: images as such a PNG, vectors as CSV, or floats, of images from 0 to 1, where `path` ends in .npy. */
rheo_status tool_write_samples(const char *path, const void *x, uint32_t n, uint32_t columns, const tool_origin *o, rheo_error *err);

/* The last name of a path into a text of so many bytes, which is returned; slashes at its end do not count. */
const char *tool_base_name(const char *path, char *name, size_t bytes);

/* Writes what was put into an open_memstream (NULL, where it could not be opened) whole or not at all; closes it and frees the text. */
rheo_status tool_write_text(const char *path, FILE *stream, char **text, const size_t *bytes, rheo_error *err);

/* "0,.5,1", or "-1:1:7" for 7 from -1 to 1 at even distances: how many, `most` at most; 0: it is neither. */
int tool_numbers(const char *text, double *out, int most);

bool tool_ends_in(const char *text, const char *ending);

/* Can a file be made at `out`? Otherwise (or where it is NULL: no --out; or its ending is that of pictures other than .png) says why and sets
 * *code, before anything is computed for it. */
bool tool_can_write(const char *command, const char *out, int *code);

/* "3.4 GiB" */
const char *tool_bytes(uint64_t bytes, char text[16]);

int tool_data(int argc, char **argv);
int tool_decode(int argc, char **argv);
int tool_devices(int argc, char **argv);
int tool_doctor(int argc, char **argv);
int tool_edit(int argc, char **argv);
int tool_encode(int argc, char **argv);
int tool_eval(int argc, char **argv);
int tool_info(int argc, char **argv);
int tool_inpaint(int argc, char **argv);
int tool_interpolate(int argc, char **argv);
int tool_plan(int argc, char **argv);
int tool_plot(int argc, char **argv);
int tool_quality(int argc, char **argv);
int tool_report(int argc, char **argv);
int tool_sample(int argc, char **argv);
int tool_score(int argc, char **argv);
int tool_toy(int argc, char **argv);
int tool_train(int argc, char **argv);
int tool_tune(int argc, char **argv);

#endif
