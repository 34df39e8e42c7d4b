/* rheo report: a page about a run. */
#include <stdio.h>
#include <stdlib.h>

#include "report_page.h"
#include "run_pictures.h"

enum { IMAGES = 256 };

typedef struct asked {
    const char *run, *out, *device;
    long long seed;
} asked;

/* Of the model: the sheet and the round trip. A run without a checkpoint yet, or whose data moved, has a page without them. */
static rheo_status look_at_model(const asked *a, const tool_usage *usage, const char *sheet, report_page *page, rheo_evaluation *e, rheo_error *why,
                                 rheo_error *err)
{
    rheo_checkpoint *c = NULL;
    rheo_checkpoint_facts f;
    rheo_evaluate_options o;
    bool made = false;
    page->not_evaluated = why->text;
    if (tool_open_checkpoint(a->run, a->device, NULL, &c, why)) return RHEO_OK;
    rheo_checkpoint_facts_of(c, &f);
    tool_origin origin = tool_origin_of(usage, NULL, a->run, &f);
    const rheo_status st = run_pictures_sheet(c, sheet, (uint64_t)a->seed, &origin, &made, err);
    if (made) page->sheet = sheet;
    rheo_evaluate_defaults(&o);
    o.split = "valid";
    o.limit = o.round_trip = IMAGES;
    if (!st && !rheo_evaluate(c, &o, e, why)) page->evaluation = e;
    rheo_checkpoint_close(c);
    return st;
}

static rheo_status write_page(const char *out, const report_page *page, rheo_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    const rheo_status st = to ? report_page_write(to, page, err) : RHEO_OK;
    if (!st) return tool_write_text(out, to, &text, &bytes, err);
    fclose(to);
    free(text);
    return st;
}

static rheo_status report(const asked *a, const tool_usage *usage, const char *folder, const char *sheet, const char *out, rheo_error *err)
{
    run_log log = { .config = NULL };
    rheo_evaluation e;
    rheo_error why = RHEO_ERROR_INIT;
    bool drawn = false;
    report_page page = { .run = a->run, .log = &log };
    rheo_status st = run_log_read("report", a->run, &log, err);
    if (!st) st = run_pictures_curves("report", folder, &log, &drawn, err);
    if (drawn) page.curves = folder;
    if (!st) st = look_at_model(a, usage, sheet, &page, &e, &why, err);
    if (!st) st = write_page(out, &page, err);
    run_log_free(&log);
    return st;
}

int tool_report(int argc, char **argv)
{
    asked a = { .run = NULL };
    const tool_option options[] = {
        { "out", TOOL_TEXT, &a.out, "FILE", "the page; RUN/report.html", 0, 0 },
        { "seed", TOOL_INT, &a.seed, "S", "of the samples; 0", 0, 9e18 },
        { "device", TOOL_TEXT, &a.device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "report", .operands = "RUN", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Writes one HTML file about a run, its pictures inside, that opens offline: what was trained on which device, validation "
                   "and its best, the round-trip error, the curves of rheo plot (which stay in RUN/plots), samples over time and by "
                   "temperature, steps that were not finite, the config.\v"
                   "Example: rheo report runs/demo --out demo.html",
    };
    rheo_error err = RHEO_ERROR_INIT;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (a.out && !tool_can_write("report", a.out, &code)) return code;
    a.run = argv[0];
    char *own = run_pictures_path(a.run, "report.html", &err), *folder = run_pictures_path(a.run, "plots", &err);
    char *sheet = folder ? run_pictures_path(folder, "temperatures.png", &err) : NULL;
    const char *out = a.out ? a.out : own;
    if (err.status || report(&a, &usage, folder, sheet, out, &err)) code = tool_failed("report", &err);
    else puts(out);
    free(sheet);
    free(folder);
    free(own);
    return code;
}
