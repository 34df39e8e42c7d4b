/* Pictures of `rheo toy`, drawn by gnuplot from a data file and a script that stay beside them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "toy_plot.h"

/* The density is gnuplot's own: 1/5 N((-5,-5), I) + 4/5 N((5,5), I), drawn as a picture; its square root shows the smaller mode too. */
static const char *const beginning = "set encoding utf8\n"
                                     "gauss(x, y, m) = exp(-((x - m)**2 + (y - m)**2) / 2) / (2 * pi)\n"
                                     "density(x, y) = 0.2 * gauss(x, y, -5) + 0.8 * gauss(x, y, 5)\n"
                                     "set xrange [-9:9]; set yrange [-9:9]; set urange [-9:9]; set vrange [-9:9]\n"
                                     "set samples 200; set isosamples 200\n"
                                     "set palette defined (0 '#ffffff', 0.25 '#fde8c8', 0.6 '#f9b878', 1 '#e8743b')\n"
                                     "unset colorbox; unset key\n"
                                     "set size square; set tics -8,4,8 out nomirror scale 0.5; set border lw 0.6 lc '#606060'\n";

static const char *const field_script =
    "set terminal pngcairo size 1400,740 font 'Sans,13'\n"
    "set output 'field.png'\n"
    "length = 0.07       # of an arrow, for each unit of the score\n"
    "set style arrow 1 head filled size 0.16,18,60 lw 1.1 lc '#1f3a5f'\n"
    "set multiplot layout 1,2 margins 0.04,0.985,0.06,0.92 spacing 0.05,0\n"
    "set title 'true score'\n"
    "plot '++' using 1:2:(sqrt(density($1, $2))) with image, \\\n"
    "     'field.dat' using ($1 - length * $3 / 2):($2 - length * $4 / 2):(length * $3):(length * $4) with vectors as 1\n"
    "set title 'score learned from samples'\n"
    "plot '++' using 1:2:(sqrt(density($1, $2))) with image, \\\n"
    "     'field.dat' using ($1 - length * $5 / 2):($2 - length * $6 / 2):(length * $5):(length * $6) with vectors as 1\n"
    "unset multiplot\n";

static const char *const mixing_script =
    "set terminal pngcairo size 1300,1300 font 'Sans,13'\n"
    "set output 'mixing.png'\n"
    "set style line 1 pt 7 ps 0.4 lc rgb '#a01f3a5f'\n"
    "set style line 2 dt 2 lw 1 lc '#909090'\n"
    "fraction(k) = sprintf('%.1f %% in the smaller mode', 100 * words[k])\n"
    "set multiplot layout 2,2 margins 0.05,0.98,0.04,0.95 spacing 0.06,0.07\n"
    "set title 'density'\n"
    "plot '++' using 1:2:(sqrt(density($1, $2))) with image\n"
    "do for [k=1:3] {\n"
    "    set title names[k].': '.fraction(k)\n"
    "    plot 'mixing.dat' index k - 1 every ::0::1279 using 1:2 with points ls 1, -x with lines ls 2\n"
    "}\n"
    "unset multiplot\n";

/* ---- files -------------------------------------------------------------------------------------------------------- */

static bool say(rheo_error *err, const char *what, const char *name)
{
    err->status = RHEO_EFILE;
    snprintf(err->text, sizeof err->text, "%.300s: %s: %s", name, what, strerror(errno));
    return false;
}

static FILE *start(const char *folder, const char *name, rheo_error *err)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) errno = ENAMETOOLONG;
    FILE *f = strlen(folder) + strlen(name) + 2 <= sizeof path ? fopen(path, "w") : NULL;
    if (!f) say(err, "cannot be written", path);
    return f;
}

static bool end(FILE *f, const char *name, rheo_error *err)
{
    const bool bad = ferror(f);
    return (fclose(f) == 0 && !bad) || say(err, "cannot be written", name);
}

bool toy_folder(const char *folder, rheo_error *err)
{
    struct stat s;
    if (mkdir(folder, 0777) == 0 || (errno == EEXIST && stat(folder, &s) == 0 && S_ISDIR(s.st_mode))) return true;
    return say(err, "cannot be made", folder);
}

bool toy_write_field(const char *folder, const float *field, rheo_error *err)
{
    FILE *f = start(folder, "field.dat", err);
    if (!f) return false;
    fprintf(f, "# x1 x2, true score s1 s2, learned score s1 s2\n");
    for (const float *p = field; p < field + 6 * RHEO_TOY_MESH * RHEO_TOY_MESH; p += 6)
        fprintf(f, "%.6g %.6g %.6g %.6g %.6g %.6g\n", (double)p[0], (double)p[1], (double)p[2], (double)p[3], (double)p[4], (double)p[5]);
    if (!end(f, "field.dat", err) || !(f = start(folder, "field.gp", err))) return false;
    fprintf(f, "%s%s", beginning, field_script);
    return end(f, "field.gp", err);
}

bool toy_write_mixing(const char *folder, const float *x, uint32_t n, const rheo_toy_number *numbers, rheo_error *err)
{
    static const char *const names[RHEO_TOY_METHODS] = { "i.i.d.", "Langevin", "annealed Langevin" };
    FILE *f = start(folder, "mixing.dat", err);
    if (!f) return false;
    for (int k = 0; k < RHEO_TOY_METHODS; k++) {
        fprintf(f, "%s# %s: x1 x2\n", k ? "\n\n" : "", names[k]);
        for (const float *p = x + 2 * (size_t)n * k; p < x + 2 * (size_t)n * (k + 1); p += 2)
            fprintf(f, "%.6g %.6g\n", (double)p[0], (double)p[1]);
    }
    if (!end(f, "mixing.dat", err) || !(f = start(folder, "mixing.gp", err))) return false;
    fprintf(f, "%sarray names[3]; array words[3]\n", beginning);
    for (int k = 0; k < RHEO_TOY_METHODS; k++) fprintf(f, "names[%d] = '%s'; words[%d] = %.6g\n", k + 1, names[k], k + 1, numbers[k].value);
    fprintf(f, "%s", mixing_script);
    return end(f, "mixing.gp", err);
}
