/* rheo-bench COMMAND ...: finds the subcommand and runs it. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "tool.h"

const char *const tool_program = "rheo-bench";

static const struct { const char *name, *help; int (*run)(int argc, char **argv); } commands[] = {
    { "peak", "what the device reaches at most", bench_run_peak },
    { "ops", "each operation of a phase of a model: right, and how fast", bench_run_ops },
    { "model", "a phase of a model: training, evaluation or sampling", bench_run_model },
    { "compare", "what changed between two reports", bench_run_compare },
    { "programs", "what a device of some kind would compile", bench_run_programs },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

void bench_name_device(const rheo_device *dev, char text[BENCH_DEVICE_TEXT])
{
    const rheo_device_facts *f = rheo_device_facts_of(dev);
    snprintf(text, BENCH_DEVICE_TEXT, "%s, %s, driver %s, %u units at %u MHz; rheo %s%s%s", f->name, f->platform, f->driver, f->compute_units,
             f->clock_mhz, rheo_version(), *BENCH_COMMIT ? ", commit " : "", BENCH_COMMIT);
}

void bench_print_device(const rheo_device *dev)
{
    char text[BENCH_DEVICE_TEXT];
    bench_name_device(dev, text);
    printf("%s\n\n", text);
}

bool bench_add_device(cJSON *to, const rheo_device *dev)
{
    const rheo_device_facts *f = rheo_device_facts_of(dev);
    return cJSON_AddStringToObject(to, "device", f->name) && cJSON_AddStringToObject(to, "platform", f->platform) &&
           cJSON_AddStringToObject(to, "driver", f->driver) && cJSON_AddNumberToObject(to, "compute_units", f->compute_units) &&
           cJSON_AddNumberToObject(to, "clock_mhz", f->clock_mhz) && cJSON_AddStringToObject(to, "rheo", rheo_version()) &&
           cJSON_AddStringToObject(to, "commit", BENCH_COMMIT);
}

int bench_failed(const char *command, const rheo_error *err)
{
    fprintf(stderr, "rheo-bench %s: %s\n", command, err->text[0] ? err->text : rheo_status_text(err->status));
    return BENCH_FAILED;
}

int bench_print_json(cJSON *json)
{
    char *text = cJSON_Print(json);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
    return text ? BENCH_OK : BENCH_FAILED;
}

int main(int argc, char **argv)
{
    tool_bind_pocl();        /* as the command does */
    for (int k = 0; k < COMMANDS && argc > 1; k++)
        if (!strcmp(argv[1], commands[k].name)) return commands[k].run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "--version")) return printf("rheo-bench %s\n", rheo_version()) < 0 ? BENCH_FAILED : BENCH_OK;
    const bool asked = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    FILE *to = asked ? stdout : stderr;
    if (argc > 1 && !asked) {
        fprintf(to, "rheo-bench: unknown command \"%s\"; see rheo-bench --help\n", argv[1]);
        return BENCH_USAGE;
    }
    fprintf(to, "usage: rheo-bench COMMAND [options] ...\n\ncommands:\n");
    for (int k = 0; k < COMMANDS; k++) fprintf(to, "  %-8s %s\n", commands[k].name, commands[k].help);
    return asked ? BENCH_OK : BENCH_USAGE;
}
