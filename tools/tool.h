/* What the subcommands of `rheo` share. Results go to stdout, messages to stderr. */
#ifndef RHEO_TOOLS_TOOL_H
#define RHEO_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "rheo/rheo.h"

extern const char *const tool_program;      /* "rheo", in whose main file it stands */

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };      /* exit codes */

/* A row of the table in main.c; argv[0] is the subcommand's name. */
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

/* "rheo COMMAND: message" on stderr; returns TOOL_FAILED or TOOL_USAGE. */
int tool_failed(const char *command, const rheo_error *err);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int tool_misused(const char *command, const char *format, ...);

/* The models' own options: rows of the table, and those given as JSON text. NULL when out of memory; freed by rheo_free. */
typedef struct tool_model {
    long long levels, depth, width, bits;
    const char *coupling, *permutation, *padding;
} tool_model;
#define TOOL_MODEL_OPTIONS(m) \
    { "levels", TOOL_INT, &(m).levels, "L", "levels of the multi-scale architecture", 1, 64 }, \
    { "depth", TOOL_INT, &(m).depth, "K", "steps of flow a level", 1, 4096 }, \
    { "width", TOOL_INT, &(m).width, "W", "channels inside the coupling networks", 1, 65536 }, \
    { "coupling", TOOL_TEXT, &(m).coupling, "C", "affine or additive", 0, 0 }, \
    { "permutation", TOOL_TEXT, &(m).permutation, "P", "conv1x1, shuffle or reverse", 0, 0 }, \
    { "padding", TOOL_TEXT, &(m).padding, "MODE", "of 3x3 convolutions: zero, or edge (an indicator channel)", 0, 0 }, \
    { "bits", TOOL_INT, &(m).bits, "N", "bits of the data that are kept", 1, 8 }
char *tool_model_config(const tool_model *m);

/* The one of n names nearest to what was typed, or NULL where none is near; stride is the distance of the names. */
const char *tool_nearest(const char *typed, const char *const *names, size_t n, size_t stride);

/* "3.4 GiB" */
const char *tool_bytes(uint64_t bytes, char text[16]);

int tool_devices(int argc, char **argv);
int tool_eval(int argc, char **argv);
int tool_info(int argc, char **argv);
int tool_quality(int argc, char **argv);
int tool_sample(int argc, char **argv);
int tool_train(int argc, char **argv);
int tool_tune(int argc, char **argv);

#endif
