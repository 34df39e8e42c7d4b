/* rheo plan: what memory and time training would take, before anything is trained. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "tool.h"

#define CHORES 1.08     /* validation and pictures take 7 % at most, saves of usual models less than 1 */

static uint64_t total(const rheo_forecast_memory *m) { return m->activations + m->variables + m->beside; }

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static const char *time_text(double seconds, char text[24])
{
    if (seconds < 120) snprintf(text, 24, "%.3g s", seconds);
    else if (seconds < 7200) snprintf(text, 24, "%.3g minutes", seconds / 60);
    else snprintf(text, 24, "%.3g hours", seconds / 3600);
    return text;
}

static void print_memory(const rheo_forecast *f)
{
    char a[16], b[16], c[16], all[16];
    printf("memory             %-12s %-12s %-12s in all\n", "activations", "variables", "beside");
    for (int k = 0; k < f->modes; ++k) {
        const rheo_forecast_memory *m = &f->mode[k];
        if (!total(m)) {
            printf("  %-16s a tensor exceeds the device's largest buffer\n", m->memory);
            continue;
        }
        printf("  %-16s %-12s %-12s %-12s %s%s%s\n", m->memory, tool_bytes(m->activations, a), tool_bytes(m->variables, b),
               tool_bytes(m->beside, c), tool_bytes(total(m), all), m->fits ? "" : ", does not fit",
               f->modes > 1 && k == f->chosen ? ", what --memory auto takes" : "");
    }
}

static void print_time(const rheo_forecast *f, double steps)
{
    char a[24], b[24], c[24];
    printf("a step             %lld images%s\n", (long long)(f->batch * f->accumulate), f->accumulate > 1 ? ", accumulated" : "");
    for (int k = 0; k < f->modes; ++k) {
        const rheo_forecast_memory *m = &f->mode[k];
        if (isnan(m->seconds)) continue;
        printf("  %-16s %s, of %u steps nine tenths took %s to %s\n", m->memory, time_text(m->seconds, a), m->steps, time_text(m->low, b),
               time_text(m->high, c));
    }
    printf("training           %.0f steps, %.3g epochs of %llu\n", steps, steps * (double)(f->batch * f->accumulate) / (double)f->images,
           (unsigned long long)f->images);
    for (int k = 0; k < f->modes; ++k) {
        const rheo_forecast_memory *m = &f->mode[k];
        if (isnan(m->seconds)) continue;
        printf("  %-16s %s, between %s and %s if the machine stays as it is; the latter with validation and saves\n", m->memory,
               time_text(steps * m->seconds, a), time_text(steps * m->low, b), time_text(steps * m->high * CHORES, c));
    }
}

static cJSON *mode_json(const rheo_forecast *f, int k, double steps)
{
    const rheo_forecast_memory *m = &f->mode[k];
    cJSON *o = cJSON_CreateObject();
    bool ok = o && cJSON_AddStringToObject(o, "memory", m->memory) && cJSON_AddBoolToObject(o, "fits", m->fits) &&
              cJSON_AddBoolToObject(o, "auto", k == f->chosen);
    ok = ok && cJSON_AddNumberToObject(o, "activations", (double)m->activations) &&
         cJSON_AddNumberToObject(o, "variables", (double)m->variables) && cJSON_AddNumberToObject(o, "beside", (double)m->beside) &&
         cJSON_AddNumberToObject(o, "bytes", (double)total(m));
    /* NaN is written as null. */
    ok = ok && cJSON_AddNumberToObject(o, "seconds", m->seconds) && cJSON_AddNumberToObject(o, "seconds_low", m->low) &&
         cJSON_AddNumberToObject(o, "seconds_high", m->high) && cJSON_AddNumberToObject(o, "steps_measured", m->steps);
    ok = ok && cJSON_AddNumberToObject(o, "hours", steps * m->seconds / 3600) &&
         cJSON_AddNumberToObject(o, "hours_low", steps * m->low / 3600) && cJSON_AddNumberToObject(o, "hours_high", steps * m->high * CHORES / 3600);
    if (ok) return o;
    cJSON_Delete(o);
    return NULL;
}

static int print_json(const rheo_forecast *f, double steps)
{
    cJSON *o = cJSON_CreateObject();
    bool ok = o && cJSON_AddStringToObject(o, "device", f->device) && cJSON_AddNumberToObject(o, "device_bytes", (double)f->device_bytes) &&
              cJSON_AddNumberToObject(o, "parameters", (double)f->parameters) && cJSON_AddNumberToObject(o, "images", (double)f->images) &&
              cJSON_AddNumberToObject(o, "batch", (double)f->batch) && cJSON_AddNumberToObject(o, "accumulate", (double)f->accumulate) &&
              cJSON_AddNumberToObject(o, "steps", steps);
    cJSON *modes = ok ? cJSON_AddArrayToObject(o, "modes") : NULL;
    ok = modes != NULL;
    for (int k = 0; k < f->modes && ok; ++k) {
        cJSON *mode = mode_json(f, k, steps);
        ok = mode && cJSON_AddItemToArray(modes, mode);
    }
    return tool_print_json("plan", o, ok);
}

/* ---- options -------------------------------------------------------------------------------------------------------- */

int tool_plan(int argc, char **argv)
{
    rheo_train_options o;
    rheo_train_defaults(&o);
    tool_model model = TOOL_MODEL_NONE;
    long long batch = o.batch, accumulate = o.accumulate, size = 0, iterations = 0, images = 0;
    double epochs = 0, seconds = 3;
    bool json = false;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &o.data, "D", "fashion-mnist, toy:NAME, or a folder of images, IDX or CIFAR-10 files", 0, 0 },
        { "columns", TOOL_TEXT, &o.columns, "A,B", "of a table: names, or numbers from 1; all unless given", 0, 0 },
        { "size", TOOL_INT, &size, "S", "images of a folder: crop the middle square, resize to S x S", 1, 8192 },
        { "epochs", TOOL_NUMBER, &epochs, "E", "time for so many passes over the training data; 1", 1e-9, 1e9 },
        { "images", TOOL_INT, &images, "N", "time for so many images", 1, 1e15 },
        { "iters", TOOL_INT, &iterations, "N", "time for so many steps", 1, 4e9 },
        { "device", TOOL_TEXT, &o.device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        TOOL_MODEL_OPTIONS(model),
        { "auto", TOOL_FLAG, &model.choose, NULL, "ncsn: sigma-begin, levels and epsilon, where not given, from the data", 0, 0 },
        { "batch", TOOL_INT, &batch, "B", "images a step (times --accumulate); 32, vectors: glow 256, ncsn 128", 1, 65536 },
        { "accumulate", TOOL_INT, &accumulate, "A", "batches a step, for steps beyond memory", 1, 65536 },
        { "memory", TOOL_TEXT, &o.memory, "MODE", "of activations: time for store or invert only; auto: for both", 0, 0 },
        { "winograd", TOOL_TEXT, &o.winograd, "F", "as of rheo train: f23 or f43", 0, 0 },
        { "seconds", TOOL_NUMBER, &seconds, "S", "of steps measured for each; 3, and at least three steps", 0, 1e6 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "plan", .operands = "MODEL", .min_operands = 1, .max_operands = 1, .options = options,
        .summary = "Says how many parameters a model (glow or ncsn) has, what memory its training takes with activations stored or rebuilt, and "
                   "how long it takes on this device, from a few steps that are run and forgotten. Takes the model's options as rheo train "
                   "does. How good the model will be by then it does not know.\v"
                   "Example: rheo plan glow --data fashion-mnist --depth 32 --epochs 20",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_forecast f;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!o.data) return tool_misused("plan", "expected --data D");
    if ((epochs > 0) + (images > 0) + (iterations > 0) > 1) return tool_misused("plan", "only one of --epochs, --images and --iters");
    char *config = tool_model_config(&model);
    o.model = argv[0];
    o.model_config = config;
    o.size = (uint32_t)size;
    o.batch = batch;
    o.accumulate = accumulate;
    const rheo_status st = config ? rheo_train_forecast(&o, seconds, &f, &err) : RHEO_ENOMEM;
    rheo_free(config);
    if (st) return tool_failed("plan", &err);
    const double wanted = images ? (double)images : (epochs > 0 ? epochs : 1) * (double)f.images;
    const double steps = iterations ? (double)iterations : ceil(wanted / (double)(f.batch * f.accumulate));
    if (json) return print_json(&f, steps);
    char memory[16];
    printf("model              %s, %llu parameters, of %u x %u x %u\ndevice             %s, %s\n", o.model, (unsigned long long)f.parameters,
           f.h, f.w, f.c, f.device, tool_bytes(f.device_bytes, memory));
    print_memory(&f);
    print_time(&f, steps);
    return TOOL_OK;
}
