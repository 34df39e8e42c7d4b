/* Opening and closing a device. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/internal.h"

bool rheo_is_pocl(const rheo_device_facts *f)
{
    return strcmp(f->platform, "Portable Computing Language") == 0;
}

/* PoCL 3.1 reports FMA where the CPU has it, but defines no FP_FAST_FMAF and makes two instructions of mad(). */
void rheo_program_options(const rheo_device_facts *f, char out[RHEO_OPTIONS_TEXT])
{
    const char *const fma = !f->fast_fma ? " -DRHEO_SLOW_FMA" : rheo_is_pocl(f) ? " -DRHEO_FAST_FMA" : "";
    char own[32];
    snprintf(own, sizeof own, "-DGROUP=%u", f->group);
    snprintf(out, RHEO_OPTIONS_TEXT, "-cl-std=CL1.2 -cl-denorms-are-zero -cl-mad-enable -DRHEO_CPU=%d -DVEC=%u%s%s %s", f->kind == RHEO_CPU,
             f->vector_width, fma, rheo_is_pocl(f) ? " -DRHEO_PREFETCH" : "", f->kind == RHEO_CPU ? "" : own);
}

rheo_status rheo_device_open_found(const rheo_found *found, rheo_device **out, rheo_error *err)
{
    const char *kind = getenv("RHEO_KIND"), *profile = getenv("RHEO_PROFILE"), *name = found->facts.name;
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)found->platform, 0 };
    cl_int code = CL_SUCCESS;
    rheo_status st = RHEO_OK;
    rheo_device *dev = calloc(1, sizeof *dev);
    if (!dev) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    dev->found = *found;
    dev->profile = profile && strcmp(profile, "1") == 0;
    if (!(dev->memory = rheo_memory_create())) {
        st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        goto done;
    }
    dev->pocl = rheo_is_pocl(&found->facts);
    if (kind && strcmp(kind, "gpu") == 0) {
        dev->found.facts.kind = RHEO_GPU;
        dev->found.facts.vector_width = 1;
        dev->found.facts.overlaps = false;
    }
    rheo_program_options(&dev->found.facts, dev->options);

    size_t sizes[8] = { 0 };
    code = clGetDeviceInfo(found->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof sizes, sizes, NULL);
    if (code != CL_SUCCESS) {
        st = rheo_cl_fail(err, code, "%s: clGetDeviceInfo of CL_DEVICE_MAX_WORK_ITEM_SIZES", name);
        goto done;
    }
    memcpy(dev->max_items, sizes, sizeof dev->max_items);
    dev->context = clCreateContext(properties, 1, &found->id, NULL, NULL, &code);
    if (!dev->context) {
        st = rheo_cl_fail(err, code, "%s: clCreateContext", name);
        goto done;
    }
    dev->queue = clCreateCommandQueue(dev->context, found->id, dev->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    if (!dev->queue) {
        st = rheo_cl_fail(err, code, "%s: clCreateCommandQueue", name);
        goto done;
    }
    if (dev->found.facts.overlaps && !dev->profile)
        dev->loose = clCreateCommandQueue(dev->context, found->id, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    dev->found.facts.overlaps = dev->loose != NULL;
    *out = dev;
    dev = NULL;
done:
    rheo_device_close(dev);
    return st;
}

void rheo_device_close(rheo_device *dev)
{
    if (!dev) return;
    if (dev->queue) clFinish(dev->queue);
    if (dev->save_at_close) rheo_programs_save(dev);
    if (dev->last_launch) clReleaseEvent(dev->last_launch);
    for (rheo_kernel *k = dev->kernels, *next; k; k = next) {
        next = k->next;
        if (k->handle) clReleaseKernel(k->handle);
        free(k->name);
        free(k);
    }
    for (int p = 0; p < RHEO_MAX_PROGRAMS; ++p) {
        if (dev->programs[p].handle) clReleaseProgram(dev->programs[p].handle);
        free(dev->programs[p].source);
        free(dev->programs[p].warm);
    }
    if (dev->loose) clReleaseCommandQueue(dev->loose);
    if (dev->queue) clReleaseCommandQueue(dev->queue);
    if (dev->context) clReleaseContext(dev->context);
    rheo_memory_drop(dev->memory);
    free(dev);
}

const rheo_device_facts *rheo_device_facts_of(const rheo_device *dev)
{
    return &dev->found.facts;
}

cl_command_queue rheo_device_queue(const rheo_device *dev)
{
    return dev->queue;
}

/* ---- what is remembered of it ------------------------------------------------------------------------------ */

rheo_cache_key rheo_device_key(const rheo_device *dev)
{
    rheo_cache_key key = RHEO_CACHE_KEY_INIT;
    rheo_cache_key_text(&key, dev->found.facts.name);
    rheo_cache_key_text(&key, dev->found.facts.driver);
    rheo_cache_key_text(&key, dev->found.facts.version);
    rheo_cache_key_text(&key, dev->found.platform_version);
    rheo_cache_key_text(&key, dev->options);
    return key;
}

char *rheo_device_recall(const rheo_device *dev, const char *what)
{
    void *text = NULL;
    size_t bytes = 0;
    return rheo_cache_get(what, rheo_device_key(dev), &text, &bytes) ? text : NULL;
}

bool rheo_device_remember(const rheo_device *dev, const char *what, const char *text)
{
    return rheo_cache_put(what, rheo_device_key(dev), text, strlen(text));
}

/* ---- which one ------------------------------------------------------------------------------------------- */

static bool is_kind(const char *which, rheo_device_kind kind)
{
    static const char *const names[] = { "cpu", "gpu", "accelerator" };
    return strcmp(which, names[kind]) == 0;
}

/* A kind is meant before a part of a name. */
static bool is_meant(const char *which, const rheo_device_facts *f)
{
    if (!which || !*which) return true;
    if (is_kind(which, RHEO_CPU) || is_kind(which, RHEO_GPU) || is_kind(which, RHEO_ACCELERATOR)) return is_kind(which, f->kind);
    return rheo_text_contains(f->name, which) || rheo_text_contains(f->platform, which);
}

/* The index that `which` is, or n: an index is meant before a number in a name ("3090"). */
static size_t as_index(const char *which, size_t n)
{
    char *end = NULL;
    if (!which || !isdigit((unsigned char)which[0])) return n;
    const unsigned long index = strtoul(which, &end, 10);
    return *end == 0 && index < n ? index : n;
}

static rheo_status fail_unmatched(rheo_error *err, const char *which, const rheo_found *found, size_t n)
{
    char names[320] = "";
    size_t used = 0;
    for (size_t k = 0; k < n && used + 1 < sizeof names; ++k) {
        const int added = snprintf(names + used, sizeof names - used, "%s%zu %s", k ? ", " : "", k, found[k].facts.name);
        used += added > 0 ? (size_t)added : 0;
    }
    return rheo_fail(err, RHEO_EINVAL, "no device is \"%s\"; found: %s", which, names);
}

/* Of those that are meant the fastest, software rasterisers only where there is nothing else. */
static rheo_status pick(const char *which, const rheo_found *found, size_t n, size_t *out, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    size_t m = 0;
    if (n == 0) return rheo_fail(err, RHEO_EDEVICE, "no OpenCL 1.2 device found: install the GPU's OpenCL driver, or PoCL to use the CPU");
    if (as_index(which, n) < n) {
        *out = as_index(which, n);
        return RHEO_OK;
    }
    const rheo_found **meant = calloc(n, sizeof *meant);
    if (!meant) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    for (int software = 0; software < 2 && m == 0; ++software)
        for (size_t k = 0; k < n; ++k)
            if (found[k].facts.software == software && is_meant(which, &found[k].facts)) meant[m++] = &found[k];
    if (m > 0) *out = (size_t)(meant[rheo_device_fastest(meant, m)] - found);
    else st = fail_unmatched(err, which, found, n);
    free(meant);
    return st;
}

rheo_status rheo_device_default(size_t *index, rheo_error *err)
{
    rheo_found *found = NULL;
    size_t n = 0;
    rheo_status st = rheo_devices_find(&found, &n, err);
    if (!st) st = pick(NULL, found, n, index, err);
    free(found);
    return st;
}

rheo_status rheo_device_open(const char *which, rheo_device **out, rheo_error *err)
{
    rheo_found *found = NULL;
    size_t n = 0, index = 0;
    rheo_status st = rheo_devices_find(&found, &n, err);
    if (!st) st = pick(which, found, n, &index, err);
    if (!st) st = rheo_device_open_found(&found[index], out, err);
    free(found);
    return st;
}
