#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tool_failed(const char *command, const rheo_error *err)
{
    fprintf(stderr, "rheo %s: %s\n", command, err->text[0] ? err->text : rheo_status_text(err->status));
    return TOOL_FAILED;
}

int tool_misused(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "rheo %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see rheo %s --help\n", command);
    va_end(args);
    return TOOL_USAGE;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static void print_help(const tool_usage *u)
{
    int width = 6;
    for (const tool_option *o = u->options; o && o->name; ++o) {
        const int n = (int)strlen(o->name) + (o->type == TOOL_FLAG ? 2 : 3 + (int)strlen(o->value));
        width = n > width ? n : width;
    }
    printf("usage: rheo %s%s%s%s\n\n%s\n\noptions:\n", u->command, u->options && u->options->name ? " [options]" : "",
           *u->operands ? " " : "", u->operands, u->summary);
    for (const tool_option *o = u->options; o && o->name; ++o) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->type == TOOL_FLAG ? "" : " ", o->type == TOOL_FLAG ? "" : o->value);
        printf("  %-*s  %s\n", width, left, o->help);
    }
    printf("  %-*s  print this and exit\n", width, "--help");
}

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
    return tool_misused(command, "--%s: found \"%s\", expected %s from %.17g to %.17g", o->name, value, kind, o->low, o->high);
}

static int fail_unknown(const tool_usage *u, const char *typed)
{
    size_t n = 0;
    while (u->options && u->options[n].name) ++n;
    const char *near = n ? tool_nearest(typed, &u->options->name, n, sizeof *u->options) : NULL;
    if (near) return tool_misused(u->command, "unknown option --%s, perhaps --%s", typed, near);
    return tool_misused(u->command, "unknown option --%s", typed);
}

/* Handles argv[*at], an option, and moves *at past it. */
static bool parse_option(const tool_usage *u, int argc, char **argv, int *at, int *code)
{
    char name[64];
    const char *typed = argv[*at] + 2, *equals = strchr(typed, '=');
    const size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), typed);
    if (strcmp(name, "help") == 0) {
        print_help(u);
        *code = TOOL_OK;
        return false;
    }
    const tool_option *o = u->options;
    while (o && o->name && strcmp(o->name, name) != 0) ++o;
    if (!o || !o->name) {
        *code = fail_unknown(u, name);
        return false;
    }
    ++*at;
    const char *value = equals ? equals + 1 : NULL;
    if (o->type == TOOL_FLAG && value) {
        *code = tool_misused(u->command, "--%s takes no value", name);
        return false;
    }
    if (o->type != TOOL_FLAG && !value) {
        if (*at == argc) {
            *code = tool_misused(u->command, "--%s needs a value, %s", name, o->value);
            return false;
        }
        value = argv[(*at)++];
    }
    if (!store(o, value)) {
        *code = fail_value(u->command, o, value);
        return false;
    }
    return true;
}

bool tool_parse(const tool_usage *u, int *argc, char **argv, int *code)
{
    int n = 0;
    bool options = true;
    for (int k = 1; k < *argc;) {
        if (options && strcmp(argv[k], "--") == 0) {
            options = false;
            ++k;
        } else if (options && strcmp(argv[k], "-h") == 0) {
            print_help(u);
            *code = TOOL_OK;
            return false;
        } else if (options && strncmp(argv[k], "--", 2) == 0) {
            if (!parse_option(u, *argc, argv, &k, code)) return false;
        } else if (options && argv[k][0] == '-' && argv[k][1]) {
            *code = tool_misused(u->command, "unknown option %s", argv[k]);
            return false;
        } else {
            argv[n++] = argv[k++];
        }
    }
    if (n < u->min_operands || n > u->max_operands) {
        *code = n > u->max_operands ? tool_misused(u->command, "unexpected \"%s\"", argv[u->max_operands])
                                    : tool_misused(u->command, "expected %s", u->operands);
        return false;
    }
    *argc = n;
    return true;
}

/* ---- small things --------------------------------------------------------------------------------------------------- */

/* Edits (insert, delete, replace) from a to b, both shorter than 32. */
static int distance(const char *a, const char *b)
{
    int row[33];
    const int n = (int)strlen(b);
    for (int j = 0; j <= n; ++j) row[j] = j;
    for (int i = 1; a[i - 1]; ++i) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; ++j) {
            const int replace = diagonal + (a[i - 1] != b[j - 1]), other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < other ? replace : other;
        }
    }
    return row[n];
}

const char *tool_nearest(const char *typed, const char *const *names, size_t n, size_t stride)
{
    const char *best = NULL;
    const size_t length = strlen(typed);
    int best_distance = length < 3 ? 2 : 3;      /* and above is not near */
    if (length >= 32) return NULL;
    for (size_t k = 0; k < n; ++k) {
        const char *name = *(const char *const *)(const void *)((const char *)names + k * stride);
        const int d = strlen(name) < 32 ? distance(typed, name) : best_distance;
        if (d < best_distance) {
            best_distance = d;
            best = name;
        }
    }
    return best;
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
