/* rheo tune: the fastest variant of each operation, measured in a process of its own (tune_child.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tune_child.h"

int tool_tune(int argc, char **argv)
{
    const bool child = argc > 1 && !strcmp(argv[1], TOOL_CHILD);
    rheo_train_options o;
    rheo_train_defaults(&o);
    tool_model model = TOOL_MODEL_NONE;
    long long batch = o.batch, accumulate = o.accumulate, size = 0;
    double limit = 60;
    const tool_option options[] = {
        { "data", TOOL_TEXT, &o.data, "D", "fashion-mnist, toy:NAME, a folder of images, IDX or CIFAR-10 files, or a table, .csv or .npy", 0, 0 },
        { "columns", TOOL_TEXT, &o.columns, "A,B", "of a table: names, or numbers from 1; all unless given", 0, 0 },
        { "size", TOOL_INT, &size, "S", "images of a folder: crop the middle square, resize to S x S", 1, 8192 },
        { "device", TOOL_TEXT, &o.device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        TOOL_MODEL_OPTIONS(model),
        { "batch", TOOL_INT, &batch, "B", "images a step (times --accumulate); 32, vectors: glow 256, ncsn 128", 1, 65536 },
        { "accumulate", TOOL_INT, &accumulate, "A", "batches a step, for steps beyond memory", 1, 65536 },
        { "memory", TOOL_TEXT, &o.memory, "MODE", "of activations: store, invert, or auto", 0, 0 },
        { "limit", TOOL_NUMBER, &limit, "S", "seconds a variant may take beyond 4 times the default's, compiling included; 60", 0.1, 1e6 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "tune",
        .operands = "[MODEL]",
        .max_operands = 1,
        .options = options,
        .summary = "Measures which variant of each operation is fastest on the device, for the shapes of this model's training, evaluation "
                   "and sampling, and remembers the winners for later runs there. Takes the model's options as rheo train does. A variant that is "
                   "wrong, crashes, or takes too long (--limit) is not used.\v"
                   "Example: rheo tune glow --data fashion-mnist --width 512",
    };
    int code = TOOL_OK;
    char **argv_of_child = child ? NULL : tool_child_argv(argc, argv, 0);
    if (child) {
        argc--;
        argv++;
    } else if (!argv_of_child) {
        return tool_failed("tune", &(rheo_error){ RHEO_ENOMEM, "" });
    }
    char *config = NULL;
    if (!tool_parse(&usage, &argc, argv, &code)) goto done;
    if (!o.data) {
        code = tool_misused("tune", "expected --data D");
    } else if (!child) {
        code = tune_supervise(argv_of_child, limit);
    } else if (!(config = tool_model_config(&model))) {
        code = tool_failed("tune", &(rheo_error){ RHEO_ENOMEM, "" });
    } else {
        if (argc == 1) o.model = argv[0];
        o.model_config = config;
        o.size = (uint32_t)size;
        o.batch = batch;
        o.accumulate = accumulate;
        code = tune_measure(&o);
    }
done:
    rheo_free(config);
    free(argv_of_child);
    return code;
}
