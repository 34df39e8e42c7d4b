#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "tool.h"

/* ---- the models ------------------------------------------------------------------------------------------- */

static const struct { const char *name, *model, *config; rheo_data_shape shape; int64_t batch; } models[] = {
    { "glow-cifar", "glow", "{\"levels\":3,\"depth\":32,\"width\":512}", { 32, 32, 3, true }, 8 },
    { "glow-small", "glow", "{\"levels\":3,\"depth\":8,\"width\":128}", { 32, 32, 1, true }, 64 },
    { "ncsn-cifar", "ncsn", "{\"network\":\"v1\",\"width\":128}", { 32, 32, 3, true }, 8 },
    { "ncsn-small", "ncsn", "{\"network\":\"v1\",\"width\":32}", { 28, 28, 1, true }, 32 },
};
enum { MODELS = sizeof models / sizeof *models };

const char *bench_model_names(void) { return "glow-cifar, glow-small, ncsn-cifar, ncsn-small"; }

/* Bytes without a pattern in the batch and for the data-dependent initialisation. */
static rheo_status fill(bench_model *m, rheo_error *err)
{
    const rheo_recipe *r = &m->recipe;
    const int64_t count = r->batch * rheo_dims(r->shape);
    float *x = malloc((size_t)count * sizeof *x);
    uint32_t h = 1;
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        h ^= h << 13, h ^= h >> 17, h ^= h << 5;     /* Marsaglia 2003, xorshift */
        x[i] = (float)(h >> 24);
    }
    rheo_status st = rheo_params_write_initial(m->in.model->params, m->in.state, m->in.theta, m->in.fixed, r->seed, err);
    if (!st) st = rheo_trainstep_initialise(&m->in, r->seed, r->batch, x, err);
    if (!st) st = rheo_state_write(m->in.state, m->step.batch, 0, count, x, err);
    if (!st) st = rheo_trainstep_write_scalar(&m->step, RHEO_RATE_BASE, 1e-5f, err);
    if (!st) st = rheo_trainstep_write_scalar(&m->step, RHEO_RATE_END, 1e9f, err);
    free(x);
    return st;
}

rheo_status bench_model_create(const char *name, const char *device, int64_t batch, bool invert, bench_model *out, rheo_error *err)
{
    bench_model *m = out;
    rheo_model *model = NULL;
    int k = 0;
    while (k < MODELS && strcmp(models[k].name, name)) k++;
    if (k == MODELS) return rheo_fail(err, RHEO_EINVAL, "model: found '%.40s', expected one of %s", name, bench_model_names());
    m->recipe = (rheo_recipe){ .shape = models[k].shape, .seed = 1, .batch = batch ? batch : models[k].batch, .accumulate = 1, .lr = 1e-5, .warmup = 1,
                               .ema = 0.999, .memory = invert ? RHEO_MEMORY_INVERT : RHEO_MEMORY_STORE, .config = cJSON_Parse(models[k].config),
                               .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } };
    snprintf(m->recipe.model, sizeof m->recipe.model, "%s", models[k].model);
    rheo_status st = rheo_recipe_model(&m->recipe, &model, err);
    if (!st) st = rheo_instance_create(model, device, &m->in, err);
    if (!st && !m->in.dev) st = rheo_fail(err, RHEO_EINVAL, "device: the host executor is not to be timed");
    if (!st) rheo_instance_choose(&m->in, &m->recipe.variants);
    if (!st) st = rheo_trainstep_create(&m->in, &m->recipe, &m->step, err);
    return st ? st : fill(m, err);
}

void bench_model_free(bench_model *m)
{
    if (m->step.apply) rheo_trainstep_free(&m->step);
    rheo_instance_free(&m->in);
    rheo_recipe_free(&m->recipe);
}

/* ---- timing ------------------------------------------------------------------------------------------------- */

typedef struct timing { double best, median; int runs; } timing;

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rheo_status time_steps(bench_model *m, double seconds, timing *out, rheo_error *err)
{
    enum { MOST = 1000 };
    double each[MOST];
    int n = 0;
    rheo_status st = rheo_plan_run(m->step.apply, err);        /* compiles */
    if (!st) st = rheo_instance_finish(&m->in, err);
    for (const double begin = rheo_seconds(); !st && n < MOST && (n < 3 || rheo_seconds() - begin < seconds); n++) {
        const double start = rheo_seconds();
        st = rheo_plan_run(m->step.apply, err);
        if (!st) st = rheo_instance_finish(&m->in, err);
        each[n] = rheo_seconds() - start;
    }
    qsort(each, (size_t)n, sizeof *each, by_size);
    *out = (timing){ n ? each[0] : NAN, n ? each[n / 2] : NAN, n };
    return st;
}

/* Operations of the products, counted as direct convolution, and of all nodes with a cost of their own. */
static double flops_of(const rheo_plan *plan)
{
    double sum = 0;
    const rheo_node *n;
    for (int k = 0; (n = rheo_plan_node(plan, k)) != NULL; k++)
        if (!strncmp(n->op->name, "conv2d", 6) || !strcmp(n->op->name, "matmul")) sum += n->op->cost(n).flops;
    return sum;
}

static uint64_t state_bytes(const rheo_state *s)
{
    uint64_t sum = 0;
    for (int k = 0; k < rheo_storage_count(s); k++) sum += 4 * (uint64_t)rheo_storage_at(s, k)->count;
    return sum;
}

static int report(bench_model *m, const char *name, const timing *t, const bench_peak *peak, const rheo_op_time *ops, int n_ops, bool json)
{
    const rheo_plan_stats stats = rheo_plan_stats_of(m->step.apply);
    const double images = (double)m->recipe.batch, gflops = flops_of(m->step.apply) / t->median * 1e-9;
    const double bytes = (double)(stats.arena_bytes + state_bytes(m->in.state));
    if (json) {
        cJSON *o = cJSON_CreateObject(), *list = cJSON_AddObjectToObject(o, "ops");
        bench_add_device(o, m->in.dev);
        cJSON_AddStringToObject(o, "model", name);
        cJSON_AddNumberToObject(o, "batch", images);
        cJSON_AddNumberToObject(o, "images_per_second", images / t->median);
        cJSON_AddNumberToObject(o, "best_images_per_second", images / t->best);
        cJSON_AddNumberToObject(o, "gflops", gflops);
        cJSON_AddNumberToObject(o, "peak_gflops", peak->gflops);
        cJSON_AddNumberToObject(o, "launches", stats.launches);
        cJSON_AddNumberToObject(o, "peak_bytes", bytes);
        cJSON_AddNumberToObject(o, "arena_bytes", (double)stats.arena_bytes);
        for (int k = 0; k < n_ops; k++) cJSON_AddNumberToObject(list, ops[k].op, ops[k].seconds);
        return bench_print_json(o);
    }
    bench_print_device(m->in.dev);
    printf("%s, batch %g: %.1f images/s (best %.1f of %d steps), %.1f ms a step\n", name, images, images / t->median, images / t->best, t->runs,
           t->median * 1e3);
    printf("%.1f GFLOP/s, %.0f %% of the measured peak %.1f; %d launches; %.1f MB, of which arena %.1f\n\n", gflops, 100 * gflops / peak->gflops,
           peak->gflops, stats.launches, bytes * 1e-6, (double)stats.arena_bytes * 1e-6);
    for (int k = 0; k < n_ops && k < 16; k++) printf("%-24s %9.2f ms %6d launches\n", ops[k].op, ops[k].seconds * 1e3, ops[k].launches);
    return BENCH_OK;
}

int bench_run_model(int argc, char **argv)
{
    const char *device = NULL;
    long long batch = 0;
    double seconds = 10;
    bool json = false, invert = false;
    const tool_option options[] = {
        { "batch", TOOL_INT, &batch, "B", "images a step", 1, 65536 },
        { "invert", TOOL_FLAG, &invert, NULL, "rebuild activations by inversion instead of storing them", 0, 0 },
        { "seconds", TOOL_NUMBER, &seconds, "S", "of timing; 10", 0, 3600 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = { .command = "model", .operands = "MODEL", .min_operands = 1, .max_operands = 1, .options = options,
                               .summary = "Times training steps of glow-cifar, glow-small, ncsn-cifar or ncsn-small on random bytes." };
    rheo_error err = RHEO_ERROR_INIT;
    bench_model m = { .step = { .gradient = -1 } };
    bench_peak peak = { 0 };
    timing t = { 0 };
    rheo_op_time *ops = NULL;
    int n_ops = 0, code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    rheo_status st = bench_model_create(argv[0], device, batch, invert, &m, &err);
    if (!st) st = bench_peak_of(m.in.dev, &peak, &err);
    if (!st) st = time_steps(&m, seconds, &t, &err);
    if (!st) st = rheo_plan_profile(m.step.apply, &ops, &n_ops, &err);
    code = st ? bench_failed("model", &err) : report(&m, argv[0], &t, &peak, ops, n_ops, json);
    free(ops);
    bench_model_free(&m);
    return code;
}
