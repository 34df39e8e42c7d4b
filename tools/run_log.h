/* What a run folder tells of its training: config.json and log.jsonl. */
#ifndef RHEO_TOOLS_RUN_LOG_H
#define RHEO_TOOLS_RUN_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "rheo/rheo.h"

struct cJSON;

/* A report of some steps. Numbers that were not finite, or are not there, are NAN. */
typedef struct run_report {
    double step, seconds, loss, gradient_norm, rate, images_per_second, skipped;
} run_report;

/* A look at the validation split, and the losses of bands of noise levels. */
typedef struct run_look {
    double step, seconds, valid, standard_error, images;
    int bands;
    double first[RHEO_BANDS], last[RHEO_BANDS], loss[RHEO_BANDS];
} run_look;

/* What the guard did about steps that were not finite. */
typedef struct run_event {
    double step, seconds;
    char *text;
} run_event;

typedef struct run_log {
    struct cJSON *config;
    struct cJSON *chosen;               /* an array of {chosen, value, why}: options that were chosen from the data */
    run_report *reports;                /* in the order of steps: what a resumed or restored run did again stands once */
    run_look *looks;
    run_event *events;
    size_t n_reports, n_looks, n_events;
    size_t sessions, damaged;           /* starts and resumptions; lines that could not be read */
} run_log;

/* A half line at the end, of a run that is going on or was killed, is left out; other damaged lines are named on stderr. The caller frees
 * what *out holds. Errors: RHEO_EFILE, RHEO_EFORMAT name the file. */
rheo_status run_log_read(const char *command, const char *run, run_log *out, rheo_error *err);
void run_log_free(run_log *log); /* accepts a zeroed one */

/* "bits/dim", "nats", or "loss" */
const char *run_log_unit(const run_log *log);

/* Of the config: a text or number as text, "" where it is not there. Lent, or written into text. */
const char *run_log_config(const run_log *log, const char *object, const char *name, char text[32]);

#endif
