#include "run_pictures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ACROSS = 8, TEMPERATURES = 7 };

char *run_pictures_path(const char *folder, const char *name, rheo_error *err)
{
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s/%s", folder, name);
    else err->status = RHEO_ENOMEM;
    return path;
}

static rheo_status make_folder(const char *folder, rheo_error *err)
{
    struct stat s;
    if (!mkdir(folder, 0777) || (errno == EEXIST && !stat(folder, &s) && S_ISDIR(s.st_mode))) return RHEO_OK;
    snprintf(err->text, sizeof err->text, "%.400s: cannot be made: %s", folder, strerror(errno));
    return err->status = RHEO_EFILE;
}

rheo_status run_pictures_curves(const char *command, const char *folder, const run_log *log, bool *drawn, rheo_error *err)
{
    *drawn = false;
    rheo_status st = make_folder(folder, err);
    if (!st) st = run_plot_write(folder, log, err);
    if (st) return st;
    const gnuplot_drawing drawing = run_plot_draw(folder);
    if (drawing == GNUPLOT_MISSING)
        fprintf(stderr, "rheo %s: no curves, since gnuplot is not installed; their data and script are in %s, to be drawn by 'gnuplot curves.gp' "
                "there\n", command, folder);
    if (drawing == GNUPLOT_FAILED)
        fprintf(stderr, "rheo %s: gnuplot failed; its data and script, curves.dat and curves.gp, are in %s\n", command, folder);
    *drawn = drawing == GNUPLOT_DREW;
    return RHEO_OK;
}

rheo_status run_pictures_sheet(rheo_checkpoint *c, const char *path, uint64_t seed, tool_origin *origin, bool *made, rheo_error *err)
{
    static const char *const labels[TEMPERATURES] = { "0", "0.25", "0.5", "0.7", "0.8", "0.9", "1" };
    const rheo_checkpoint_facts *f = origin->facts;
    const size_t row = (size_t)ACROSS * f->h * f->w * f->c;
    *made = false;
    if (f->score || f->vectors) return RHEO_OK;
    unsigned char *x = malloc(TEMPERATURES * row);
    rheo_status st = x ? RHEO_OK : (err->status = RHEO_ENOMEM);
    for (int k = 0; k < TEMPERATURES && !st; k++) st = rheo_sample(c, ACROSS, strtod(labels[k], NULL), seed, x + (size_t)k * row, err);
    tool_origin_tell(origin, ", rows of temperature");
    for (int k = 0; k < TEMPERATURES; k++) tool_origin_tell(origin, "%s %s", k ? "," : "", labels[k]);
    tool_origin_tell(origin, ", seed %llu", (unsigned long long)seed);
    origin->labels = labels;
    if (!st) st = tool_write_grid(path, x, TEMPERATURES * ACROSS, ACROSS, origin, err);
    origin->labels = NULL;
    free(x);
    *made = !st;
    return st;
}
