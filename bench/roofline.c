/* Operations of a device below its roofs (Williams, Waterman and Patterson 2009), drawn by gnuplot from a data file and a script. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench.h"
#include "gnuplot.h"

/* Pixels, from below. */
enum { WIDTH = 1200, HEIGHT = 820, LEFT = 85, RIGHT = 1170, BOTTOM = 165, TOP = 735, LETTER = 9, LINE = 16, STEPS = 12 };
#define POINT_SIZE 3.1       /* radius of gnuplot's pointsize 1 */
#define DRAWN 0.001          /* share of the time from which an operation is drawn, */
#define NAMED 0.002          /* and the longest of its name has that written beside */

enum { CONVOLUTION, MATMUL, OTHER, KINDS };
static const struct { const char *name, *colour; } kinds[KINDS] = {
    { "convolutions", "1f5a9e" }, { "matrix products", "d0501c" }, { "others", "606060" }
};

typedef struct spot {
    const bench_point *point;
    double share, x, y, radius;      /* pixels */
    int kind;
} spot;

/* What a label must not cover: a box, `radius` around it. */
typedef struct area { double left, right, low, high, radius; } area;

typedef struct picture {
    FILE *to;
    const bench_peak *peak;
    double x0, x1, y0, y1;           /* log10 of the axes' ends */
    double seconds, left_out;        /* of all, and the share that is not drawn */
    spot *spots;                     /* the longest first */
    area *taken;
    int count, drawn, n_taken;
} picture;

static double intensity(const bench_point *p) { return p->flops / p->bytes; }
static double speed(const bench_point *p) { return p->flops / p->seconds * 1e-9; }
static double across(const picture *p, double x) { return LEFT + (log10(x) - p->x0) / (p->x1 - p->x0) * (RIGHT - LEFT); }
static double upward(const picture *p, double y) { return BOTTOM + (log10(y) - p->y0) / (p->y1 - p->y0) * (TOP - BOTTOM); }

/* ---- what is where ------------------------------------------------------------------------------------------------ */

static int kind_of(const char *op) { return !strncmp(op, "conv2d", 6) ? CONVOLUTION : !strcmp(op, "matmul") ? MATMUL : OTHER; }

static int longest_first(const void *a, const void *b)
{
    const double x = ((const spot *)a)->share, y = ((const spot *)b)->share;
    return (x < y) - (x > y);
}

static void take(picture *p, area a) { p->taken[p->n_taken++] = a; }

/* Of what was taken from the first on; and inside the axes. */
static bool is_free(const picture *p, int first, area a)
{
    bool is = a.left > LEFT && a.right < RIGHT && a.low > BOTTOM && a.high < TOP;
    for (int k = first; k < p->n_taken && is; k++) {
        const area *b = &p->taken[k];
        const double dx = fmax(0, fmax(a.left - b->right, b->left - a.right)), dy = fmax(0, fmax(a.low - b->high, b->low - a.high));
        is = hypot(dx, dy) > a.radius + b->radius;
    }
    return is;
}

static void set_axes(picture *p)
{
    const double ridge = p->peak->gflops / p->peak->gbytes;
    double x0 = ridge / 10, x1 = ridge * 10, y0 = p->peak->gflops / 10, y1 = p->peak->gflops;
    for (int k = 0; k < p->drawn; k++) {
        const bench_point *q = p->spots[k].point;
        x0 = fmin(x0, intensity(q)), x1 = fmax(x1, intensity(q));
        y0 = fmin(y0, speed(q)), y1 = fmax(y1, speed(q));
    }
    p->x0 = log10(x0 / 1.5), p->x1 = log10(x1 * 1.5), p->y0 = log10(y0 / 2), p->y1 = log10(y1 * 3);
}

static void place(picture *p, const bench_point *points, int count)
{
    for (int k = 0; k < count; k++) p->seconds += points[k].times * points[k].seconds;
    for (int k = 0; k < count; k++) {
        const double share = points[k].times * points[k].seconds / p->seconds;
        p->spots[k] = (spot){ .point = &points[k], .share = share, .radius = fmax(3, 45 * sqrt(share)), .kind = kind_of(points[k].op) };
    }
    qsort(p->spots, (size_t)count, sizeof *p->spots, longest_first);
    while (p->drawn < count && p->spots[p->drawn].share >= DRAWN) p->drawn++;
    for (int k = p->drawn; k < count; k++) p->left_out += p->spots[k].share;
    p->count = count;
    set_axes(p);
    for (int k = 0; k < p->drawn; k++) {
        spot *s = &p->spots[k];
        s->x = across(p, intensity(s->point)), s->y = upward(p, speed(s->point));
        take(p, (area){ s->x, s->x, s->y, s->y, s->radius + 5 });
    }
}

/* ---- the script --------------------------------------------------------------------------------------------------- */

static bool put(picture *p, const char *before, const char *text, const char *after)
{
    char *quoted = gnuplot_quoted(before, text);
    if (quoted) fprintf(p->to, "%s%s\n", quoted, after);
    free(quoted);
    return quoted != NULL;
}

/* A letter of a text of n that stands turned around its middle. */
static area letter(double x, double y, double angle, int n, int k)
{
    const double along = LETTER * (k - 0.5 * (n - 1)), cx = x + along * cos(angle), cy = y + along * sin(angle);
    return (area){ cx, cx, cy, cy, 9 };
}

/* Above the line from (x0,y0) to (x1,y1), `first` of the way along it or at the next place towards `last` where no point is. */
static void put_roof_name(picture *p, const char *text, double x0, double y0, double x1, double y1, double first, double last)
{
    const double angle = atan2(y1 - y0, x1 - x0);
    const int n = (int)strlen(text);
    double x = 0, y = 0;
    for (int step = 0, fits = 0; step <= 40 && !fits; step++) {
        const double t = step < 40 ? first + (last - first) * step / 40 : first;     /* the last one is taken as it is */
        x = x0 + t * (x1 - x0) - 13 * sin(angle), y = y0 + t * (y1 - y0) + 13 * cos(angle), fits = 1;
        for (int k = 0; k < n && fits; k++) fits = is_free(p, 0, letter(x, y, angle, n, k));
    }
    for (int k = 0; k < n; k++) take(p, letter(x, y, angle, n, k));
    fprintf(p->to, "set label '%s' at screen %.5f,%.5f center rotate by %.1f front\n", text, x / WIDTH, y / HEIGHT, angle * 180 / acos(-1));
}

static void put_roofs(picture *p)
{
    const double bytes = p->peak->gbytes, flops = p->peak->gflops, x0 = pow(10, p->x0), y0 = pow(10, p->y0);
    const double left = fmax(LEFT, across(p, y0 / bytes)), ridge = across(p, flops / bytes);
    const double low = upward(p, fmax(y0, x0 * bytes)), top = upward(p, flops);
    char text[64];
    fprintf(p->to, "$roof << END\n%.6g %.6g\n%.6g %.6g\n%.6g %.6g\nEND\n", x0, x0 * bytes, flops / bytes, flops, pow(10, p->x1), flops);
    const int n = snprintf(text, sizeof text, "multiply-adds %.0f GFLOP/s", flops);
    const double half = 0.5 * LETTER * n / (RIGHT - ridge);
    put_roof_name(p, text, ridge, top, RIGHT, top, 0.98 - half, half);
    snprintf(text, sizeof text, "copy %.3g GB/s", bytes);
    put_roof_name(p, text, left, low, ridge, top, 0.3, 0.9);
    take(p, (area){ ridge, RIGHT, top, top, 2 });
    for (int k = 0; k < 100; k++) {
        const double x = left + 0.01 * k * (ridge - left), y = low + 0.01 * k * (top - low);
        take(p, (area){ x, x, y, y, 4 });
    }
}

/* A point of the line from a marker's middle to its name; the first of them may cross others where markers are crowded. */
static area on_line(const spot *s, double x, double y, int k)
{
    const double cx = s->x + (x - s->x) * k / STEPS, cy = s->y + (y - s->y) * k / STEPS;
    return (area){ cx, cx, cy, cy, 2 };
}

/* Where there is room, the nearer the better, at the end of a line that crosses no other name; not at all where there is none. */
static void put_name(picture *p, int names, const spot *s)
{
    char text[96];
    const double width = LETTER * snprintf(text, sizeof text, "%.60s %.*f %%", s->point->op, s->share < 0.01 ? 2 : s->share < 0.1, 100 * s->share);
    for (int far = 12; far < 250; far += 10)
        for (int k = 0; k < 16; k++) {
            const double turn = (k % 2 ? k + 1 : -k) * acos(-1) / 16, c = cos(turn), x = s->x + (s->radius + far) * c;
            const double y = s->y + (s->radius + far) * sin(turn), left = c > 0.1 ? x + 3 : c < -0.1 ? x - width - 3 : x - width / 2;
            const double middle = y + (c > 0.1 || c < -0.1 ? 0 : copysign(LINE / 2 + 2, sin(turn)));
            const area a = { left, left + width, middle - LINE / 2, middle + LINE / 2, 2 };
            bool ok = is_free(p, 0, a);
            for (int i = STEPS / 3; i <= STEPS && ok; i++) ok = is_free(p, names, on_line(s, x, y, i));
            if (!ok) continue;
            take(p, a);
            for (int i = STEPS / 3; i <= STEPS; i++) take(p, on_line(s, x, y, i));
            fprintf(p->to, "set label '%s' at screen %.5f,%.5f %s front\n", text, (c > 0.1 ? left : c < -0.1 ? left + width : x) / WIDTH,
                    middle / HEIGHT, c > 0.1 ? "left" : c < -0.1 ? "right" : "center");
            fprintf(p->to, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 0.8 lc '#202020' front\n", s->x / WIDTH, s->y / HEIGHT,
                    x / WIDTH, y / HEIGHT);
            return;
        }
}

static void put_names(picture *p)
{
    const int names = p->n_taken;
    for (int k = 0; k < p->drawn && p->spots[k].share >= NAMED; k++) {
        int same = 0;
        while (strcmp(p->spots[same].point->op, p->spots[k].point->op)) same++;
        if (same == k) put_name(p, names, &p->spots[k]);
    }
}

static void put_notes(picture *p)
{
    fprintf(p->to, "set label 'Area: share of the %.4g ms that all take, each run alone; the longest of each name says its share.", 1e3 * p->seconds);
    if (p->count > p->drawn) fprintf(p->to, " %d points below 0.1 %%, %.2g %% together, are left out.", p->count - p->drawn, 100 * p->left_out);
    fprintf(p->to, "' at screen %.5f,%.5f font ',9.5' tc '#505050'\n", (double)LEFT / WIDTH, 44.0 / HEIGHT);
    fprintf(p->to, "set label 'Convolutions count as direct ones, so Winograd''s may pass the flat roof; what a cache holds may pass the slanted one.'"
                   " at screen %.5f,%.5f font ',9.5' tc '#505050'\n", (double)LEFT / WIDTH, 22.0 / HEIGHT);
}

/* base: the files' name without an ending, in their folder. */
static bool put_script(picture *p, const char *base, const char *title, const rheo_device *dev)
{
    char device[BENCH_DEVICE_TEXT], place_of[64], name[512];
    bench_name_device(dev, device);
    fprintf(p->to, "set encoding utf8\nset terminal pngcairo size %d,%d font 'Sans,11' noenhanced\n", WIDTH, HEIGHT);
    snprintf(place_of, sizeof place_of, " at screen %.5f,%.5f font ',14'", (double)LEFT / WIDTH, 794.0 / HEIGHT);
    bool ok = put(p, "set label ", title, place_of);
    snprintf(place_of, sizeof place_of, " at screen %.5f,%.5f font ',9.5' tc '#505050'", (double)LEFT / WIDTH, 762.0 / HEIGHT);
    ok = ok && put(p, "set label ", device, place_of);
    put_roofs(p);
    put_names(p);
    put_notes(p);
    fprintf(p->to, "set lmargin at screen %.5f; set rmargin at screen %.5f\nset bmargin at screen %.5f; set tmargin at screen %.5f\n",
            (double)LEFT / WIDTH, (double)RIGHT / WIDTH, (double)BOTTOM / HEIGHT, (double)TOP / HEIGHT);
    fprintf(p->to, "set logscale xy\nset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n", pow(10, p->x0), pow(10, p->x1), pow(10, p->y0),
            pow(10, p->y1));
    fprintf(p->to, "set format '%%g'\nset grid xtics ytics lt 1 lw 0.6 lc '#d8d8d8'\nset border lw 0.6 lc '#606060'\nset tics out nomirror\n"
                   "set xlabel 'FLOP per byte, everything read and written once'\nset ylabel 'GFLOP/s'\n"
                   "set key at screen %.5f,%.5f right center horizontal reverse Left samplen 1\n", (double)RIGHT / WIDTH, 76.0 / HEIGHT);
    snprintf(name, sizeof name, "%s.png", base);
    ok = ok && put(p, "set output ", name, "");
    snprintf(name, sizeof name, "%s.dat", base);
    ok = ok && put(p, "data = ", name, "");
    fprintf(p->to, "plot $roof with lines lw 2 lc '#303030' notitle");
    for (int kind = 0; kind < KINDS; kind++) {
        int k = 0;
        while (k < p->drawn && p->spots[k].kind != kind) k++;
        if (k == p->drawn) continue;
        for (int ring = 0; ring < 2; ring++)
            fprintf(p->to, ", \\\n     data using ($5 == %d && $3 >= %g ? $1 : NaN):2:4 with points pt %d ps variable lc rgb '#%s%s' notitle", kind,
                    DRAWN, ring ? 6 : 7, ring ? "" : "80", kinds[kind].colour);
        fprintf(p->to, ", \\\n     NaN with points pt 7 ps 1.6 lc rgb '#%s' title '%s'", kinds[kind].colour, kinds[kind].name);
    }
    fprintf(p->to, "\n");
    return ok;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static void put_data(const picture *p)
{
    fprintf(p->to, "# FLOP/byte, GFLOP/s, share of the time, pointsize, kind (0 convolution, 1 matmul, 2 other), shape\n");
    for (int k = 0; k < p->count; k++) {
        const spot *s = &p->spots[k];
        fprintf(p->to, "%.6g %.6g %.6g %.3g %d '%s'\n", intensity(s->point), speed(s->point), s->share, s->radius / POINT_SIZE, s->kind,
                s->point->key);
    }
}

static rheo_status write_files(picture *p, const char *stem, const char *title, const rheo_device *dev, rheo_error *err)
{
    const char *slash = strrchr(stem, '/'), *base = slash ? slash + 1 : stem;
    char *path = malloc(strlen(stem) + 8);
    rheo_file_output data = { 0 }, script = { 0 };
    rheo_status st = path ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) sprintf(path, "%s.dat", stem), st = rheo_file_output_open(&data, path, err);
    if (!st) p->to = data.stream, put_data(p), st = rheo_file_output_commit(&data, err);
    if (!st) sprintf(path, "%s.gp", stem), st = rheo_file_output_open(&script, path, err);
    if (!st && (p->to = script.stream, !put_script(p, base, title, dev))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = rheo_file_output_commit(&script, err);
    rheo_file_output_discard(&data);
    rheo_file_output_discard(&script);
    free(path);
    return st;
}

/* What was measured counts without a picture. */
static void draw(const char *stem)
{
    const char *slash = strrchr(stem, '/'), *base = slash ? slash + 1 : stem;
    char *folder = slash ? strndup(stem, (size_t)(slash - stem + 1)) : strdup("."), *script = malloc(strlen(base) + 4);
    if (script) sprintf(script, "%s.gp", base);
    const gnuplot_drawing drawn = folder && script ? gnuplot_draw(folder, script) : GNUPLOT_FAILED;
    if (drawn == GNUPLOT_MISSING)
        fprintf(stderr, "rheo-bench ops: no picture, since gnuplot is not installed; later, 'gnuplot %s' in the folder %s draws it\n", script, folder);
    if (drawn == GNUPLOT_FAILED) fprintf(stderr, "rheo-bench ops: gnuplot failed; its data and script are %s.dat and %s.gp\n", stem, stem);
    free(folder);
    free(script);
}

rheo_status bench_roofline(const char *path, const char *title, const rheo_device *dev, const bench_peak *peak, const bench_point *points,
                           int count, rheo_error *err)
{
    const size_t areas = (size_t)count * (STEPS + 3) + 300;       /* points, their names and lines; the roofs and theirs */
    picture p = { .peak = peak, .spots = calloc((size_t)count, sizeof *p.spots), .taken = calloc(areas, sizeof *p.taken) };
    char *stem = strndup(path, strlen(path) - strlen(".png"));
    rheo_status st = p.spots && p.taken && stem ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) {
        place(&p, points, count);
        st = write_files(&p, stem, title, dev, err);
    }
    if (!st) draw(stem);
    free(stem);
    free(p.spots);
    free(p.taken);
    return st;
}
