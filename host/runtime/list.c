/* The devices there are and what they say of themselves. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/internal.h"

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 64 };

static void copy_trimmed(char *to, size_t bytes, const char *from)
{
    while (isspace((unsigned char)*from)) ++from;
    size_t n = strlen(from);
    while (n > 0 && isspace((unsigned char)from[n - 1])) --n;
    if (n >= bytes) n = bytes - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

static bool device_text(cl_device_id id, cl_device_info what, char *to, size_t bytes)
{
    char text[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS) return false;
    copy_trimmed(to, bytes, text);
    return true;
}

#define DEVICE_VALUE(id, what, variable) (clGetDeviceInfo((id), (what), sizeof(variable), &(variable), NULL) == CL_SUCCESS)

/* The device's own width on CPUs, as a power of two that kernels are written for. */
static unsigned vector_width(rheo_device_kind kind, cl_uint native)
{
    if (kind != RHEO_CPU) return 1;
    return native >= 16 ? 16 : native >= 8 ? 8 : 4;
}

/* False for devices that cannot be used: unavailable, without a compiler, older than OpenCL 1.2. */
static bool read_facts(cl_device_id id, rheo_device_facts *f)
{
    cl_bool available = CL_FALSE, compiler = CL_FALSE, little = CL_FALSE;
    cl_device_type type = 0;
    cl_device_fp_config single = 0, twice = 0;
    cl_uint units = 0, clock = 0, width = 0, align_bits = 0;
    cl_command_queue_properties queues = 0;
    cl_ulong global = 0, local = 0, largest = 0;
    size_t group = 0;
    const bool read = DEVICE_VALUE(id, CL_DEVICE_AVAILABLE, available) && DEVICE_VALUE(id, CL_DEVICE_COMPILER_AVAILABLE, compiler)
        && DEVICE_VALUE(id, CL_DEVICE_ENDIAN_LITTLE, little) && DEVICE_VALUE(id, CL_DEVICE_TYPE, type)
        && DEVICE_VALUE(id, CL_DEVICE_SINGLE_FP_CONFIG, single) && DEVICE_VALUE(id, CL_DEVICE_MAX_COMPUTE_UNITS, units)
        && DEVICE_VALUE(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, width) && DEVICE_VALUE(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, align_bits)
        && DEVICE_VALUE(id, CL_DEVICE_GLOBAL_MEM_SIZE, global) && DEVICE_VALUE(id, CL_DEVICE_LOCAL_MEM_SIZE, local)
        && DEVICE_VALUE(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, largest) && DEVICE_VALUE(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, group)
        && device_text(id, CL_DEVICE_NAME, f->name, sizeof f->name) && device_text(id, CL_DEVICE_VENDOR, f->vendor, sizeof f->vendor)
        && device_text(id, CL_DRIVER_VERSION, f->driver, sizeof f->driver)
        && device_text(id, CL_DEVICE_VERSION, f->version, sizeof f->version);
    if (!read || !available || !compiler || !little || group == 0 || units == 0) return false;
    if (strncmp(f->version, "OpenCL 1.0", 10) == 0 || strncmp(f->version, "OpenCL 1.1", 10) == 0) return false;

    f->kind = type & CL_DEVICE_TYPE_GPU ? RHEO_GPU : type & CL_DEVICE_TYPE_CPU ? RHEO_CPU : RHEO_ACCELERATOR;
    f->software = rheo_text_contains(f->name, "llvmpipe") || rheo_text_contains(f->name, "softpipe");
    f->has_double = DEVICE_VALUE(id, CL_DEVICE_DOUBLE_FP_CONFIG, twice) && twice != 0;
    f->fast_fma = (single & CL_FP_FMA) != 0;
    (void)DEVICE_VALUE(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, clock);
    (void)DEVICE_VALUE(id, CL_DEVICE_QUEUE_PROPERTIES, queues);
    f->overlaps = f->kind == RHEO_CPU && units > 1 && queues & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
    f->compute_units = units;
    f->clock_mhz = clock;
    f->vector_width = vector_width(f->kind, width);
    f->max_group = group;
    f->align_bytes = align_bits >= 8 ? align_bits / 8 : 1;
    f->global_bytes = global;
    f->local_bytes = local;
    f->largest_buffer_bytes = largest;
    return true;
}

rheo_status rheo_devices_find(rheo_found **out, size_t *count, rheo_error *err)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0, n_devices = 0;
    rheo_found *list = calloc(MAX_DEVICES, sizeof *list);
    size_t n = 0;
    rheo_status st = RHEO_OK;
    if (!list) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    /* No platform at all is an error of its own kind in the loader; here it means an empty list. */
    if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms) != CL_SUCCESS) n_platforms = 0;
    if (n_platforms > MAX_PLATFORMS) n_platforms = MAX_PLATFORMS;
    for (cl_uint p = 0; p < n_platforms && !st; ++p) {
        cl_device_id ids[MAX_DEVICES];
        char name[256] = "", version[256] = "";
        const cl_device_type types = CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR;
        if (clGetPlatformInfo(platforms[p], CL_PLATFORM_NAME, sizeof name - 1, name, NULL) != CL_SUCCESS) continue;
        if (clGetPlatformInfo(platforms[p], CL_PLATFORM_VERSION, sizeof version - 1, version, NULL) != CL_SUCCESS) continue;
        if (clGetDeviceIDs(platforms[p], types, MAX_DEVICES, ids, &n_devices) != CL_SUCCESS) continue;
        for (cl_uint d = 0; d < n_devices && d < MAX_DEVICES && n < MAX_DEVICES && !st; ++d) {
            rheo_found *f = &list[n];
            memset(f, 0, sizeof *f);
            f->platform = platforms[p];
            f->id = ids[d];
            copy_trimmed(f->facts.platform, sizeof f->facts.platform, name);
            copy_trimmed(f->platform_version, sizeof f->platform_version, version);
            if (!read_facts(ids[d], &f->facts)) continue;
            st = rheo_limits_apply(&f->facts, err);
            ++n;
        }
    }
    if (st) {
        free(list);
        return st;
    }
    *out = list;
    *count = n;
    return RHEO_OK;
}

rheo_status rheo_device_list(rheo_device_facts **out, size_t *count, rheo_error *err)
{
    rheo_found *found = NULL;
    size_t n = 0;
    rheo_status st = rheo_devices_find(&found, &n, err);
    if (st) return st;
    rheo_device_facts *facts = calloc(n + 1, sizeof *facts);
    if (!facts) {
        st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t k = 0; k < n; ++k) facts[k] = found[k].facts;
    *out = facts;
    *count = n;
done:
    free(found);
    return st;
}
