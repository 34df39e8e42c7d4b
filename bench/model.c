/* rheo-bench model MODEL: how fast a phase of a model runs, what it needs, and where the time goes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench.h"
#include "tool.h"

/* ---- measuring ---------------------------------------------------------------------------------------------- */

typedef struct timing {
    double best, median;     /* seconds of a run */
    double host;             /* of those, the mean in which the host queues: on a CPU device, time that kernels do not have */
    int runs;
} timing;

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* CPU time of this thread: while it waits for a processor it costs the device nothing. */
static double thread_seconds(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) ? NAN : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rheo_status time_runs(bench_model *m, double seconds, timing *out, rheo_error *err)
{
    enum { MOST = 1000 };
    double each[MOST], host = 0;
    int n = 0;
    rheo_status st = rheo_plan_run(m->plan, err);        /* compiles */
    if (!st) st = rheo_instance_finish(&m->in, err);
    for (const double begin = rheo_seconds(); !st && n < MOST && (n < 3 || rheo_seconds() - begin < seconds); n++) {
        const double start = rheo_seconds(), before = thread_seconds();
        st = rheo_plan_run(m->plan, err);
        host += thread_seconds() - before;
        if (!st) st = rheo_instance_finish(&m->in, err);
        each[n] = rheo_seconds() - start;
    }
    qsort(each, (size_t)n, sizeof *each, by_size);
    *out = (timing){ n ? each[0] : NAN, n ? each[n / 2] : NAN, host / n, n };
    return st;
}

/* Operations of the products alone, counted as direct convolution whatever the algorithm. */
static double flops_of(const rheo_plan *plan)
{
    double sum = 0;
    const rheo_node *n;
    for (int k = 0; (n = rheo_plan_node(plan, k)) != NULL; k++)
        if (!strncmp(n->op->name, "conv2d", 6) || !strcmp(n->op->name, "matmul")) sum += n->op->cost(n).flops;
    return sum;
}

/* The most memory this process ever held, a CPU device's buffers included; NAN where the system does not say (Linux does). */
static double host_peak_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    double kib = NAN;
    while (f && fgets(line, sizeof line, f) && isnan(kib))
        if (!strncmp(line, "VmHWM:", 6)) kib = strtod(line + 6, NULL);
    if (f) fclose(f);
    return 1024 * kib;
}

/* ---- the report --------------------------------------------------------------------------------------------- */

typedef struct result {
    const char *name;
    timing time;
    bench_peak peak;
    double gflops, bytes, host_bytes;
    rheo_op_time *ops;
    int n_ops;
} result;

static int report_json(const bench_model *m, const result *r)
{
    const rheo_plan_stats stats = rheo_plan_stats_of(m->plan);
    cJSON *o = cJSON_CreateObject();
    bench_add_device(o, m->in.dev);
    cJSON_AddStringToObject(o, "model", r->name);
    cJSON_AddStringToObject(o, "phase", bench_phase_name(m->phase));
    cJSON_AddNumberToObject(o, "parameters", (double)rheo_params_numbers(m->in.model->params));
    cJSON_AddNumberToObject(o, "batch", (double)m->recipe.batch);
    cJSON_AddNumberToObject(o, "images_per_second", (double)m->recipe.batch / r->time.median);
    cJSON_AddNumberToObject(o, "best_images_per_second", (double)m->recipe.batch / r->time.best);
    cJSON_AddNumberToObject(o, "runs", r->time.runs);
    cJSON_AddNumberToObject(o, "gflops", r->gflops);
    cJSON_AddNumberToObject(o, "peak_gflops", r->peak.gflops);
    cJSON_AddNumberToObject(o, "host_share", r->time.host / r->time.median);
    cJSON_AddNumberToObject(o, "launches", stats.launches);
    cJSON_AddNumberToObject(o, "peak_bytes", r->bytes);
    cJSON_AddNumberToObject(o, "arena_bytes", (double)stats.arena_bytes);
    cJSON_AddNumberToObject(o, "host_peak_bytes", r->host_bytes);
    cJSON *list = cJSON_AddObjectToObject(o, "ops");
    for (int k = 0; k < r->n_ops; k++) cJSON_AddNumberToObject(list, r->ops[k].op, r->ops[k].seconds);
    return bench_print_json(o);
}

static int report_text(const bench_model *m, const result *r)
{
    const rheo_plan_stats stats = rheo_plan_stats_of(m->plan);
    const double images = (double)m->recipe.batch;
    const timing *t = &r->time;
    bench_print_device(m->in.dev);
    printf("%s %s, %lld parameters, batch %g: %.1f images/s (best %.1f of %d runs), %.1f ms a run\n", r->name, bench_phase_name(m->phase),
           (long long)rheo_params_numbers(m->in.model->params), images, images / t->median, images / t->best, t->runs, t->median * 1e3);
    printf("%.1f GFLOP/s, %.0f %% of the measured peak %.1f; %d launches, host %.1f %% of the time\n", r->gflops,
           100 * r->gflops / r->peak.gflops, r->peak.gflops, stats.launches, 100 * t->host / t->median);
    printf("%.1f MB on the device, of which arena %.1f; the process at most %.1f MB\n\n", r->bytes * 1e-6, (double)stats.arena_bytes * 1e-6,
           r->host_bytes * 1e-6);
    for (int k = 0; k < r->n_ops && k < 16; k++)
        printf("%-24s %9.2f ms %6d launches\n", r->ops[k].op, r->ops[k].seconds * 1e3, r->ops[k].launches);
    return BENCH_OK;
}

static rheo_status measure(bench_model *m, double seconds, result *r, rheo_error *err)
{
    rheo_status st = time_runs(m, seconds, &r->time, err);
    r->gflops = flops_of(m->plan) / r->time.median * 1e-9;
    r->bytes = (double)rheo_plan_stats_of(m->plan).arena_bytes + (double)rheo_state_bytes(m->in.state);
    r->host_bytes = host_peak_bytes();       /* before what only measures takes more */
    if (!st) st = bench_peak_of(m->in.dev, &r->peak, err);
    return st ? st : rheo_plan_profile(m->plan, &r->ops, &r->n_ops, err);
}

int bench_run_model(int argc, char **argv)
{
    const char *device = NULL;
    long long batch = 0;
    double seconds = 10;
    bool json = false, invert = false, f43 = false;
    const char *phase = "train";
    const tool_option options[] = {
        { "phase", TOOL_TEXT, &phase, "PHASE", "train (default), eval, or sample (ncsn: a Langevin step)", 0, 0 },
        { "batch", TOOL_INT, &batch, "B", "images a run", 1, 65536 },
        { "f43", TOOL_FLAG, &f43, NULL, "3x3 convolutions between many channels by Winograd's F(4x4, 3x3)", 0, 0 },
        { "invert", TOOL_FLAG, &invert, NULL, "train: rebuild activations by inversion instead of storing them", 0, 0 },
        { "seconds", TOOL_NUMBER, &seconds, "S", "of timing; 10", 0, 3600 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = { .command = "model", .operands = "MODEL", .min_operands = 1, .max_operands = 1, .options = options,
                               .summary = "Times training steps, evaluation or sampling of glow-cifar, glow-small, ncsn-cifar or "
                                          "ncsn-small on random bytes." };
    rheo_error err = RHEO_ERROR_INIT;
    bench_model m = { 0 };
    bench_model_options o = { 0 };
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if ((code = bench_take_phase("model", phase, &o.phase))) return code;
    o.device = device;
    o.batch = batch;
    o.invert = invert;
    o.f43 = f43;
    result r = { .name = argv[0] };
    rheo_status st = bench_model_create(r.name, &o, &m, &err);
    if (!st && !m.in.model) st = rheo_fail(&err, RHEO_EINVAL, "%.40s is no model; see rheo-bench ops", r.name);
    if (!st) st = measure(&m, seconds, &r, &err);
    code = st ? bench_failed("model", &err) : json ? report_json(&m, &r) : report_text(&m, &r);
    free(r.ops);
    bench_model_free(&m);
    return code;
}
