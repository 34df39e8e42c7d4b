/* Training: the loop, its saves and its guard. */
#ifndef RHEO_TRAIN_TRAINER_H
#define RHEO_TRAIN_TRAINER_H

#include "base/clock.h"
#include "train/batches.h"
#include "train/draw.h"
#include "train/evaluate.h"
#include "train/run.h"
#include "train/snapshot.h"

typedef struct rheo_trainer {
    const rheo_train_options *options;      /* progress, user, stop */
    rheo_recipe recipe;
    rheo_dataset *data;
    rheo_run run;
    rheo_instance in;
    rheo_trainstep step;
    rheo_batches batches;
    rheo_snapshot good;      /* as last saved: what bad steps return to */
    char choices[1024];      /* lines of the log: options that were chosen from the data */
    uint64_t steps;          /* done; the device's own count, kept here too */

    rheo_evaluator evaluator;
    rheo_drawer drawer;
    uint32_t n_valid;        /* rows of the validation split that are looked at while training */
    double valid;            /* their mean loss, in the unit shown; NAN before the first look */

    double start, deadline;  /* seconds of the clock; deadline INFINITY without one */
    double seconds_before;   /* trained in earlier sessions */
    double last_save, last_look;
    double save_seconds, look_seconds, draw_seconds;    /* what the last one took */
    uint64_t next_picture;

    uint64_t reported, report_at;
    double report_time, images_per_second;
    double pace_start;       /* the end of the session's first step; 0 before */
    bool log_fails;          /* the last line of the log could not be written */
    uint64_t skipped;        /* as last reported */
    uint64_t bad_step;       /* the latest that was returned from */
    int returns;             /* in vain so far */
} rheo_trainer;

rheo_status rheo_trainer_create(const rheo_train_options *options, rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_resume(const rheo_train_options *options, rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_run(rheo_trainer *t, rheo_error *err);
void rheo_trainer_free(rheo_trainer *t);

/* ---- between the files of the trainer ---- */

double rheo_trainer_seconds(const rheo_trainer *t);
/* What has to be left for the last look and save. */
double rheo_trainer_reserve(const rheo_trainer *t);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void rheo_trainer_say(rheo_trainer *t, const char *format, ...);

/* The same, and as an event into the log, without whose lines training goes on. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
rheo_status rheo_trainer_note(rheo_trainer *t, rheo_error *err, const char *format, ...);

/* The steps since the last report that were not finite. */
typedef struct rheo_bad_steps {
    uint64_t first;          /* its number, counted from 1 */
    uint64_t count;          /* 0: there were none */
    uint64_t row;            /* how many there are in a row, up to the latest step */
} rheo_bad_steps;

/* report.c: reads the device's counters, logs them, tells the caller. */
rheo_status rheo_trainer_report(rheo_trainer *t, rheo_bad_steps *bad, rheo_error *err);
/* The step at which `left` more seconds are over, at the mean pace of the `steps` that took `seconds`: the part of it that is done is the
 * part of the time that is over, whatever the pace just now. RHEO_END_FAR_OFF where there is no pace yet. */
double rheo_schedule_end(double steps, double seconds, double left);
/* Under the clock a linear schedule ends there; of the applied steps of the run. */
rheo_status rheo_trainer_aim(rheo_trainer *t, uint64_t applied, rheo_error *err);
/* save.c: the good state as last.safetensors; the present one likewise, which becomes the good one; a look at the validation split
 * and best.safetensors; samples. */
rheo_status rheo_trainer_write(const rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_save(rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_look(rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_draw(rheo_trainer *t, rheo_error *err);
rheo_status rheo_trainer_write_config(rheo_trainer *t, rheo_error *err);
/* guard.c: what is to be done about bad steps. */
rheo_status rheo_trainer_guard(rheo_trainer *t, const rheo_bad_steps *bad, rheo_error *err);

#endif
