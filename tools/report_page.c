#include "report_page.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"
#include "run_pictures.h"

enum { SAMPLES_SHOWN = 12 };

static const char *const beginning =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
    "body { font: 15px/1.5 sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em; color: #222 }\n"
    "h1, h2 { font-weight: 600; color: #1f3a5f } h2 { margin-top: 2em; border-bottom: 1px solid #ddd }\n"
    "table { border-collapse: collapse } td, th { padding: 2px 1.2em 2px 0; text-align: left; vertical-align: top }\n"
    "th { font-weight: 600 } .best { font-weight: 600; color: #c8541a } img { max-width: 100% } figure { margin: 1em 0 }\n"
    ".small { display: inline-block; margin: 0 1em 1em 0; vertical-align: top }\n"
    ".pixels { image-rendering: pixelated; min-width: 260px } figcaption { color: #666; font-size: 13px }\n"
    "</style>\n";

static void row(FILE *to, const char *name, const char *value)
{
    fputs("<tr>", to);
    html_element(to, "th", "%s", name);
    html_element(to, "td", "%s", value);
    fputs("</tr>\n", to);
}

static const run_look *best_of(const run_log *log)
{
    const run_look *best = NULL;
    for (size_t k = 0; k < log->n_looks; k++)
        if (isfinite(log->looks[k].valid) && (!best || log->looks[k].valid < best->valid)) best = &log->looks[k];
    return best;
}

/* ---- in short --------------------------------------------------------------------------------------------------------- */

static void put_evaluation(FILE *to, const report_page *page)
{
    char text[200];
    const rheo_evaluation *e = page->evaluation;
    if (!e) {
        row(to, "round-trip error", page->not_evaluated);
    } else if (!isnan(e->round_trip_error)) {
        snprintf(text, sizeof text, "%.3g, the largest |x - f^-1(f(x))| of validation data, %s", e->round_trip_error,
                 isnan(e->bits_per_dim) ? "vectors as they are" : "x from -1/2 to 1/2");
        row(to, "round-trip error", text);
    }
}

static void put_summary(FILE *to, const report_page *page)
{
    const run_log *log = page->log;
    const run_report *last = &log->reports[log->n_reports - 1];
    const run_look *best = best_of(log);
    char text[256], number[32];
    double seconds = last->seconds;
    if (log->n_looks && !(seconds > log->looks[log->n_looks - 1].seconds)) seconds = log->looks[log->n_looks - 1].seconds;
    fputs("<table>\n", to);
    row(to, "model", run_log_config(log, NULL, "model", number));
    row(to, "data", run_log_config(log, "data", "name", number));
    row(to, "parameters", run_log_config(log, NULL, "parameters", number));
    row(to, "device", run_log_config(log, NULL, "ran_on", number));
    snprintf(text, sizeof text, "%.0f, of them %.0f not finite and skipped", last->step, isnan(last->skipped) ? 0 : last->skipped);
    row(to, "steps", text);
    snprintf(text, sizeof text, "%.1f minutes in %zu %s", seconds / 60, log->sessions, log->sessions == 1 ? "session" : "sessions");
    row(to, "time", text);
    if (best) {
        snprintf(text, sizeof text, "%.4f +- %.4f %s at step %.0f, weights averaged", best->valid, best->standard_error, run_log_unit(log), best->step);
        row(to, "best validation", text);
    }
    put_evaluation(to, page);
    fputs("</table>\n", to);
}

/* ---- pictures ----------------------------------------------------------------------------------------------------------- */

static rheo_status put_curves(FILE *to, const report_page *page, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    html_element(to, "h2", "Curves");
    if (!page->curves) html_element(to, "p", "Not drawn: gnuplot was not there, or failed.");
    for (int k = 0; k < RUN_FIGURES && page->curves && !st; k++) {
        if (!run_figure_has_data(page->log, (run_figure)k)) continue;
        char name[64];
        snprintf(name, sizeof name, "%s.png", run_figure_name((run_figure)k));
        char *path = run_pictures_path(page->curves, name, err);
        st = path ? html_picture(to, path, "curve", run_figure_title((run_figure)k), err) : err->status;
        free(path);
    }
    return st;
}

static int is_sample(const struct dirent *e)
{
    unsigned long long step;
    int end = 0;
    return sscanf(e->d_name, "step-%llu.png%n", &step, &end) == 1 && end && !e->d_name[end];
}

/* By number: the names of steps beyond 99,999,999 are longer. */
static int by_step(const struct dirent **a, const struct dirent **b)
{
    const unsigned long long x = strtoull((*a)->d_name + 5, NULL, 10), y = strtoull((*b)->d_name + 5, NULL, 10);
    return (x > y) - (x < y);
}

/* The first, the last, and some at even distances between them. */
static rheo_status put_samples(FILE *to, const report_page *page, rheo_error *err)
{
    struct dirent **list = NULL;
    char *folder = run_pictures_path(page->run, "samples", err);
    const int found = folder ? scandir(folder, &list, is_sample, by_step) : 0, shown = found < SAMPLES_SHOWN ? found : SAMPLES_SHOWN;
    rheo_status st = err->status;
    if (shown > 0) html_element(to, "h2", "Samples over time");
    for (int k = 0; k < shown && !st; k++) {
        const char *name = list[shown > 1 ? (int)((long long)k * (found - 1) / (shown - 1)) : 0]->d_name;
        char caption[64], *path = run_pictures_path(folder, name, err);
        snprintf(caption, sizeof caption, "step %llu", strtoull(name + 5, NULL, 10));
        st = path ? html_picture(to, path, "small", caption, err) : err->status;
        free(path);
    }
    for (int k = 0; k < found; k++) free(list[k]);
    free(list);
    free(folder);
    return st;
}

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

static void put_looks(FILE *to, const run_log *log)
{
    const run_look *best = best_of(log);
    if (!log->n_looks) return;
    html_element(to, "h2", "Validation");
    fputs("<table>\n<tr>", to);
    html_element(to, "th", "step");
    html_element(to, "th", "minutes");
    html_element(to, "th", "%s", run_log_unit(log));
    html_element(to, "th", "images");
    fputs("</tr>\n", to);
    for (size_t k = 0; k < log->n_looks; k++) {
        const run_look *l = &log->looks[k];
        fputs(l == best ? "<tr class=\"best\">" : "<tr>", to);
        html_element(to, "td", "%.0f", l->step);
        html_element(to, "td", "%.1f", l->seconds / 60);
        html_element(to, "td", isfinite(l->valid) ? "%.4f +- %.4f" : "not finite", l->valid, l->standard_error);
        html_element(to, "td", "%.0f", l->images);
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

static void put_events(FILE *to, const run_log *log)
{
    html_element(to, "h2", "Steps that were not finite");
    if (!log->n_events) html_element(to, "p", "None.");
    else fputs("<ul>\n", to);
    for (size_t k = 0; k < log->n_events; k++) {
        html_element(to, "li", "%s", log->events[k].text);
        fputc('\n', to);
    }
    if (log->n_events) fputs("</ul>\n", to);
}

static void put_members(FILE *to, const cJSON *o)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, o) {
        if (cJSON_IsObject(item)) continue;
        char *text = cJSON_IsString(item) ? NULL : cJSON_PrintUnformatted(item);
        row(to, item->string, cJSON_IsString(item) ? item->valuestring : text ? text : "");
        cJSON_free(text);
    }
}

/* The variants of operations are long, and folded away. */
static void put_config(FILE *to, const run_log *log)
{
    const cJSON *part = NULL;
    html_element(to, "h2", "Config");
    fputs("<table>\n", to);
    put_members(to, log->config);
    fputs("</table>\n", to);
    cJSON_ArrayForEach(part, log->config) {
        if (!cJSON_IsObject(part) || !part->child) continue;
        fputs(strcmp(part->string, "variants") ? "<details open>" : "<details>", to);
        html_element(to, "summary", "%s", part->string);
        fputs("<table>\n", to);
        put_members(to, part);
        fputs("</table></details>\n", to);
    }
    const cJSON *choice = NULL;
    cJSON_ArrayForEach(choice, log->chosen) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "chosen"));
        const char *why = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(choice, "why"));
        html_element(to, "p", "%s %.10g was chosen from the data: %s", name ? name : "", cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(choice, "value")),
                     why ? why : "");
    }
}

rheo_status report_page_write(FILE *to, const report_page *page, rheo_error *err)
{
    char name[256];
    tool_base_name(page->run, name, sizeof name);
    fputs(beginning, to);
    html_element(to, "title", "%s", name);
    fputs("\n</head>\n<body>\n", to);
    html_element(to, "h1", "%s", name);
    put_summary(to, page);
    rheo_status st = put_curves(to, page, err);
    if (!st) st = put_samples(to, page, err);
    if (!st && page->sheet) {
        html_element(to, "h2", "Samples by temperature");
        st = html_picture(to, page->sheet, "pixels", "a row each, of the same latents", err);
    }
    put_looks(to, page->log);
    put_events(to, page->log);
    put_config(to, page->log);
    html_element(to, "p", "Written by rheo %s.", rheo_version());
    fputs("\n</body>\n</html>\n", to);
    return st;
}
