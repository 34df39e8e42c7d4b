/* What training tells: the device's counters, a line of the log, the caller's progress. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "train/trainer.h"

#define REPORT_SECONDS 0.5

/* Steps until the next report: about half a second, so that reading the device back costs nothing. */
static uint64_t until_next(double seconds_a_step)
{
    const double n = seconds_a_step > 0 ? REPORT_SECONDS / seconds_a_step : 1;
    return n < 1 ? 1 : n > 10000 ? 10000 : (uint64_t)n;
}

double rheo_trainer_seconds(const rheo_trainer *t) { return t->seconds_before + rheo_seconds() - t->start; }

static void tell(rheo_trainer *t, double loss, const char *message)
{
    const double seconds_a_step = t->images_per_second > 0 ? (double)(t->recipe.batch * t->recipe.accumulate) / t->images_per_second : NAN;
    const double left = isfinite(t->deadline) ? t->deadline - rheo_seconds()
                                              : ((double)t->recipe.iterations - (double)t->steps) * seconds_a_step;
    const rheo_progress now = {
        .step = t->steps, .steps = (uint64_t)t->recipe.iterations, .seconds = rheo_trainer_seconds(t), .seconds_left = left > 0 ? left : 0,
        .loss = loss, .images_per_second = t->images_per_second, .valid = t->valid,
        .unit = t->in.model ? rheo_unit_name(t->in.model) : "", .message = message,
    };
    if (t->options->progress) t->options->progress(t->options->user, &now);
}

void rheo_trainer_say(rheo_trainer *t, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(t, NAN, text);
}

/* Says so once where lines begin to be lost. */
static rheo_status survive_log(rheo_trainer *t, rheo_status st, const rheo_error *why, rheo_error *err)
{
    if (st && st != RHEO_EFILE) return rheo_fail(err, st, "%s", why->text);
    if (st && !t->log_fails) rheo_trainer_say(t, "%s; training goes on", why->text);
    t->log_fails = st != RHEO_OK;
    return RHEO_OK;
}

rheo_status rheo_trainer_note(rheo_trainer *t, rheo_error *err, const char *format, ...)
{
    char text[480];
    rheo_error why = RHEO_ERROR_INIT;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(t, NAN, text);
    cJSON *line = cJSON_CreateObject();
    const bool ok = line && cJSON_AddNumberToObject(line, "step", (double)t->steps) &&
                    cJSON_AddNumberToObject(line, "seconds", rheo_trainer_seconds(t)) && cJSON_AddStringToObject(line, "event", text);
    char *json = ok ? cJSON_PrintUnformatted(line) : NULL;
    const rheo_status st = json ? rheo_run_log(&t->run, json, &why) : rheo_fail(&why, RHEO_ENOMEM, "out of memory");
    cJSON_free(json);
    cJSON_Delete(line);
    return survive_log(t, st, &why, err);
}

static rheo_status log_report(rheo_trainer *t, const float *scalar, double loss, rheo_error *err)
{
    cJSON *line = cJSON_CreateObject();
    bool ok = line && cJSON_AddNumberToObject(line, "step", (double)t->steps);
    ok = ok && cJSON_AddNumberToObject(line, "seconds", rheo_trainer_seconds(t));
    ok = ok && cJSON_AddNumberToObject(line, "loss", loss);             /* NaN is written as null */
    ok = ok && cJSON_AddNumberToObject(line, "last_loss", scalar[RHEO_LOSS] + t->in.units);
    ok = ok && cJSON_AddNumberToObject(line, "gradient_norm", scalar[RHEO_GRADIENT_NORM]);
    ok = ok && cJSON_AddNumberToObject(line, "rate", scalar[RHEO_RATE]);
    ok = ok && cJSON_AddNumberToObject(line, "images_per_second", t->images_per_second);
    ok = ok && cJSON_AddNumberToObject(line, "skipped", scalar[RHEO_SKIPPED]);
    char *text = ok ? cJSON_PrintUnformatted(line) : NULL;
    const rheo_status st = text ? rheo_run_log(&t->run, text, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    cJSON_free(text);
    cJSON_Delete(line);
    return st;
}

double rheo_schedule_end(double steps, double seconds, double left)
{
    return steps > 0 && seconds > 0 ? fmin(steps * (1 + fmax(left, 0) / seconds), RHEO_END_FAR_OFF) : RHEO_END_FAR_OFF;
}

rheo_status rheo_trainer_aim(rheo_trainer *t, uint64_t applied, rheo_error *err)
{
    if (t->recipe.schedule != RHEO_SCHEDULE_LINEAR || !isfinite(t->deadline)) return RHEO_OK;
    const double now = rheo_seconds(), seconds = t->seconds_before + (t->pace_start > 0 ? now - t->pace_start : 0);
    const double end = rheo_schedule_end((double)applied, seconds, t->deadline - rheo_trainer_reserve(t) - now);
    return rheo_trainstep_write_scalar(&t->step, RHEO_RATE_END, (float)end, err);
}

rheo_status rheo_trainer_report(rheo_trainer *t, rheo_bad_steps *bad, rheo_error *err)
{
    float scalar[RHEO_SCALARS];
    rheo_error why = RHEO_ERROR_INIT;
    rheo_status st = rheo_trainstep_read_scalars(&t->step, scalar, err);
    if (!st) st = rheo_trainstep_clear_look(&t->step, err);
    if (st) return st;
    const double now = rheo_seconds(), took = now - t->report_time, steps = (double)(t->steps - t->reported);
    const double loss = scalar[RHEO_LOSS_COUNT] > 0 ? scalar[RHEO_LOSS_SUM] / scalar[RHEO_LOSS_COUNT] + t->in.units : NAN;
    const uint64_t skipped = (uint64_t)scalar[RHEO_SKIPPED];
    if (steps > 0 && took > 0) t->images_per_second = steps * (double)(t->recipe.batch * t->recipe.accumulate) / took;
    bad->first = t->reported + (uint64_t)scalar[RHEO_FIRST_BAD];
    bad->count = skipped - t->skipped;
    bad->row = (uint64_t)scalar[RHEO_SKIPPED_ROW];
    t->skipped = skipped;
    st = log_report(t, scalar, loss, &why);
    st = survive_log(t, st, &why, err);
    if (!st) st = rheo_trainer_aim(t, (uint64_t)scalar[RHEO_APPLIED], err);
    tell(t, loss, NULL);
    t->reported = t->steps;
    t->report_at = t->steps + (steps > 0 ? until_next(took / steps) : 1);
    return st;
}
