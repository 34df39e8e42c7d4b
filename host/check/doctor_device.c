/* The doctor's look at what everything rests on: programs, windows on buffers, large buffers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/doctor.h"

/* ---- programs ---------------------------------------------------------------------------------------------------- */

static rheo_status check_program(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    unsigned kernels = 0;
    const rheo_status st = rheo_program_kernels(c->dev, check->what, &kernels, err);
    if (!st) snprintf(f->text, sizeof f->text, "%u kernels", kernels);
    return st;
}

rheo_status rheo_check_programs(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    const char *name;
    (void)c;
    for (int k = 0; (name = rheo_program_name(k)) != NULL; k++)
        if (!rheo_check_add(l, &(rheo_check){ .run = check_program, .what = name }, "program %s", name))
            return rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
    return RHEO_OK;
}

/* ---- buffers ------------------------------------------------------------------------------------------------------- */

#define MARK 0x3f9d70a4u        /* what buffers hold before */
#define FILL 0x40490fdbu
enum { ITEMS = 33 };            /* floats of a window, no multiple of any alignment */

/* A kernel writes ITEMS floats to a buffer: fma_rate of cl/device.cl, in 0 rounds 66 vector_width and what its items add. */
static rheo_status write_by_kernel(rheo_device *dev, cl_mem to, rheo_error *err)
{
    rheo_kernel *kernel = NULL;
    const rheo_grid grid = { { ITEMS, 1, 1 }, { 1, 1, 1 } };
    const rheo_arg args[] = { RHEO_BUF(to), RHEO_INT(0) };
    const rheo_status st = rheo_kernel_get(dev, "device", "fma_rate", &kernel, err);
    return st ? st : rheo_launch(dev, kernel, grid, args, 2, err);
}

static bool is_written(const uint32_t *word, bool by_kernel, unsigned vector_width)
{
    float x;
    memcpy(&x, word, sizeof x);
    return by_kernel ? x > 65.9f * (float)vector_width && x < 66.1f * (float)vector_width : *word == FILL;
}

/* A window at `offset` of a buffer of `bytes` is written to; `got` receives what is around it, from offset - ITEMS floats on. */
static rheo_status try_window(rheo_checkup *c, cl_mem buffer, size_t offset, bool by_kernel, uint32_t got[3 * ITEMS], rheo_error *err)
{
    const size_t bytes = ITEMS * sizeof(uint32_t);
    cl_mem window = NULL;
    rheo_status st = rheo_fill(c->dev, buffer, offset - bytes, 3 * bytes, MARK, err);
    if (!st) st = rheo_buffer_window(c->dev, buffer, offset, bytes, &window, err);
    if (!st) st = by_kernel ? write_by_kernel(c->dev, window, err) : rheo_fill(c->dev, window, 0, bytes, FILL, err);
    if (!st) st = rheo_read(c->dev, buffer, offset - bytes, 3 * bytes, got, err);
    rheo_buffer_release(window);
    return st;
}

static rheo_status check_at(rheo_checkup *c, cl_mem buffer, size_t offset, rheo_finding *f, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int by_kernel = 0; by_kernel < 2 && !st; by_kernel++) {
        uint32_t got[3 * ITEMS];
        st = try_window(c, buffer, offset, by_kernel, got, err);
        for (int k = 0; k < 3 * ITEMS && !st; k++) {
            const bool inside = k / ITEMS == 1;
            if (inside ? is_written(&got[k], by_kernel, rheo_device_facts_of(c->dev)->vector_width) : got[k] == MARK) continue;
            rheo_find_wrong(f, "window at byte %zu, written by a %s: word %d is %08x, expected %s", offset, by_kernel ? "kernel" : "fill",
                            k - ITEMS, got[k], inside ? "what was written" : "what was there before");
        }
    }
    return st;
}

/* Windows begin at multiples of the alignment that the device names. */
static rheo_status check_windows(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    const size_t align = rheo_device_facts_of(c->dev)->align_bytes;
    const size_t least = (ITEMS * sizeof(uint32_t) + align - 1) / align * align;
    cl_mem buffer = NULL;
    (void)check;
    rheo_status st = rheo_buffer_create(c->dev, 8 * least + 64 * align, &buffer, err);
    for (size_t k = 0; k < 5 && !st; k++) st = check_at(c, buffer, least + k * k * align, f, err);
    if (!st && !f->verdict) snprintf(f->text, sizeof f->text, "alignment %zu bytes", align);
    rheo_buffer_release(buffer);
    return st;
}

/* Its end and its beginning. At most half of the memory, which others use too, and no more than shows where 32 bits are too few. */
static rheo_status check_largest(rheo_checkup *c, const rheo_check *check, rheo_finding *f, rheo_error *err)
{
    const rheo_device_facts *facts = rheo_device_facts_of(c->dev);
    const uint64_t most = c->options->quick ? (uint64_t)1 << 28 : ((uint64_t)4 << 30) + ((uint64_t)1 << 20);
    uint64_t bytes = facts->largest_buffer_bytes < most ? facts->largest_buffer_bytes : most;
    uint32_t first = FILL + 1, got = 0;
    cl_mem buffer = NULL;
    (void)check;
    if (bytes > facts->global_bytes / 2) bytes = facts->global_bytes / 2;
    rheo_status st = rheo_buffer_create(c->dev, (size_t)bytes, &buffer, err);
    if (!st) st = rheo_write(c->dev, buffer, 0, sizeof first, &first, err);
    if (!st) st = check_at(c, buffer, (size_t)((bytes - 3 * ITEMS * sizeof first) / facts->align_bytes * facts->align_bytes), f, err);
    if (!st) st = rheo_read(c->dev, buffer, 0, sizeof got, &got, err);
    if (!st && got != first) rheo_find_wrong(f, "a write at the end of %llu bytes changed their beginning", (unsigned long long)bytes);
    if (!st && !f->verdict)
        snprintf(f->text, sizeof f->text, "%llu MiB of %llu", (unsigned long long)bytes >> 20, (unsigned long long)facts->largest_buffer_bytes >> 20);
    rheo_buffer_release(buffer);
    return st;
}

rheo_status rheo_check_buffers(rheo_checkup *c, rheo_check_list *l, rheo_error *err)
{
    (void)c;
    const bool ok = rheo_check_add(l, &(rheo_check){ .run = check_windows }, "buffer windows")
                    && rheo_check_add(l, &(rheo_check){ .run = check_largest }, "buffer, largest");
    return ok ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "doctor: out of memory");
}
