#include "run_log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 16, CONFIG_MOST = 1 << 22, DAMAGED_SHOWN = 3 };

static rheo_status fail(rheo_error *err, rheo_status st, const char *path, const char *what)
{
    snprintf(err->text, sizeof err->text, "%.300s: %.150s", path, what);
    return err->status = st;
}

static double number(const cJSON *o, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : NAN;
}

/* Room for one more of n elements; NULL when out of memory. Grows at powers of two. */
static void *room(void *list, size_t n, size_t bytes)
{
    return n & (n - 1) ? list : realloc(list, (n ? 2 * n : 1) * bytes);
}

/* ---- lines ---------------------------------------------------------------------------------------------------------- */

static bool add_report(run_log *log, const cJSON *o)
{
    const run_report r = { number(o, "step"), number(o, "seconds"), number(o, "loss"), number(o, "gradient_norm"), number(o, "rate"),
                           number(o, "images_per_second"), number(o, "skipped") };
    while (log->n_reports && log->reports[log->n_reports - 1].step >= r.step) log->n_reports--;
    run_report *list = room(log->reports, log->n_reports, sizeof r);
    if (!list) return false;
    log->reports = list;
    list[log->n_reports++] = r;
    return true;
}

static bool add_look(run_log *log, const cJSON *o)
{
    run_look k = { number(o, "step"), number(o, "seconds"), number(o, "valid"), number(o, "standard_error"), number(o, "images"), 0, { 0 }, { 0 }, { 0 } };
    const cJSON *band = NULL;
    cJSON_ArrayForEach(band, cJSON_GetObjectItemCaseSensitive(o, "bands")) {
        const cJSON *part[3];
        for (int i = 0; i < 3; i++) part[i] = cJSON_GetArrayItem(band, i);
        if (k.bands == RHEO_BANDS || !cJSON_IsNumber(part[0]) || !cJSON_IsNumber(part[1])) break;
        k.first[k.bands] = part[0]->valuedouble;
        k.last[k.bands] = part[1]->valuedouble;
        k.loss[k.bands++] = cJSON_IsNumber(part[2]) ? part[2]->valuedouble : NAN;
    }
    while (log->n_looks && log->looks[log->n_looks - 1].step >= k.step) log->n_looks--;
    run_look *list = room(log->looks, log->n_looks, sizeof k);
    if (!list) return false;
    log->looks = list;
    list[log->n_looks++] = k;
    return true;
}

static bool add_event(run_log *log, const cJSON *o, const char *text)
{
    run_event e = { number(o, "step"), number(o, "seconds"), strdup(text) };
    run_event *list = e.text ? room(log->events, log->n_events, sizeof e) : NULL;
    if (!list) {
        free(e.text);
        return false;
    }
    log->events = list;
    list[log->n_events++] = e;
    return true;
}

/* False: out of memory. *known false: not a line of a log. What is of another kind is a later version's, and left out. */
static bool add_line(run_log *log, cJSON *o, bool *known)
{
    const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "event"));
    const bool steps = !isnan(number(o, "step"));
    *known = cJSON_IsObject(o);
    if (cJSON_GetObjectItemCaseSensitive(o, "launches")) log->sessions++;
    if (cJSON_GetObjectItemCaseSensitive(o, "chosen")) {
        cJSON *copy = cJSON_Duplicate(o, true);
        return copy && cJSON_AddItemToArray(log->chosen, copy);
    }
    if (steps && event) return add_event(log, o, event);
    if (steps && cJSON_GetObjectItemCaseSensitive(o, "valid")) return add_look(log, o);
    if (steps && cJSON_GetObjectItemCaseSensitive(o, "loss")) return add_report(log, o);
    return true;
}

static rheo_status read_lines(const char *command, const char *path, FILE *from, run_log *log, rheo_error *err)
{
    char *line = malloc(LONGEST);
    bool ok = line != NULL, whole = true;
    for (size_t number_of = 1; ok && fgets(line, LONGEST, from); number_of += whole) {
        const size_t n = strlen(line);
        const bool begins = whole;
        bool known = false;
        whole = n && line[n - 1] == '\n';
        if (!begins) continue;          /* the rest of a line that is too long */
        if (line[0] == '\n') continue;
        cJSON *o = cJSON_Parse(line);
        if (o) ok = add_line(log, o, &known);
        cJSON_Delete(o);
        if (known || (!whole && feof(from))) continue;
        if (log->damaged++ < DAMAGED_SHOWN) fprintf(stderr, "rheo %s: %s: line %zu is damaged, skipped\n", command, path, number_of);
    }
    free(line);
    if (log->damaged > DAMAGED_SHOWN) fprintf(stderr, "rheo %s: %s: %zu damaged lines in all\n", command, path, log->damaged);
    if (!ok) return fail(err, RHEO_ENOMEM, path, "out of memory");
    return ferror(from) ? fail(err, RHEO_EFILE, path, "cannot be read") : RHEO_OK;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static FILE *open_file(const char *run, const char *name, char *path, size_t bytes, rheo_error *err)
{
    if ((size_t)snprintf(path, bytes, "%s/%s", run, name) >= bytes) errno = ENAMETOOLONG;
    FILE *f = strlen(run) + strlen(name) + 2 <= bytes ? fopen(path, "rb") : NULL;
    if (!f) {
        snprintf(err->text, sizeof err->text, "%.300s: cannot be opened: %s; expected the folder of a run", path, strerror(errno));
        err->status = RHEO_EFILE;
    }
    return f;
}

static rheo_status read_config(const char *run, run_log *log, rheo_error *err)
{
    char path[4096], *text = malloc(CONFIG_MOST);
    FILE *f = text ? open_file(run, "config.json", path, sizeof path, err) : NULL;
    const size_t n = f ? fread(text, 1, CONFIG_MOST - 1, f) : 0;
    if (f) {
        text[n] = '\0';
        log->config = cJSON_Parse(text);
        fclose(f);
        if (!cJSON_IsObject(log->config)) fail(err, RHEO_EFORMAT, path, "expected a JSON object, as rheo train writes it");
    } else if (!text) {
        err->status = RHEO_ENOMEM;
    }
    free(text);
    return err->status;
}

rheo_status run_log_read(const char *command, const char *run, run_log *out, rheo_error *err)
{
    char path[4096];
    run_log log = { .chosen = cJSON_CreateArray() };
    rheo_status st = log.chosen ? read_config(run, &log, err) : (err->status = RHEO_ENOMEM);
    FILE *f = st ? NULL : open_file(run, "log.jsonl", path, sizeof path, err);
    if (!st) st = f ? read_lines(command, path, f, &log, err) : err->status;
    if (f) fclose(f);
    if (!st && !log.n_reports) st = fail(err, RHEO_EFORMAT, path, "found no step of a training, expected one at least");
    if (st) run_log_free(&log);
    else *out = log;
    return st;
}

void run_log_free(run_log *log)
{
    for (size_t k = 0; k < log->n_events; k++) free(log->events[k].text);
    free(log->reports);
    free(log->looks);
    free(log->events);
    cJSON_Delete(log->config);
    cJSON_Delete(log->chosen);
    *log = (run_log){ .config = NULL };
}

const char *run_log_unit(const run_log *log)
{
    char text[32];
    if (log->n_looks ? log->looks[0].bands > 0 : !strcmp(run_log_config(log, NULL, "model", text), "ncsn")) return "loss";
    return strcmp(run_log_config(log, "data", "kind", text), "vectors") ? "bits/dim" : "nats";
}

const char *run_log_config(const run_log *log, const char *object, const char *name, char text[32])
{
    const cJSON *in = object ? cJSON_GetObjectItemCaseSensitive(log->config, object) : log->config;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(in, name);
    if (cJSON_IsString(item)) return item->valuestring;
    text[0] = '\0';
    if (cJSON_IsNumber(item)) snprintf(text, 32, "%.10g", item->valuedouble);
    return text;
}
