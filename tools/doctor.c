/* rheo doctor: is rheo right on a device? */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* One device, checked by children. Where `list` is not NULL the JSON object goes there. */
static int check_device(char **argv, double limit, cJSON *list)
{
    doctor_record r = { .started = false };
    int code = TOOL_OK;
    doctor_supervise(argv, limit, &r);
    for (int k = 0; k < r.count; k++)
        if (doctor_is_bad(&r.list[k])) code = TOOL_FAILED;
    const bool any = r.count || !r.err.status;
    if (any && !list) {
        doctor_print(&r);
    } else if (any) {
        cJSON *o = doctor_json(&r);
        if (!o || !cJSON_AddItemToArray(list, o)) r.err.status = RHEO_ENOMEM;
    }
    if (r.err.status) code = tool_failed("doctor", &r.err);
    free(r.list);
    return code;
}

/* Each there is. */
static int check_all(char **argv, int argc, double limit, cJSON *list)
{
    static char option[] = "--device";
    rheo_device_info *devices = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    size_t n = 0;
    int code = TOOL_OK;
    if (rheo_devices(&devices, &n, &err)) return tool_failed("doctor", &err);
    if (!n) code = tool_failed("doctor", &(rheo_error){ RHEO_EDEVICE, "no OpenCL 1.2 device" });
    for (size_t k = 0; k < n; k++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", k);
        argv[argc] = option;    /* behind the one that says "all" */
        argv[argc + 1] = index;
        if (k && !list) printf("\n");
        if (check_device(argv, limit, list)) code = TOOL_FAILED;
    }
    rheo_free(devices);
    return code;
}

int tool_doctor(int argc, char **argv)
{
    const bool child = argc > 1 && !strcmp(argv[1], TOOL_CHILD);
    rheo_doctor_options o = { .device = NULL };
    bool json = false, quick = false;
    double limit = 120;
    const tool_option options[] = {
        { "device", TOOL_TEXT, &o.device, "DEV", "number, part of a name, or kind: see rheo devices; or all", 0, 0 },
        { "op", TOOL_TEXT, &o.op, "OP", "only this operation, as a report names it", 0, 0 },
        { "quick", TOOL_FLAG, &quick, NULL, "small samples only; switches nothing on again", 0, 0 },
        { "limit", TOOL_NUMBER, &limit, "S", "seconds that a check may take, compiling included; 120", 0.1, 1e6 },
        { "json", TOOL_FLAG, &json, NULL, "print a JSON object, or an array of them for all", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "doctor",
        .options = options,
        .summary = "Checks a device: builds all programs, compares each operation in each variant with its reference in double, gradients, "
                   "random numbers, buffers, and training of two tiny models. What is wrong, crashes or hangs is named, in words fit for a "
                   "bug report; a variant of an operation is then switched off for that device and driver, until it is found right again. "
                   "Exits with 1 where something is wrong.\v"
                   "Example: rheo doctor --quick",
    };
    int code = TOOL_OK, argc_of_child = argc + 2;
    char **argv_of_child = child ? NULL : tool_child_argv(argc, argv, 2);
    if (child) {
        argc--;
        argv++;
    } else if (!argv_of_child) {
        return tool_failed("doctor", &(rheo_error){ RHEO_ENOMEM, "" });
    }
    cJSON *list = NULL;
    if (!tool_parse(&usage, &argc, argv, &code)) goto done;
    o.quick = quick;
    const bool all = o.device && !strcmp(o.device, "all");
    if (child) {
        code = doctor_check(&o);
    } else if (json && !(list = cJSON_CreateArray())) {
        code = tool_failed("doctor", &(rheo_error){ RHEO_ENOMEM, "" });
    } else {
        code = all ? check_all(argv_of_child, argc_of_child, limit, list) : check_device(argv_of_child, limit, list);
        cJSON *printed = all ? cJSON_Duplicate(list, 1) : cJSON_DetachItemFromArray(list, 0);
        if (json && printed && tool_print_json("doctor", printed, true)) code = TOOL_FAILED;
    }
done:
    cJSON_Delete(list);
    free(argv_of_child);
    return code;
}
