/* What `rheo doctor` prints. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "doctor.h"

static int count_bad(const doctor_record *r)
{
    int n = 0;
    for (int k = 0; k < r->count; k++) n += doctor_is_bad(&r->list[k]);
    return n;
}

static int count_slow(const doctor_record *r)
{
    int n = 0;
    for (int k = 0; k < r->count; k++) n += r->list[k].verdict == RHEO_VERDICT_SLOW;
    return n;
}

/* ---- the paragraph ------------------------------------------------------------------------------------------------- */

typedef struct text { char data[6000]; size_t used; } text;

/* Appends what fits. */
#define ADD(t, ...) ((t)->used += (t)->used < sizeof (t)->data ? (size_t)snprintf((t)->data + (t)->used, sizeof (t)->data - (t)->used, __VA_ARGS__) : 0)

/* "conv2d" of "op conv2d (own or direct)", "" of what is not of an operation. */
static void op_of(const rheo_finding *f, char op[64])
{
    const char *at = !strncmp(f->check, "op ", 3) ? f->check + 3 : !strncmp(f->check, "gradient ", 9) ? f->check + 9 : "";
    snprintf(op, 64, "%.*s", (int)strcspn(at, " "), at);
}

static void add_failures(text *t, const doctor_record *r)
{
    for (const rheo_finding *f = r->list; f < r->list + r->count; f++) {
        char op[64];
        if (!doctor_is_bad(f)) continue;
        op_of(f, op);
        ADD(t, "\n  %s%s%s: %s: %s", f->check, *f->variant ? ", variant " : "", f->variant, rheo_verdict_text(f->verdict), f->text);
        ADD(t, "\n    again: rheo doctor --device '%s'%s%s", r->device.name, *op ? " --op " : "", op);
        if (!strncmp(f->check, "op ", 3)) ADD(t, "; switched off on this device and driver until it is found right there");
    }
}

static void compose(const doctor_record *r, text *t)
{
    const rheo_device_info *d = &r->device;
    const char *kernels = getenv("RHEO_CL_DIR");
    const int bad = count_bad(r), slow = count_slow(r);
    struct utsname os = { .sysname = "unknown system" };
    t->used = 0;
    (void)uname(&os);
    ADD(t, "rheo %s on %s (%s, %s; platform %s, driver %s, %s; %s %s %s%s%s): ", rheo_version(), d->name, d->vendor, d->kind, d->platform, d->driver,
        d->version, os.sysname, os.release, os.machine, kernels ? "; kernels from RHEO_CL_DIR=" : "", kernels ? kernels : "");
    if (bad) ADD(t, "%d of %d checks failed", bad, r->count);
    else ADD(t, "%d checks, all ok", r->count);
    if (slow) ADD(t, ", %d slow", slow);
    if (r->count < r->of) ADD(t, "; %d were not made", r->of - r->count);
    ADD(t, ".");
    add_failures(t, r);
}

/* ---- as a table ------------------------------------------------------------------------------------------------------ */

static void print_row(const rheo_finding *f)
{
    char error[24] = "", time[24] = "";
    if (!isnan(f->error)) snprintf(error, sizeof error, "%.2g", f->error);
    if (!isnan(f->seconds)) snprintf(time, sizeof time, "%.3f ms", 1e3 * f->seconds);
    printf("%-11s  %-38s %-8s %8s %11s  %s\n", rheo_verdict_text(f->verdict), f->check, f->variant, error, time, f->text);
}

void doctor_print(const doctor_record *r)
{
    text t;
    if (!r->started) return;
    printf("%-11s  %-38s %-8s %8s %11s\n", "", r->device.name, "", "of bound", "time");
    for (int k = 0; k < r->count; k++) print_row(&r->list[k]);
    compose(r, &t);
    printf("\n%s\n", t.data);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------------ */

static bool add_number(cJSON *o, const char *name, double x) { return isfinite(x) ? cJSON_AddNumberToObject(o, name, x) != NULL : true; }

static bool add_finding(cJSON *list, const rheo_finding *f)
{
    cJSON *o = cJSON_CreateObject();
    if (!o || !cJSON_AddItemToArray(list, o)) {
        cJSON_Delete(o);
        return false;
    }
    return cJSON_AddStringToObject(o, "check", f->check) && (!*f->variant || cJSON_AddStringToObject(o, "variant", f->variant))
           && cJSON_AddStringToObject(o, "verdict", rheo_verdict_text(f->verdict)) && add_number(o, "error", f->error)
           && add_number(o, "seconds", f->seconds) && (!*f->text || cJSON_AddStringToObject(o, "text", f->text));
}

static bool add_device(cJSON *to, const rheo_device_info *d)
{
    cJSON *o = cJSON_AddObjectToObject(to, "device");
    return o && cJSON_AddStringToObject(o, "name", d->name) && cJSON_AddStringToObject(o, "vendor", d->vendor)
           && cJSON_AddStringToObject(o, "kind", d->kind) && cJSON_AddStringToObject(o, "platform", d->platform)
           && cJSON_AddStringToObject(o, "driver", d->driver) && cJSON_AddStringToObject(o, "version", d->version);
}

cJSON *doctor_json(const doctor_record *r)
{
    text t;
    cJSON *o = cJSON_CreateObject(), *list = NULL;
    compose(r, &t);
    bool ok = o && cJSON_AddStringToObject(o, "rheo", rheo_version()) && add_device(o, &r->device);
    ok = ok && cJSON_AddNumberToObject(o, "failed", count_bad(r)) && cJSON_AddNumberToObject(o, "slow", count_slow(r));
    ok = ok && cJSON_AddNumberToObject(o, "checks_there_are", r->of) && (list = cJSON_AddArrayToObject(o, "checks")) != NULL;
    for (int k = 0; k < r->count && ok; k++) ok = add_finding(list, &r->list[k]);
    ok = ok && cJSON_AddStringToObject(o, "report", t.data);
    if (ok) return o;
    cJSON_Delete(o);
    return NULL;
}
