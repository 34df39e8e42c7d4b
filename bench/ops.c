#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check/alone.h"
#include "check/contents.h"
#include "graph/choices.h"
#include "tool.h"

/* References are naive: what would take longer is timed only. */
#define VERIFY_FLOPS 2e9
#define TIME_SECONDS 0.25
enum { MOST_NAMES = 16 };

typedef struct ops_options {
    char **only;             /* names of operations; all where there are none */
    int n_only;
    const char *shapes, *roofline;               /* roofline may be NULL */
    bool json, unverified, f43;
    long long rounds;
} ops_options;

typedef struct row {
    const rheo_node *node;
    char key[RHEO_CHOICE_KEY];
    const char *variant;     /* NULL: it has no choice */
    int times;               /* it stands in the plan */
    double seconds, median;  /* the least of all rounds, and the median of the last */
    double error;            /* largest difference from the reference over the largest result; NAN: not verified */
} row;

/* ---- against the reference ------------------------------------------------------------------------------------- */

/* NAN where memory or the device fails. */
static double difference(const rheo_alone *a, rheo_plan *plan, rheo_error *err)
{
    const rheo_node *n = a->node;
    double *in[RHEO_SAMPLE_IN] = { NULL }, *out[RHEO_MAX_OUT] = { NULL }, worst = 0, scale = 0;
    double *found = malloc((size_t)rheo_outputs(n) * sizeof *found);
    bool ok = found && !rheo_alone_run(a, plan, found, err);
    for (int i = 0; i < n->n_in && ok; i++)
        ok = (in[i] = malloc((size_t)rheo_count(n->in_spec[i].shape) * sizeof **in)) && !rheo_contents_read(a->state, i, in[i], err);
    for (int k = 0; k < n->n_out && ok; k++) ok = (out[k] = calloc((size_t)rheo_count(n->out[k].shape), sizeof **out)) != NULL;
    if (ok) n->op->reference(n, (const double *const *)in, out);
    const double *y = found;
    for (int k = 0; k < n->n_out && ok; k++)
        for (int64_t i = 0; i < rheo_count(n->out[k].shape); i++, y++) {
            const double off = fabs(*y - out[k][i]);
            if (off > worst || isnan(off)) worst = off;
            scale = fmax(scale, fabs(out[k][i]));
        }
    for (int i = 0; i < RHEO_SAMPLE_IN; i++) free(in[i]);
    for (int k = 0; k < RHEO_MAX_OUT; k++) free(out[k]);
    free(found);
    return ok && scale > 0 ? worst / scale : ok ? worst : NAN;
}

static const char *variant_in(const rheo_plan *plan, const rheo_node *of)
{
    const rheo_node *n;
    for (int k = 0; of->op->variants && (n = rheo_plan_node(plan, k)) != NULL; k++)
        if (n->op == of->op) return n->op->variants[n->variant];
    return NULL;
}

/* In the variant that models use here. */
static rheo_status measure(const rheo_instance *in, row *r, bool verify, rheo_error *err)
{
    rheo_alone alone;
    rheo_plan *plan = NULL;
    rheo_timing timing;
    rheo_status st = rheo_alone_create(in->dev, r->node, &alone, err);
    if (!st) st = rheo_plan_create(alone.graph, alone.state, &(rheo_plan_options){ .choices = in->choices }, &plan, err);
    if (!st && verify && r->node->n_in <= RHEO_SAMPLE_IN && rheo_cost_of(r->node).flops <= VERIFY_FLOPS) r->error = difference(&alone, plan, err);
    if (!st) st = rheo_alone_time(&alone, plan, TIME_SECONDS, &timing, err);
    if (!st) {
        r->variant = variant_in(plan, r->node);
        r->seconds = fmin(r->seconds, timing.best);
        r->median = timing.median;
    }
    rheo_plan_destroy(plan);
    rheo_alone_free(&alone);
    return st;
}

/* ---- the list ------------------------------------------------------------------------------------------------------ */

static bool counts(const rheo_node *n, const ops_options *o)
{
    const bool launches = n->op->launch && !(n->op->flags & (RHEO_OP_ALIAS | RHEO_OP_LEAF | RHEO_OP_LITERAL | RHEO_OP_PACK));
    int k = 0;
    while (k < o->n_only && strcmp(n->op->name, o->only[k])) k++;
    return launches && n->n_in <= RHEO_SAMPLE_IN && (k < o->n_only || o->n_only == 0);
}

static row *collect(const rheo_plan *plan, const ops_options *o, int *count)
{
    const rheo_node *n;
    int most = 0;
    while (rheo_plan_node(plan, most)) most++;
    row *rows = calloc((size_t)most + 1, sizeof *rows);
    *count = 0;
    for (int k = 0; rows && (n = rheo_plan_node(plan, k)) != NULL; k++) {
        row *r = &rows[*count];
        int seen = 0;
        if (!counts(n, o)) continue;
        r->node = n;
        rheo_choice_key(n, r->key);
        while (strcmp(rows[seen].key, r->key)) seen++;
        rows[seen].times++;
        if (seen < *count) continue;
        r->seconds = INFINITY;
        r->error = NAN;
        ++*count;
    }
    return rows;
}

/* Every name is some row's. */
static rheo_status check_names(const row *rows, int count, const ops_options *o, rheo_error *err)
{
    for (int i = 0; i < o->n_only; i++) {
        int k = 0;
        while (k < count && strcmp(rows[k].node->op->name, o->only[i])) k++;
        if (k == count) return rheo_fail(err, RHEO_EINVAL, "no operation '%.40s' in this model; without names all are timed, with --apart "
                                         "a coupling's too", o->only[i]);
    }
    return RHEO_OK;
}

static void print_row(const row *r, const bench_peak *peak)
{
    const rheo_cost c = rheo_cost_of(r->node);
    const double gflops = c.flops / r->seconds * 1e-9, gbytes = c.bytes / r->seconds * 1e-9;
    const double part = fmax(gflops / peak->gflops, gbytes / peak->gbytes);
    printf("%9.4f %9.4f ms %4dx %7.1f GFLOP/s %6.1f GB/s %4.0f %%  ", r->seconds * 1e3, r->median * 1e3, r->times, gflops, gbytes, 100 * part);
    if (isnan(r->error)) printf("         ");
    else printf("%8.1e ", r->error);
    printf(" %s%s%s%s\n", r->key, r->variant ? " (" : "", r->variant ? r->variant : "", r->variant ? ")" : "");
}

static bool add_row(cJSON *list, const row *r)
{
    const rheo_cost c = rheo_cost_of(r->node);
    cJSON *o = cJSON_CreateObject();
    return cJSON_AddItemToArray(list, o) && cJSON_AddStringToObject(o, "key", r->key) && cJSON_AddNumberToObject(o, "seconds", r->seconds) &&
           cJSON_AddNumberToObject(o, "median_seconds", r->median) && (!r->variant || cJSON_AddStringToObject(o, "variant", r->variant)) &&
           cJSON_AddNumberToObject(o, "times", r->times) && cJSON_AddNumberToObject(o, "gflops", c.flops / r->seconds * 1e-9) &&
           cJSON_AddNumberToObject(o, "gbytes", c.bytes / r->seconds * 1e-9) && cJSON_AddNumberToObject(o, "error", r->error);
}

/* Of convolutions' operations a second, all together: those between many channels, those that are thin on a side, and whole stacks of both. */
static void print_convolutions(const row *rows, int count, const bench_peak *peak)
{
    static const char *const kinds[] = { "64 channels and more on both sides", "fewer on one side", "couplings as a whole" };
    double flops[3] = { 0 }, seconds[3] = { 0 };
    for (int k = 0; k < count; k++) {
        const rheo_node *n = rows[k].node;
        if (strncmp(n->op->name, "conv2d", 6)) continue;
        const rheo_shape w = strcmp(n->op->name, "conv2d_dw") ? n->in_spec[1].shape : n->out[0].shape;
        const int kind = !strncmp(n->op->name, "conv2d_stack", 12) ? 2 : w.w < 64 || w.c < 64;
        flops[kind] += rows[k].times * rheo_cost_of(n).flops;
        seconds[kind] += rows[k].times * rows[k].seconds;
    }
    for (int k = 0; k < 3; k++)
        if (seconds[k] > 0)
            printf("convolutions of %s: %.1f ms, %.1f GFLOP/s, %.0f %% of the peak\n", kinds[k], seconds[k] * 1e3, flops[k] / seconds[k] * 1e-9,
                   100 * flops[k] / seconds[k] * 1e-9 / peak->gflops);
}

static rheo_status draw(const bench_model *m, const ops_options *o, const row *rows, int count, const bench_peak *peak, rheo_error *err)
{
    char title[160];
    bench_point *points = malloc((size_t)count * sizeof *points);
    if (!points) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int k = 0; k < count; k++) {
        const rheo_cost c = rheo_cost_of(rows[k].node);
        points[k] = (bench_point){ rows[k].node->op->name, rows[k].key, c.flops, c.bytes, rows[k].seconds, rows[k].times };
    }
    if (m->in.model) snprintf(title, sizeof title, "%.60s %s, batch %lld: its operations", o->shapes, bench_phase_name(m->phase),
                              (long long)m->recipe.batch);
    else snprintf(title, sizeof title, "%.60s alone", o->shapes);
    const rheo_status st = bench_roofline(o->roofline, title, m->in.dev, peak, points, count, err);
    free(points);
    return st;
}

static rheo_status run(bench_model *m, const ops_options *options, rheo_error *err)
{
    const bool json = options->json;
    bench_peak peak;
    int count = 0;
    cJSON *o = json ? cJSON_CreateObject() : NULL, *list = cJSON_AddArrayToObject(o, "ops");
    row *rows = collect(m->plan, options, &count);
    rheo_status st = rows ? check_names(rows, count, options, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) st = bench_peak_of(m->in.dev, &peak, err);
    if (!st && json) bench_add_device(o, m->in.dev);
    if (!st && !json) {
        bench_print_device(m->in.dev);
        printf("least and median time; %% of the nearer peak; error against the reference in double\n\n");
    }
    for (long long round = 1; round <= options->rounds && !st; round++) {
        if (round > 1) st = bench_peak_again(m->in.dev, &peak.gflops, err);
        for (int k = 0; k < count && !st; k++) {
            st = measure(&m->in, &rows[k], !options->unverified && round == 1, err);
            if (!st && round == options->rounds && json) add_row(list, &rows[k]);
            else if (!st && round == options->rounds) print_row(&rows[k], &peak);
            fflush(stdout);
        }
    }
    if (!st && !json) {
        printf("peak %.1f GFLOP/s, %.1f GB/s\n", peak.gflops, peak.gbytes);
        print_convolutions(rows, count, &peak);
    }
    if (!st && options->roofline) st = draw(m, options, rows, count, &peak, err);
    free(rows);
    if (json && !st) bench_print_json(o);
    else cJSON_Delete(o);
    return st;
}

int bench_run_ops(int argc, char **argv)
{
    const char *device = NULL, *phase = "train";
    ops_options o = { .shapes = "glow-small", .rounds = 1 };
    long long batch = 0;
    bench_model_options chosen = { 0 };
    const tool_option options[] = {
        { "shapes", TOOL_TEXT, &o.shapes, "MODEL", "glow-small unless given; or a product MxKxN, or convolutions NxHxWxI:KxO", 0, 0 },
        { "phase", TOOL_TEXT, &phase, "PHASE", "of the model: train (default), eval, or sample (ncsn: a Langevin step)", 0, 0 },
        { "batch", TOOL_INT, &batch, "B", "images a step", 1, 65536 },
        { "rounds", TOOL_INT, &o.rounds, "R", "over all operations, each by its least time: for machines that others use too; 1", 1, 1000 },
        { "f43", TOOL_FLAG, &o.f43, NULL, "3x3 convolutions between many channels by Winograd's F(4x4, 3x3)", 0, 0 },
        { "apart", TOOL_FLAG, &chosen.apart, NULL, "a coupling's convolutions one by one, as on GPUs, where they would be one operation", 0, 0 },
        { "no-verify", TOOL_FLAG, &o.unverified, NULL, "only time them", 0, 0 },
        { "roofline", TOOL_TEXT, &o.roofline, "FILE.png", "draw them: FLOP a byte and FLOP a second below the peaks (by gnuplot)", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &o.json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = { .command = "ops", .operands = "[OP ...]", .max_operands = MOST_NAMES, .options = options,
                               .summary = "Runs every operation of a phase of a model alone, in its shapes there: compared with the "
                                          "reference, then timed.\vExample: rheo-bench ops conv2d_dw --shapes glow-cifar" };
    rheo_error err = RHEO_ERROR_INIT;
    bench_model m = { 0 };
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if ((code = bench_take_phase("ops", phase, &chosen.phase))) return code;
    if (o.roofline && !tool_ends_in(o.roofline, ".png")) return tool_misused("ops", "--roofline: found '%.200s', expected FILE.png", o.roofline);
    if (o.roofline && !tool_can_write("ops", o.roofline, &code)) return code;
    o.only = argv, o.n_only = argc;
    chosen.device = device, chosen.batch = batch, chosen.f43 = o.f43;
    rheo_status st = bench_model_create(o.shapes, &chosen, &m, &err);
    if (!st) st = run(&m, &o, &err);
    if (st) code = bench_failed("ops", &err);
    bench_model_free(&m);
    return code;
}
