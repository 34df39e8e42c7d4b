#include "run_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 300, ROBUST_FROM = 50 };

/* A column of the first two blocks of curves.dat, from 0, after step and seconds. */
typedef struct figure {
    const char *name, *title, *axis;
    int column;
    double (*of)(const run_report *r);
} figure;

static double loss_of(const run_report *r) { return r->loss; }
static double gradient_of(const run_report *r) { return r->gradient_norm; }
static double rate_of(const run_report *r) { return r->rate; }
static double speed_of(const run_report *r) { return r->images_per_second; }

static const figure figures[RUN_FIGURES] = {
    [RUN_LOSS] = { "loss", "loss of training and validation", NULL, 3, loss_of },
    [RUN_GRADIENT] = { "gradient_norm", "norm of the gradient, before clipping", "gradient norm", 4, gradient_of },
    [RUN_RATE] = { "learning_rate", "learning rate", "learning rate", 5, rate_of },
    [RUN_SPEED] = { "images_per_second", "speed of training", "images/s", 6, speed_of },
    [RUN_LEVELS] = { "noise_levels", "validation by noise level", "loss", 0, NULL },
};

const char *run_figure_name(run_figure which) { return figures[which].name; }
const char *run_figure_title(run_figure which) { return figures[which].title; }

/* The last look that tells several bands, or NULL. */
static const run_look *last_levels(const run_log *log)
{
    for (size_t k = log->n_looks; k-- > 0;)
        if (log->looks[k].bands > 1) return &log->looks[k];
    return NULL;
}

/* gnuplot complains of curves without a number. */
static bool is_reported(const run_log *log, run_figure which)
{
    for (size_t k = 0; k < log->n_reports && figures[which].of; k++)
        if (isfinite(figures[which].of(&log->reports[k]))) return true;
    return false;
}

static bool is_looked_at(const run_log *log)
{
    for (size_t k = 0; k < log->n_looks; k++)
        if (isfinite(log->looks[k].valid)) return true;
    return false;
}

static bool has_band(const run_log *log, int b)
{
    for (size_t k = 0; k < log->n_looks; k++)
        if (b < log->looks[k].bands && isfinite(log->looks[k].loss[b])) return true;
    return false;
}

bool run_figure_has_data(const run_log *log, run_figure which)
{
    bool has = is_reported(log, which) || (which == RUN_LOSS && is_looked_at(log));
    const run_look *last = which == RUN_LEVELS ? last_levels(log) : NULL;
    for (int b = 0; last && b < last->bands && !has; b++) has = has_band(log, b);
    return has;
}

/* ---- data ----------------------------------------------------------------------------------------------------------- */

/* Missing numbers are written as NaN whatever the C library calls them. */
static void put(FILE *to, double x)
{
    if (isfinite(x)) fprintf(to, " %.9g", x);
    else fputs(" NaN", to);
}

/* The mean over reports first, ..., last - 1 of those that are finite. */
static double mean(const run_log *log, size_t first, size_t last, double (*of)(const run_report *r))
{
    double sum = 0;
    size_t n = 0;
    for (size_t k = first; k < last; k++) {
        const double x = of(&log->reports[k]);
        if (isfinite(x)) sum += x, n++;
    }
    return n ? sum / (double)n : NAN;
}

static size_t groups_of(const run_log *log) { return log->n_reports < GROUPS ? log->n_reports : GROUPS; }

static void put_reports(FILE *to, const run_log *log, size_t groups)
{
    for (size_t g = 0; g < groups; g++) {
        const size_t first = g * log->n_reports / groups, last = (g + 1) * log->n_reports / groups;
        put(to, log->reports[last - 1].step);
        put(to, log->reports[last - 1].seconds);
        for (int f = 0; f < RUN_FIGURES; f++)
            if (figures[f].of) put(to, mean(log, first, last, figures[f].of));
        fputc('\n', to);
    }
}

static void put_data(FILE *to, const run_log *log)
{
    fprintf(to, "# step, seconds, loss, gradient norm, learning rate, images/s of each report\n");
    put_reports(to, log, log->n_reports);
    fprintf(to, "\n\n# the same, means over neighbours\n");
    put_reports(to, log, groups_of(log));
    fprintf(to, "\n\n# step, seconds, validation, its standard error, losses of bands of noise levels\n");
    for (size_t k = 0; k < log->n_looks; k++) {
        const run_look *l = &log->looks[k];
        put(to, l->step);
        put(to, l->seconds);
        put(to, l->valid);
        put(to, l->standard_error);
        for (int b = 0; b < l->bands; b++) put(to, l->loss[b]);
        fputc('\n', to);
    }
}

/* ---- script ----------------------------------------------------------------------------------------------------------- */

typedef struct range {
    double *list, low, high;
    size_t n;
} range;

static void take(range *r, double x)
{
    if (isfinite(x)) r->list[r->n++] = x;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first steps of a training would leave the rest of its loss no room: where there are many, 3 of 100 may stand above the edge. */
static void find_range(range *r, bool cut)
{
    qsort(r->list, r->n, sizeof *r->list, by_size);
    r->low = r->list[0];
    r->high = r->list[cut && r->n >= ROBUST_FROM ? r->n - 1 - r->n * 3 / 100 : r->n - 1];
    const double margin = r->high > r->low ? 0.05 * (r->high - r->low) : r->low != 0 ? 0.1 * fabs(r->low) : 1;
    r->low -= margin;
    r->high += margin;
}

static void put_range(FILE *to, range *r, run_figure which, bool logarithmic)
{
    if (logarithmic) {
        fprintf(to, "set logscale y; set yrange [%.9g:%.9g]\n", r->list[0] / 1.3, r->list[r->n - 1] * 1.3);
    } else {
        if (which == RUN_SPEED || which == RUN_RATE) r->low = 0;
        fprintf(to, "unset logscale y; set yrange [%.9g:%.9g]\n", r->low, r->high);
    }
}

static void put_levels(FILE *to, const run_log *log)
{
    const run_look *last = last_levels(log);
    fprintf(to, "set palette defined (0 '#1f3a5f', 0.5 '#4c9a8a', 1 '#e8743b'); unset colorbox; set key outside right top\nplot ");
    for (int b = 0, n = 0; b < last->bands; b++) {
        if (!has_band(log, b)) continue;        /* no image drew one of its levels */
        fprintf(to, "%sdata index 2 using 1:%d with linespoints pt 7 ps 0.5 lw 1.5 lc palette frac %.3f title 'noise %.3g", n++ ? ", \\\n     " : "",
                5 + b, (double)b / (last->bands - 1), last->first[b]);
        if (last->last[b] < last->first[b]) fprintf(to, " to %.3g", last->last[b]);
        fputc('\'', to);
    }
    fputc('\n', to);
}

static void put_curves(FILE *to, const run_log *log, run_figure which)
{
    const char *style = log->n_reports < ROBUST_FROM ? "linespoints pt 7 ps 0.5" : "lines";
    const int column = figures[which].column;
    const bool both = log->n_reports > groups_of(log), reported = is_reported(log, which);
    const bool looked = which == RUN_LOSS && is_looked_at(log);
    fprintf(to, "set key inside right %s\nplot ", which == RUN_SPEED ? "bottom" : "top");
    if (both && reported) fprintf(to, "data index 0 using 1:%d with lines lw 0.5 lc '#c8d2de' notitle, ", column);
    if (reported)
        fprintf(to, "data index 1 using 1:%d with %s lw 1.5 lc '#1f3a5f' %s", column, style, looked ? "title 'training'" : "notitle");
    if (looked)
        fprintf(to, "%sdata index 2 using 1:3:4 with yerrorlines pt 7 ps 0.7 lw 1.5 lc '#e8743b' title 'validation, averaged weights'",
                reported ? ", " : "");
    fputc('\n', to);
}

static void put_figure(FILE *to, const run_log *log, run_figure which, range *r)
{
    const figure *f = &figures[which];
    r->n = 0;
    for (size_t k = 0; k < log->n_reports && f->of; k++) take(r, f->of(&log->reports[k]));
    for (size_t k = 0; k < log->n_looks && which == RUN_LOSS; k++) take(r, log->looks[k].valid);
    for (size_t k = 0; k < log->n_looks && which == RUN_LEVELS; k++)
        for (int b = 0; b < log->looks[k].bands; b++) take(r, log->looks[k].loss[b]);
    find_range(r, which == RUN_LOSS);
    const bool logarithmic = which == RUN_GRADIENT && r->list[0] > 0 && r->list[r->n - 1] > 20 * r->list[0];
    fprintf(to, "\nset output '%s.png'\nset ylabel '%s'\n", f->name, f->axis ? f->axis : run_log_unit(log));
    put_range(to, r, which, logarithmic);
    if (which == RUN_LEVELS) put_levels(to, log);
    else put_curves(to, log, which);
}

static void put_script(FILE *to, const run_log *log, range *r)
{
    const double end = fmax(log->reports[log->n_reports - 1].step, log->n_looks ? log->looks[log->n_looks - 1].step : 0);
    fprintf(to, "set encoding utf8\nset terminal pngcairo size 900,420 font 'Sans,12' noenhanced\ndata = 'curves.dat'\n"
                "set datafile missing 'NaN'\nset border 3 lw 0.6 lc '#606060'; set tics out nomirror\nset grid ytics lt 1 lw 0.6 lc '#e2e2e2'\n"
                "set xlabel 'step'\nset xrange [0:%.9g]\n", end > 0 ? end : 1);
    for (int k = 0; k < RUN_FIGURES; k++)
        if (run_figure_has_data(log, (run_figure)k)) put_figure(to, log, (run_figure)k, r);
}

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static rheo_status write_text(const char *folder, const char *name, char *text, size_t bytes, rheo_error *err)
{
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s/%s", folder, name);
    const rheo_status st = path && text ? rheo_file_write(path, text, bytes, err) : (err->status = RHEO_ENOMEM);
    free(path);
    free(text);
    return st;
}

rheo_status run_plot_write(const char *folder, const run_log *log, rheo_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    range r = { .list = malloc((log->n_reports + (log->n_looks + 1) * (RHEO_BANDS + 1)) * sizeof *r.list) };
    FILE *to = r.list ? open_memstream(&text, &bytes) : NULL;
    bool ok = to != NULL;
    if (to) put_data(to, log), ok = !fclose(to);
    rheo_status st = ok ? write_text(folder, "curves.dat", text, bytes, err) : (err->status = RHEO_ENOMEM);
    to = st ? NULL : open_memstream(&text, &bytes);
    ok = to != NULL;
    if (to) put_script(to, log, &r), ok = !fclose(to);
    if (!st) st = ok ? write_text(folder, "curves.gp", text, bytes, err) : (err->status = RHEO_ENOMEM);
    free(r.list);
    return st;
}

gnuplot_drawing run_plot_draw(const char *folder) { return gnuplot_draw(folder, "curves.gp"); }
