/* A run's folder and what lies in it. */
#ifndef RHEO_TRAIN_RUN_H
#define RHEO_TRAIN_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

typedef struct rheo_run {
    char *config, *last, *best, *samples, *log_path;
    FILE *log;               /* open for as long as the run is ours: its lock keeps a second training out */
} rheo_run;

/* Whether the folder holds a run, which is an error unless it is to be replaced. */
rheo_status rheo_run_check(const char *folder, bool force, rheo_error *err);
/* Makes the folder. One that holds a run is refused, or with `force` cleared of that run's files, and of no others. */
rheo_status rheo_run_create(const char *folder, bool force, rheo_run *out, rheo_error *err);
/* Opens the folder of a run that has been saved at least once. */
rheo_status rheo_run_open(const char *folder, rheo_run *out, rheo_error *err);
void rheo_run_close(rheo_run *run);

/* Appends a line to log.jsonl. */
rheo_status rheo_run_log(rheo_run *run, const char *line, rheo_error *err);
rheo_status rheo_run_write_config(rheo_run *run, const char *text, rheo_error *err);
/* samples/step-00001234.png, for the caller to free; NULL when out of memory. */
char *rheo_run_sample_path(const rheo_run *run, unsigned long long step);

/* A run folder's best checkpoint, or with `last` (and where there is no best) its last; a file's own name. The caller frees *out. */
rheo_status rheo_run_checkpoint(const char *path, bool last, char **out, rheo_error *err);

#endif
