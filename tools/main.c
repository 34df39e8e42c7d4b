/* rheo COMMAND ...: finds the subcommand and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

const char *const tool_program = "rheo";

static const tool_command commands[] = {
    { "train", "train a model, or go on with a run", tool_train },
    { "eval", "measure how well a model describes data", tool_eval },
    { "sample", "draw samples from a model", tool_sample },
    { "score", "give the likelihood of each image under a flow", tool_score },
    { "encode", "write the codes (whitened latents) of images under a flow", tool_encode },
    { "decode", "turn codes back into images", tool_decode },
    { "edit", "move images along an attribute under a flow", tool_edit },
    { "inpaint", "complete an image by a score model", tool_inpaint },
    { "interpolate", "turn one image into another", tool_interpolate },
    { "plan", "say what memory and time training would take", tool_plan },
    { "tune", "measure which variants are fastest for a model on a device", tool_tune },
    { "doctor", "find out whether rheo is right on a device", tool_doctor },
    { "quality", "measure how near samples are to data", tool_quality },
    { "toy", "repeat the published experiments in two dimensions", tool_toy },
    { "data", "say what a data set was understood as", tool_data },
    { "plot", "draw how a run went", tool_plot },
    { "report", "write a page about a run", tool_report },
    { "info", "say what a checkpoint is", tool_info },
    { "devices", "list the OpenCL devices", tool_devices },
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *to)
{
    fprintf(to, "usage: rheo COMMAND [options] ...\n\nNormalizing flows and score models on any OpenCL device.\n\ncommands:\n");
    for (int k = 0; k < N_COMMANDS; ++k) fprintf(to, "  %-12s %s\n", commands[k].name, commands[k].help);
    fprintf(to, "\nrheo COMMAND --help tells more; rheo --version names this one.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return TOOL_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("rheo %s\n", rheo_version());
        return TOOL_OK;
    }
    if (!*name) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    for (int k = 0; k < N_COMMANDS; ++k) {
        if (strcmp(commands[k].name, name) != 0) continue;
        signal(SIGXFSZ, SIG_IGN);       /* a file grown too large is an error like a full disk */
        tool_bind_pocl();
        const int code = commands[k].run(argc - 1, argv + 1);
        if ((fflush(stdout) != 0 || ferror(stdout)) && code == TOOL_OK) {
            fprintf(stderr, "rheo %s: standard output cannot be written\n", name);
            return TOOL_FAILED;
        }
        return code;
    }
    const char *names[N_COMMANDS + 1] = { NULL };
    for (int k = 0; k < N_COMMANDS; ++k) names[k] = commands[k].name;
    const char *near = rheo_nearest_word(name, names);
    fprintf(stderr, "rheo: unknown command \"%s\"%s%s; see rheo --help\n", name, near ? ", did you mean " : "", near ? near : "");
    return TOOL_USAGE;
}
