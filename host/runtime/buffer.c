/* Buffers and the queue. */
#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/internal.h"

/* ---- what is in use ------------------------------------------------------------------------------------------- */

struct rheo_memory {
    atomic_ullong bytes;     /* of all buffers */
    atomic_uint owners;      /* the device, and each buffer */
};

typedef struct rheo_share {
    rheo_memory *of;
    size_t bytes;
} rheo_share;

rheo_memory *rheo_memory_create(void)
{
    rheo_memory *m = calloc(1, sizeof *m);
    if (m) atomic_init(&m->owners, 1);
    return m;
}

void rheo_memory_drop(rheo_memory *m)
{
    if (m && atomic_fetch_sub(&m->owners, 1) == 1) free(m);
}

/* The driver calls it, from a thread of its own perhaps. */
static void CL_CALLBACK give_back(cl_mem buffer, void *user)
{
    rheo_share *share = user;
    (void)buffer;
    atomic_fetch_sub(&share->of->bytes, share->bytes);
    rheo_memory_drop(share->of);
    free(share);
}

/* Drivers promise memory that they have not: where a device's is the machine's, the kernel then ends a process, rarely a message. */
static rheo_status check_room(const rheo_device *dev, size_t bytes, rheo_error *err)
{
    const rheo_device_facts *f = &dev->found.facts;
    const unsigned long long used = atomic_load(&dev->memory->bytes);
    if (bytes <= f->global_bytes && used <= f->global_bytes - bytes) return RHEO_OK;
    return rheo_fail(err, RHEO_ENOMEM, "%s: no room for a buffer of %.1f MiB: %.1f of its %.1f MiB are in use", f->name,
                     (double)bytes / 1048576, (double)used / 1048576, (double)f->global_bytes / 1048576);
}

static rheo_status count(rheo_device *dev, cl_mem buffer, size_t bytes, rheo_error *err)
{
    rheo_share *share = malloc(sizeof *share);
    if (!share) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    *share = (rheo_share){ dev->memory, bytes };
    const cl_int code = clSetMemObjectDestructorCallback(buffer, give_back, share);
    if (code != CL_SUCCESS) {
        free(share);
        return rheo_cl_fail(err, code, "%s: clSetMemObjectDestructorCallback", dev->found.facts.name);
    }
    atomic_fetch_add(&dev->memory->bytes, bytes);
    atomic_fetch_add(&dev->memory->owners, 1);
    return RHEO_OK;
}

/* ---- buffers ---------------------------------------------------------------------------------------------------- */

rheo_status rheo_buffer_create(rheo_device *dev, size_t bytes, cl_mem *out, rheo_error *err)
{
    const rheo_device_facts *f = &dev->found.facts;
    cl_int code = CL_SUCCESS;
    if (bytes == 0) return rheo_fail(err, RHEO_EINVAL, "a buffer of 0 bytes");
    if (bytes > f->largest_buffer_bytes)
        return rheo_fail(err, RHEO_ENOMEM, "%s: a buffer of %zu bytes, the largest can have %llu", f->name, bytes,
                         (unsigned long long)f->largest_buffer_bytes);
    rheo_status st = check_room(dev, bytes, err);
    if (st) return st;
    cl_mem buffer = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (!buffer) return rheo_cl_fail(err, code, "%s: clCreateBuffer of %zu bytes", f->name, bytes);
    st = count(dev, buffer, bytes, err);
    if (st)
        clReleaseMemObject(buffer);
    else
        *out = buffer;
    return st;
}

rheo_status rheo_buffer_window(rheo_device *dev, cl_mem parent, size_t offset, size_t bytes, cl_mem *out, rheo_error *err)
{
    const rheo_device_facts *f = &dev->found.facts;
    const cl_buffer_region region = { offset, bytes };
    cl_int code = CL_SUCCESS;
    if (offset % f->align_bytes != 0)
        return rheo_fail(err, RHEO_EINVAL, "%s: a window at %zu, expected a multiple of %zu", f->name, offset, f->align_bytes);
    cl_mem window = clCreateSubBuffer(parent, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (!window) return rheo_cl_fail(err, code, "%s: clCreateSubBuffer at %zu of %zu bytes", f->name, offset, bytes);
    *out = window;
    return RHEO_OK;
}

void rheo_buffer_release(cl_mem buffer)
{
    if (buffer) clReleaseMemObject(buffer);
}

static rheo_status check(rheo_device *dev, cl_int code, const char *call, size_t bytes, rheo_error *err)
{
    if (code == CL_SUCCESS) return RHEO_OK;
    return rheo_cl_fail(err, code, "%s: %s of %zu bytes", dev->found.facts.name, call, bytes);
}

rheo_status rheo_write(rheo_device *dev, cl_mem to, size_t offset, size_t bytes, const void *from, rheo_error *err)
{
    const cl_int code = clEnqueueWriteBuffer(dev->queue, to, CL_FALSE, offset, bytes, from, 0, NULL, NULL);
    return check(dev, code, "clEnqueueWriteBuffer", bytes, err);
}

rheo_status rheo_read(rheo_device *dev, cl_mem from, size_t offset, size_t bytes, void *to, rheo_error *err)
{
    const cl_int code = clEnqueueReadBuffer(dev->queue, from, CL_TRUE, offset, bytes, to, 0, NULL, NULL);
    return check(dev, code, "clEnqueueReadBuffer", bytes, err);
}

rheo_status rheo_copy(rheo_device *dev, cl_mem from, size_t from_offset, cl_mem to, size_t to_offset, size_t bytes, rheo_error *err)
{
    const cl_int code = clEnqueueCopyBuffer(dev->queue, from, to, from_offset, to_offset, bytes, 0, NULL, NULL);
    return check(dev, code, "clEnqueueCopyBuffer", bytes, err);
}

rheo_status rheo_fill(rheo_device *dev, cl_mem to, size_t offset, size_t bytes, uint32_t pattern, rheo_error *err)
{
    const cl_int code = clEnqueueFillBuffer(dev->queue, to, &pattern, sizeof pattern, offset, bytes, 0, NULL, NULL);
    return check(dev, code, "clEnqueueFillBuffer", bytes, err);
}

rheo_status rheo_flush(rheo_device *dev, rheo_error *err)
{
    const cl_int code = clFlush(dev->queue);
    return code == CL_SUCCESS ? RHEO_OK : rheo_cl_fail(err, code, "%s: clFlush", dev->found.facts.name);
}

rheo_status rheo_finish(rheo_device *dev, rheo_error *err)
{
    const cl_int code = clFinish(dev->queue);
    return code == CL_SUCCESS ? RHEO_OK : rheo_cl_fail(err, code, "%s: clFinish", dev->found.facts.name);
}

rheo_status rheo_mark(rheo_device *dev, cl_event *mark, rheo_error *err)
{
    const cl_int code = clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, mark);
    if (code != CL_SUCCESS) return rheo_cl_fail(err, code, "%s: clEnqueueMarkerWithWaitList", dev->found.facts.name);
    const rheo_status st = rheo_flush(dev, err);
    if (!st) return RHEO_OK;
    clReleaseEvent(*mark);
    *mark = NULL;
    return st;
}

rheo_status rheo_wait(rheo_device *dev, cl_event *mark, rheo_error *err)
{
    if (!*mark) return RHEO_OK;
    const cl_int code = clWaitForEvents(1, mark);
    clReleaseEvent(*mark);
    *mark = NULL;
    return code == CL_SUCCESS ? RHEO_OK : rheo_cl_fail(err, code, "%s: clWaitForEvents", dev->found.facts.name);
}
