/* rheo-bench programs: what a device of some kind would compile, for compilers whose devices are not here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench.h"
#include "tool.h"

static rheo_status write_text(const char *folder, const char *name, const char *suffix, const char *text, rheo_error *err)
{
    char file[64];
    snprintf(file, sizeof file, "%s.%s", name, suffix);
    char *path = rheo_path_join(folder, file);
    const rheo_status st = path ? rheo_file_write(path, text, strlen(text), err) : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    free(path);
    return st;
}

static rheo_status write_programs(const rheo_device_facts *f, const char *folder, rheo_error *err)
{
    char options[RHEO_OPTIONS_TEXT];
    rheo_program_options(f, options);
    rheo_status st = rheo_folder_make(folder, err);
    for (int k = 0; !st && rheo_program_name(k); k++) {
        const char *name = rheo_program_name(k);
        char *text = NULL;
        st = rheo_program_source(name, &text, err);
        if (!st) st = write_text(folder, name, "cl", text, err);
        if (!st) st = write_text(folder, name, "options", options, err);
        if (!st) printf("%s.cl %s\n", name, options);
        free(text);
    }
    return st;
}

int bench_run_programs(int argc, char **argv)
{
    const char *kind = "simt", *out = NULL;
    long long width = 8, group = 256;
    const tool_option options[] = {
        { "class", TOOL_TEXT, &kind, "CLASS", "simt (unless given) or cpu", 0, 0 },
        { "vector", TOOL_INT, &width, "W", "floats in a CPU's vector: 4, 8 or 16", 4, 16 },
        { "group", TOOL_INT, &group, "G", "work-items that a SIMT device allows in a group", 64, 65536 },
        { "out", TOOL_TEXT, &out, "DIR", "the folder to write NAME.cl and NAME.options to", 0, 0 },
        { 0 },
    };
    const tool_usage usage = { .command = "programs", .options = options,
                               .summary = "Writes the OpenCL programs of the library and the options they are built with, one of each a program, "
                                          "as a device of that class would get them.\v"
                                          "Example: rheo-bench programs --class simt --out programs" };
    rheo_error err = RHEO_ERROR_INIT;
    int code = BENCH_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    const bool cpu = !strcmp(kind, "cpu");
    if (!cpu && strcmp(kind, "simt")) return tool_misused("programs", "--class: found '%.40s', expected simt or cpu", kind);
    if (width & (width - 1)) return tool_misused("programs", "--vector: found %lld, expected 4, 8 or 16", width);
    if (!out) return tool_misused("programs", "--out is missing");
    rheo_device_facts facts = { .kind = cpu ? RHEO_CPU : RHEO_GPU, .vector_width = cpu ? (unsigned)width : 1, .fast_fma = true,
                                .max_group = (size_t)group };
    facts.group = rheo_group_of(&facts);
    return write_programs(&facts, out, &err) ? bench_failed("programs", &err) : BENCH_OK;
}
