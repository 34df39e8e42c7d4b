#include "score_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gnuplot.h"
#include "tool.h"

enum { BINS = 60 };

static rheo_status fail(rheo_error *err, rheo_status st, const char *path, const char *what)
{
    snprintf(err->text, sizeof err->text, "%.300s: %s", path, what);
    return err->status = st;
}

static void quote(FILE *to, const char *text)
{
    char *quoted = gnuplot_quoted("", text);
    fputs(quoted ? quoted : "''", to);
    free(quoted);
}

/* Middle of each bin, and the share of each set in it. */
static void write_bins(FILE *to, const scores *sets, int count, double unit, double low, double width)
{
    fprintf(to, "$bins << END\n");
    for (int b = 0; b < BINS; b++) {
        fprintf(to, "%.9g", low + (b + 0.5) * width);
        for (int k = 0; k < count; k++) {
            uint32_t in = 0;
            for (uint32_t i = 0; i < sets[k].n; i++) {
                const int at = (int)((sets[k].nats[i] * unit - low) / width);
                in += (at < BINS ? at : BINS - 1) == b;
            }
            fprintf(to, " %.9g", (double)in / sets[k].n);
        }
        fputc('\n', to);
    }
    fprintf(to, "END\n");
}

static void write_script(FILE *to, const char *picture, const scores *sets, int count, double unit, const char *axis)
{
    static const char *const colours[] = { "#1f3a5f", "#e8743b" };
    double low = INFINITY, high = -INFINITY;
    for (int k = 0; k < count; k++)
        for (uint32_t i = 0; i < sets[k].n; i++) {
            low = fmin(low, sets[k].nats[i] * unit);
            high = fmax(high, sets[k].nats[i] * unit);
        }
    write_bins(to, sets, count, unit, low, high > low ? (high - low) / BINS : 1);
    fprintf(to, "set encoding utf8\nset terminal pngcairo size 900,500 font 'Sans,13' noenhanced\nset output ");
    quote(to, picture);
    fprintf(to, "\nset xlabel '%s'\nset ylabel 'share'\nset style fill transparent solid 0.5 noborder\n"
                "set border 3; set tics out nomirror; set yrange [0:*]; set key top right\nplot ", axis);
    for (int k = 0; k < count; k++) {
        fprintf(to, "%s$bins using 1:%d with boxes lc '%s' title ", k ? ", " : "", k + 2, colours[k % 2]);
        quote(to, sets[k].data);
    }
    fputc('\n', to);
}

rheo_status score_plot(const char *path, const scores *sets, int count, double unit, const char *axis, bool *drawn, rheo_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char folder[4096], script[4096], beside[300];
    for (int k = 0; k < count; k++)
        for (uint32_t i = 0; i < sets[k].n; i++)
            if (!isfinite(sets[k].nats[i])) return fail(err, RHEO_ENONFINITE, path, "cannot be drawn: a score is not finite");
    if (strlen(path) >= sizeof folder - 4 || strlen(name) >= sizeof beside - 6) return fail(err, RHEO_EFILE, path, "the name is too long");
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 2, slash ? path : "./");
    snprintf(beside, sizeof beside, "./%.*s.gp", (int)strlen(name) - 4, name);
    snprintf(script, sizeof script, "%.*s.gp", (int)strlen(path) - 4, path);
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to) write_script(to, name, sets, count, unit, axis);
    const rheo_status st = tool_write_text(script, to, &text, &bytes, err);
    if (st) return st;
    *drawn = gnuplot_draw(folder, beside) == GNUPLOT_DREW;
    return RHEO_OK;
}
