/* rheo devices: what there is to run on. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static void print_table(const rheo_device_info *d, size_t n)
{
    printf("   #  kind         memory     units  vector  name (platform, driver)\n");
    for (size_t k = 0; k < n; ++k) {
        char memory[16];
        printf("%s %zu  %-11s  %-9s  %5u  %6u  %s (%s, %s)\n", d[k].chosen ? " *" : "  ", k, d[k].kind,
               tool_bytes(d[k].global_bytes, memory), d[k].compute_units, d[k].vector_width, d[k].name, d[k].platform, d[k].driver);
    }
}

static bool add_device(cJSON *list, const rheo_device_info *d, size_t index)
{
    cJSON *o = cJSON_CreateObject();
    if (!o || !cJSON_AddItemToArray(list, o)) {
        cJSON_Delete(o);
        return false;
    }
    return cJSON_AddNumberToObject(o, "index", (double)index) && cJSON_AddStringToObject(o, "name", d->name)
        && cJSON_AddStringToObject(o, "vendor", d->vendor) && cJSON_AddStringToObject(o, "platform", d->platform)
        && cJSON_AddStringToObject(o, "driver", d->driver) && cJSON_AddStringToObject(o, "version", d->version)
        && cJSON_AddStringToObject(o, "kind", d->kind) && cJSON_AddBoolToObject(o, "software", d->software)
        && cJSON_AddBoolToObject(o, "chosen", d->chosen) && cJSON_AddNumberToObject(o, "compute_units", d->compute_units)
        && cJSON_AddNumberToObject(o, "clock_mhz", d->clock_mhz) && cJSON_AddNumberToObject(o, "vector_width", d->vector_width)
        && cJSON_AddNumberToObject(o, "global_bytes", (double)d->global_bytes)
        && cJSON_AddNumberToObject(o, "local_bytes", (double)d->local_bytes)
        && cJSON_AddNumberToObject(o, "largest_buffer_bytes", (double)d->largest_buffer_bytes);
}

static int print_json(const rheo_device_info *d, size_t n)
{
    cJSON *list = cJSON_CreateArray();
    bool ok = list != NULL;
    for (size_t k = 0; k < n && ok; ++k) ok = add_device(list, &d[k], k);
    return tool_print_json("devices", list, ok);
}

int tool_devices(int argc, char **argv)
{
    bool json = false;
    const tool_option options[] = {
        { "json", TOOL_FLAG, &json, NULL, "print a JSON array", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "devices", .options = options,
        .summary = "Lists the OpenCL devices rheo can use; * marks the one it uses when none is named. "
                   "Elsewhere a device is named by its number, a part of its name or platform, or its kind.\v"
                   "Example: rheo devices --json",
    };
    rheo_device_info *list = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    size_t n = 0;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (rheo_devices(&list, &n, &err)) return tool_failed("devices", &err);
    if (json) code = print_json(list, n);
    else if (n > 0) print_table(list, n);
    else code = tool_failed("devices", &(rheo_error){ RHEO_EDEVICE, "no OpenCL 1.2 device: install the GPU's OpenCL driver, or PoCL to use the CPU" });
    free(list);
    return code;
}
