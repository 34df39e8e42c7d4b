/* Every command explains itself, and its example is one that it takes. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include "process.h"
#include <rheo/rheo.h>
#include "scratch.h"

enum { MOST = 64 };

/* What the command prints; valid until the next call. */
static char *output_of(scratch *s, process *c, int want)
{
    static char text[1 << 16];
    c->output = scratch_file(s, "output");
    const int code = process_run(c);
    process_output(c, text, sizeof text);
    cr_assert_eq(code, want, "exit %d, expected %d: %s", code, want, text);
    return text;
}

static int names_of_commands(scratch *s, char names[MOST][32])
{
    int n = 0;
    char *line = strstr(output_of(s, &(process){ .args = { "--help" } }, 0), "commands:\n");
    cr_assert(line);
    for (line = strchr(line, '\n') + 1; n < MOST && sscanf(line, "  %31s", names[n]) == 1 && line[0] == ' '; n++) line = strchr(line, '\n') + 1;
    return n;
}

/* The words of the example, to the end of the help: where it is wrapped, the line goes on. Up to `most`; NULL behind the last. */
static int words_of(char *example, const char **words, int most)
{
    int n = 0;
    for (char *w = strtok(example, " \n"); w && n < most - 1; w = strtok(NULL, " \n")) words[n++] = w;
    words[n] = NULL;
    return n;
}

/* Options are parsed in turn, so a --help behind the example is reached where all of it was understood. */
static void try_example(scratch *s, const char *name)
{
    process c = { .args = { name, "--help" } };
    const char *words[PROCESS_ARGS - 1];
    char *help = strdup(output_of(s, &c, 0)), *example = strstr(help, "Example: rheo ");
    cr_assert(example, "%s: no example in its help", name);
    const int n = words_of(example + strlen("Example: rheo "), words, PROCESS_ARGS - 1);
    cr_assert_str_eq(words[0], name, "%s: the example is another command's", name);
    process again = { .args = { NULL } };
    memcpy(again.args, words, (size_t)n * sizeof *words);
    again.args[n] = "--help";
    cr_assert(strstr(output_of(s, &again, 0), "Usage: rheo"), "%s: its example", name);
    free(help);
}

Test(help, every_command_has_an_example)
{
    scratch s = scratch_make();
    char names[MOST][32];
    const int n = names_of_commands(&s, names);
    cr_assert(n > 15 && n < MOST, "%d commands", n);
    for (int k = 0; k < n; k++) try_example(&s, names[k]);
    scratch_remove(&s);
}

Test(help, the_version)
{
    scratch s = scratch_make();
    char line[64];
    snprintf(line, sizeof line, "rheo %s\n", rheo_version());
    cr_assert_str_eq(output_of(&s, &(process){ .args = { "--version" } }, 0), line);
    scratch_remove(&s);
}

/* The first test would see an example that is not understood. */
Test(help, an_unknown_option_is_refused_before_the_help)
{
    scratch s = scratch_make();
    output_of(&s, &(process){ .args = { "sample", "runs/demo", "--nn", "16", "--help" } }, 2);
    output_of(&s, &(process){ .args = { "sample", "runs/demo", "--n", "many", "--help" } }, 2);
    scratch_remove(&s);
}
