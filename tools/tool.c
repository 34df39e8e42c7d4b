#include "tool.h"

#include <argp.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tool_failed(const char *command, const rheo_error *err)
{
    fprintf(stderr, "%s %s: %s\n", tool_program, command, err->text[0] ? err->text : rheo_status_text(err->status));
    return TOOL_FAILED;
}

int tool_misused(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s %s: ", tool_program, command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see %s %s --help\n", tool_program, command);
    va_end(args);
    return TOOL_USAGE;
}

int tool_print_json(const char *command, cJSON *json, bool ok)
{
    char *text = ok ? cJSON_Print(json) : NULL;
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
    return text ? TOOL_OK : tool_failed(command, &(rheo_error){ RHEO_ENOMEM, "" });
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static bool within(const tool_option *o, double x)
{
    return (o->low == 0 && o->high == 0) || (x >= o->low && x <= o->high);
}

static bool store(const tool_option *o, const char *value)
{
    char *end = NULL;
    errno = 0;
    switch (o->type) {
    case TOOL_FLAG:
        *(bool *)o->to = true;
        return true;
    case TOOL_TEXT:
        *(const char **)o->to = value;
        return true;
    case TOOL_INT: {
        const long long x = strtoll(value, &end, 10);
        if (end == value || *end || errno || !within(o, (double)x)) return false;
        *(long long *)o->to = x;
        return true;
    }
    case TOOL_NUMBER: {
        const double x = strtod(value, &end);
        if (end == value || *end || !isfinite(x) || !within(o, x)) return false;
        *(double *)o->to = x;
        return true;
    }
    }
    return false;
}

static int fail_value(const char *command, const tool_option *o, const char *value)
{
    const char *kind = o->type == TOOL_INT ? "a whole number" : "a number";
    if (o->low == 0 && o->high == 0) return tool_misused(command, "--%s: found \"%s\", expected %s", o->name, value, kind);
    return tool_misused(command, "--%s: found \"%s\", expected %s from %.15g to %.15g", o->name, value, kind, o->low, o->high);
}

typedef struct reading {
    const tool_usage *usage;
    int code;                /* the exit code, should argp_parse fail */
} reading;

enum { KEY_HELP = 'h', KEY_FIRST = 256 };    /* option k of the table has key KEY_FIRST + k, which is no character */

static error_t parse(int key, char *value, struct argp_state *state)
{
    reading *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->err_stream = NULL;            /* no "Try --help" after getopt's line */
        return 0;
    case KEY_HELP:
        argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
        r->code = TOOL_OK;
        return ECANCELED;
    }
    if (key < KEY_FIRST || key >= ARGP_KEY_END) return ARGP_ERR_UNKNOWN;
    const tool_option *o = &r->usage->options[key - KEY_FIRST];
    if (r->usage->given) *r->usage->given |= (uint64_t)1 << (key - KEY_FIRST);
    if (store(o, value)) return 0;
    r->code = fail_value(r->usage->command, o, value);
    return EINVAL;
}

/* A word "--name" or "--name=value" as the table has it: whole, or the beginning of some option, of which getopt decides. */
static const tool_option *find(const tool_usage *u, const char *word, size_t length)
{
    static const tool_option help = { "help", TOOL_FLAG, NULL, NULL, NULL, 0, 0 };
    const tool_option *found = strncmp(help.name, word, length) ? NULL : &help;
    for (const tool_option *o = u->options; o->name; ++o) {
        if (strncmp(o->name, word, length)) continue;
        if (!o->name[length]) return o;
        found = o;
    }
    return found;
}

/* getopt names an option that there is not, and no other; here the nearest one is named too. */
static bool check_names(const tool_usage *u, int n_options, int argc, char **argv)
{
    const char *names[n_options + 2];
    for (int k = 0; k < n_options; ++k) names[k] = u->options[k].name;
    names[n_options] = "help";
    names[n_options + 1] = NULL;
    for (int k = 1; k < argc && strcmp(argv[k], "--"); ++k) {
        if (strncmp(argv[k], "--", 2)) continue;
        char word[32];
        const char *name = argv[k] + 2;
        const size_t length = strcspn(name, "=");
        const tool_option *o = find(u, name, length);
        if (o) {
            k += o->type != TOOL_FLAG && !name[length];      /* its value may begin with anything */
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : 0), name);
        const char *near = rheo_nearest_word(word, names);
        tool_misused(u->command, "unknown option \"--%.*s\"%s%s", length < 200 ? (int)length : 200, name, near ? ", did you mean --" : "",
                     near ? near : "");
        return false;
    }
    return true;
}

bool tool_parse(const tool_usage *u, int *argc, char **argv, int *code)
{
    reading r = { u, TOOL_USAGE };
    char name[32], *command = argv[0];
    int first = 0, n = 0;
    while (u->options[n].name) ++n;
    if (!check_names(u, n, *argc, argv)) {
        *code = TOOL_USAGE;
        return false;
    }
    struct argp_option *options = calloc((size_t)n + 2, sizeof *options);
    if (!options) {
        *code = tool_failed(u->command, &(rheo_error){ RHEO_ENOMEM, "" });
        return false;
    }
    for (int k = 0; k < n; ++k) {            /* a group each keeps the order of the table */
        const tool_option *o = &u->options[k];
        options[k] = (struct argp_option){ o->name, KEY_FIRST + k, o->value, 0, o->help, k + 1 };
    }
    options[n] = (struct argp_option){ "help", KEY_HELP, NULL, 0, "print this and exit", n + 1 };
    const struct argp argp = { .options = options, .parser = parse, .args_doc = u->operands, .doc = u->summary };
    snprintf(name, sizeof name, "%s %s", tool_program, u->command);
    argv[0] = name;                          /* begins the usage and getopt's messages */
    const error_t failed = argp_parse(&argp, *argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, &first, &r);
    argv[0] = command;
    free(options);
    if (failed) {
        *code = failed == ENOMEM ? tool_failed(u->command, &(rheo_error){ RHEO_ENOMEM, "" }) : r.code;
        return false;
    }
    n = *argc - first;                       /* the operands were moved to the end */
    if (n < u->min_operands || n > u->max_operands) {
        *code = n > u->max_operands ? tool_misused(u->command, "unexpected \"%s\"", argv[first + u->max_operands])
                                    : tool_misused(u->command, "expected %s", u->operands);
        return false;
    }
    memmove(argv, argv + first, (size_t)n * sizeof *argv);
    *argc = n;
    return true;
}

const char *tool_given(const tool_usage *u, const char *const *names, bool among)
{
    const char *found = NULL;
    for (int k = 0; u->options[k].name; ++k) {
        bool listed = false;
        for (int i = 0; names[i] && !listed; ++i) listed = !strcmp(names[i], u->options[k].name);
        if (*u->given >> k & 1 && listed == among) found = u->options[k].name;
    }
    return found;
}

/* ---- work that takes long ------------------------------------------------------------------------------------------- */

static volatile int stop;
static const char *volatile stop_text;

static void on_interrupt(int signal_number)
{
    stop = 1;
    signal(signal_number, SIG_DFL);
    if (stop_text) (void)!write(STDERR_FILENO, stop_text, strlen(stop_text));
}

const volatile int *tool_stop_at_interrupt(const char *text)
{
    stop_text = text;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    return &stop;
}

tool_progress tool_progress_start(void) { return (tool_progress){ .terminal = isatty(STDERR_FILENO) != 0 }; }

bool tool_progress_due(tool_progress *p, double seconds)
{
    if (!p->terminal && seconds - p->last < 5) return false;
    p->last = seconds;
    return true;
}

void tool_progress_line(tool_progress *p, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (p->terminal)
        fprintf(stderr, "\r%-*s", p->width, line);
    else
        fprintf(stderr, "%s\n", line);
    p->width = n;
    fflush(stderr);
}

void tool_progress_keep(tool_progress *p, const char *text)
{
    if (p->terminal && p->width) fprintf(stderr, "\r%*s\r", p->width, "");
    fprintf(stderr, "%s\n", text);
    p->width = 0;
}

void tool_progress_end(tool_progress *p)
{
    if (p->terminal && p->width) fputc('\n', stderr);
    p->width = 0;
}

/* ---- checkpoints ---------------------------------------------------------------------------------------------------- */

rheo_status tool_open_checkpoint(const char *path, const char *device, const char *weights, rheo_checkpoint **out, rheo_error *err)
{
    const rheo_status st = rheo_checkpoint_open(path, device, weights, out, err);
    if (!st && *rheo_checkpoint_remarks(*out)) fprintf(stderr, "%s\n", rheo_checkpoint_remarks(*out));
    return st;
}

/* ---- small things --------------------------------------------------------------------------------------------------- */

bool tool_ends_in(const char *text, const char *ending)
{
    const size_t n = strlen(text), m = strlen(ending);
    return n > m && !strcmp(text + n - m, ending);
}

bool tool_can_write(const char *command, const char *out, int *code)
{
    if (!out) {
        *code = tool_misused(command, "expected --out FILE");
        return false;
    }
    static const char *const others[] = { ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".svg", ".pdf" };
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (tool_ends_in(out, others[k])) {
            *code = tool_misused(command, "%.200s: pictures are written as .png", out);
            return false;
        }
    const char *slash = strrchr(out, '/');
    char *folder = slash ? strndup(out, slash == out ? 1 : (size_t)(slash - out)) : strdup(".");
    struct stat s;
    const bool device = !stat(out, &s) && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);      /* written to as it is: /dev/stdout */
    const bool ok = folder && (device ? !access(out, W_OK) : !access(folder, W_OK | X_OK));
    if (!ok) {
        rheo_error err = { RHEO_EFILE, "" };
        snprintf(err.text, sizeof err.text, "%s: cannot be written: %s", out, strerror(errno));
        *code = tool_failed(command, &err);
    }
    free(folder);
    return ok;
}

const char *tool_bytes(uint64_t bytes, char text[16])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double x = (double)bytes;
    int k = 0;
    while (x >= 1024 && k < 4) {
        x /= 1024;
        ++k;
    }
    snprintf(text, 16, x < 10 && k > 0 ? "%.1f %s" : "%.0f %s", x, units[k]);
    return text;
}
