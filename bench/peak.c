#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench.h"
#include "op/ops.h"
#include "tool.h"

enum { ROUNDS = 7, COPY_FLOATS = 8 << 20, LAUNCHES = 1000 };

/* The best of several launches that take a while: short ones show how soon cores wake. */
rheo_status bench_peak_again(rheo_device *dev, double *gflops, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < ROUNDS && !st; k++) {
        double now = 0;
        st = rheo_device_fma_rate(dev, 0.05, &now, err);
        *gflops = fmax(*gflops, now);
    }
    return st;
}

/* Best seconds of a plan that assigns y = 2 x to another storage. */
static rheo_status scaling(rheo_device *dev, int64_t count, int runs, double *seconds, rheo_error *err)
{
    rheo_state *s = rheo_state_create();
    rheo_graph *g = s ? rheo_graph_create(s, &rheo_op_arithmetic) : NULL;
    rheo_plan *plan = NULL;
    const int from = s ? rheo_storage_add(s, "from", RHEO_F32, count) : -1, to = s ? rheo_storage_add(s, "to", RHEO_F32, count) : -1;
    rheo_status st = g && from >= 0 && to >= 0 ? rheo_state_bind(s, dev, err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (!st) rheo_assign(g, rheo_window(g, to, 0, rheo_vector(count)), rheo_affine(g, rheo_window(g, from, 0, rheo_vector(count)), 2, 0));
    if (!st) st = rheo_plan_create(g, s, NULL, &plan, err);
    *seconds = INFINITY;
    for (int k = 0; k < ROUNDS && !st; k++) {
        const double start = rheo_seconds();
        for (int i = 0; i < runs && !st; i++) st = rheo_plan_run(plan, err);
        if (!st) st = rheo_finish(dev, err);
        if (k) *seconds = fmin(*seconds, (rheo_seconds() - start) / runs);      /* the first one compiles */
    }
    rheo_plan_destroy(plan);
    rheo_graph_destroy(g);
    rheo_state_destroy(s);
    return st;
}

rheo_status bench_peak_of(rheo_device *dev, bench_peak *out, rheo_error *err)
{
    double copy = 0, launch = 0;
    out->gflops = 0;
    rheo_status st = bench_peak_again(dev, &out->gflops, err);
    if (!st) st = scaling(dev, COPY_FLOATS, 1, &copy, err);
    if (!st) st = scaling(dev, 1, LAUNCHES, &launch, err);
    out->gbytes = 8.0 * COPY_FLOATS / copy * 1e-9;
    out->launch_us = launch * 1e6;
    return st;
}

int bench_run_peak(int argc, char **argv)
{
    const char *device = NULL;
    bool json = false;
    const tool_option options[] = {
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = { .command = "peak", .options = options, .summary = "What the device reaches at most: multiply-adds, memory, launches." };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_device *dev = NULL;
    bench_peak p = { 0 };
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    rheo_status st = rheo_device_open(device, &dev, &err);
    if (!st) st = bench_peak_of(dev, &p, &err);
    if (st) {
        code = bench_failed("peak", &err);
    } else if (json) {
        cJSON *o = cJSON_CreateObject();
        bench_add_device(o, dev);
        cJSON_AddNumberToObject(o, "gflops", p.gflops);
        cJSON_AddNumberToObject(o, "gbytes", p.gbytes);
        cJSON_AddNumberToObject(o, "launch_us", p.launch_us);
        code = bench_print_json(o);
    } else {
        bench_print_device(dev);
        printf("multiply-adds  %8.1f GFLOP/s\ncopy           %8.1f GB/s read and written\nlaunch         %8.2f us\n", p.gflops, p.gbytes, p.launch_us);
    }
    rheo_device_close(dev);
    return code;
}
