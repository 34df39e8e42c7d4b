/* rheo tune: the fastest variant of each operation, measured. */
#include <math.h>
#include <stdio.h>

#include "tool.h"

typedef struct tally {
    int measured, changed;
} tally;

static void print(void *user, const rheo_tuned *t)
{
    tally *so_far = user;
    printf("%-72s", t->key);
    for (int k = 0; k < t->variants; ++k) {
        if (isnan(t->seconds[k]))
            printf("  %s failed", t->names[k]);
        else
            printf("  %s %.3f ms", t->names[k], 1e3 * t->seconds[k]);
    }
    printf("  -> %s%s%s\n", t->names[t->winner], *t->trouble ? "; " : "", t->trouble);
    fflush(stdout);
    so_far->measured++;
    so_far->changed += t->winner != 0;
}

int tool_tune(int argc, char **argv)
{
    rheo_train_options o;
    rheo_train_defaults(&o);
    tool_model model = TOOL_MODEL_NONE;
    long long batch = o.batch, accumulate = o.accumulate, size = 0;
    tally so_far = { 0, 0 };
    const tool_option options[] = {
        { "data", TOOL_TEXT, &o.data, "D", "fashion-mnist, toy:NAME, or a folder of images, IDX or CIFAR-10 files", 0, 0 },
        { "size", TOOL_INT, &size, "S", "images of a folder: crop the middle square, resize to S x S", 1, 8192 },
        { "device", TOOL_TEXT, &o.device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        TOOL_MODEL_OPTIONS(model),
        { "batch", TOOL_INT, &batch, "B", "images a step (times --accumulate); 32, vectors: glow 256, ncsn 128", 1, 65536 },
        { "accumulate", TOOL_INT, &accumulate, "A", "batches a step, for steps beyond memory", 1, 65536 },
        { "memory", TOOL_TEXT, &o.memory, "MODE", "of activations: store, invert, or auto", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "tune",
        .operands = "[MODEL]",
        .max_operands = 1,
        .options = options,
        .summary = "Measures which variant of each operation is fastest on the device, for the shapes of this model's training, evaluation "
                   "and sampling, and remembers the winners for later runs there. Takes the model's options as rheo train does.\v"
                   "Example: rheo tune glow --data fashion-mnist --width 512",
    };
    rheo_error err = RHEO_ERROR_INIT;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (argc == 1) o.model = argv[0];
    if (!o.data) return tool_misused("tune", "expected --data D");
    char *config = tool_model_config(&model);
    if (!config) return tool_failed("tune", &(rheo_error){ RHEO_ENOMEM, "" });
    o.model_config = config;
    o.size = (uint32_t)size;
    o.batch = batch;
    o.accumulate = accumulate;
    o.user = &so_far;
    o.stop = tool_stop_at_interrupt(NULL);
    const rheo_status st = rheo_tune(&o, print, &err);
    rheo_free(config);
    fprintf(stderr, "%d operations with a choice, %d not by default\n", so_far.measured, so_far.changed);
    return st ? tool_failed("tune", &err) : TOOL_OK;
}
