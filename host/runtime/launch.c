/* Kernels and their launches: the one place where arguments, grids and limits are checked. */
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"

static rheo_status kernel_create(rheo_device *dev, rheo_program *program, const char *name, rheo_kernel **out, rheo_error *err)
{
    const cl_device_id id = dev->found.id;
    rheo_status st = RHEO_OK;
    cl_int code = CL_SUCCESS;
    cl_ulong local = 0;
    rheo_kernel *k = calloc(1, sizeof *k);
    if (k) k->name = strdup(name);
    if (!k || !k->name) {
        st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        goto done;
    }
    k->program = program;
    k->handle = clCreateKernel(program->handle, name, &code);
    if (!k->handle) {
        st = rheo_cl_fail(err, code, "kernel %s of program %s: clCreateKernel", name, program->name);
        goto done;
    }
    code = clGetKernelInfo(k->handle, CL_KERNEL_NUM_ARGS, sizeof k->n_args, &k->n_args, NULL);
    if (code == CL_SUCCESS)
        code = clGetKernelWorkGroupInfo(k->handle, id, CL_KERNEL_WORK_GROUP_SIZE, sizeof k->max_group, &k->max_group, NULL);
    if (code == CL_SUCCESS) code = clGetKernelWorkGroupInfo(k->handle, id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    if (code != CL_SUCCESS) {
        st = rheo_cl_fail(err, code, "kernel %s: clGetKernelWorkGroupInfo", name);
        goto done;
    }
    k->local_bytes = local;
    if (k->max_group > dev->found.facts.max_group) k->max_group = dev->found.facts.max_group;
    k->next = dev->kernels;
    dev->kernels = k;
    *out = k;
    k = NULL;
done:
    if (k) {
        if (k->handle) clReleaseKernel(k->handle);
        free(k->name);
        free(k);
    }
    return st;
}

rheo_status rheo_kernel_get(rheo_device *dev, const char *program, const char *kernel, rheo_kernel **out, rheo_error *err)
{
    for (rheo_kernel *k = dev->kernels; k; k = k->next) {
        if (strcmp(k->name, kernel) == 0 && strcmp(k->program->name, program) == 0) {
            *out = k;
            return RHEO_OK;
        }
    }
    rheo_program *p = NULL;
    const rheo_status st = rheo_program_get(dev, program, &p, err);
    return st ? st : kernel_create(dev, p, kernel, out, err);
}

/* Rounds the grid up to whole groups. */
static rheo_status fit_grid(const rheo_device *dev, const rheo_kernel *k, rheo_grid *g, rheo_error *err)
{
    size_t group = 1;
    for (int d = 0; d < 3; ++d)
        if (g->global[d] == 0)
            return rheo_fail(err, RHEO_EINVAL, "kernel %s: an empty grid, %zu x %zu x %zu", k->name, g->global[0], g->global[1],
                             g->global[2]);
    if (g->local[0] == 0) return RHEO_OK;
    for (int d = 0; d < 3; ++d) {
        if (g->local[d] == 0) g->local[d] = 1;
        if (g->local[d] > dev->max_items[d])
            return rheo_fail(err, RHEO_EDEVICE, "kernel %s: %zu work-items a group along dimension %d, the device allows %zu", k->name,
                             g->local[d], d, dev->max_items[d]);
        group *= g->local[d];
        g->global[d] = (g->global[d] + g->local[d] - 1) / g->local[d] * g->local[d];
    }
    if (group > k->max_group)
        return rheo_fail(err, RHEO_EDEVICE, "kernel %s: groups of %zu x %zu x %zu work-items, the device allows %zu", k->name, g->local[0],
                         g->local[1], g->local[2], k->max_group);
    return RHEO_OK;
}

static rheo_status set_args(const rheo_device *dev, const rheo_kernel *k, const rheo_arg *args, int n_args, rheo_error *err)
{
    uint64_t local = k->local_bytes;
    if (n_args < 0 || (cl_uint)n_args != k->n_args)
        return rheo_fail(err, RHEO_EINVAL, "kernel %s: %d arguments, expected %u", k->name, n_args, (unsigned)k->n_args);
    for (int a = 0; a < n_args; ++a) {
        const cl_int code = clSetKernelArg(k->handle, (cl_uint)a, args[a].bytes, args[a].local ? NULL : &args[a].value);
        if (code != CL_SUCCESS) return rheo_cl_fail(err, code, "kernel %s: argument %d of %zu bytes", k->name, a, args[a].bytes);
        if (args[a].local) local += args[a].bytes;
    }
    if (local > dev->found.facts.local_bytes)
        return rheo_fail(err, RHEO_EDEVICE, "kernel %s: %llu bytes of local memory, the device has %llu", k->name,
                         (unsigned long long)local, (unsigned long long)dev->found.facts.local_bytes);
    return RHEO_OK;
}

rheo_status rheo_launch_into(rheo_device *dev, cl_command_queue queue, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args,
                             const cl_event *after, int n_after, cl_event *mark, rheo_error *err)
{
    rheo_status st = fit_grid(dev, kernel, &grid, err);
    if (!st) st = set_args(dev, kernel, args, n_args, err);
    if (st) return st;
    const cl_int code = clEnqueueNDRangeKernel(queue, kernel->handle, 3, NULL, grid.global, grid.local[0] ? grid.local : NULL,
                                               (cl_uint)n_after, n_after ? after : NULL, mark);
    if (code != CL_SUCCESS)
        return rheo_cl_fail(err, code, "kernel %s: clEnqueueNDRangeKernel of %zu x %zu x %zu work-items", kernel->name, grid.global[0],
                            grid.global[1], grid.global[2]);
    rheo_program_launched(dev, kernel, &grid);
    return RHEO_OK;
}

rheo_status rheo_launch(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args, rheo_error *err)
{
    cl_event event = NULL;
    const rheo_status st = rheo_launch_into(dev, dev->queue, kernel, grid, args, n_args, NULL, 0, dev->profile ? &event : NULL, err);
    if (st) return st;
    if (dev->last_launch) clReleaseEvent(dev->last_launch);
    dev->last_launch = event;
    return RHEO_OK;
}

double rheo_last_launch_seconds(rheo_device *dev)
{
    cl_ulong start = 0, end = 0;
    if (!dev->last_launch || clWaitForEvents(1, &dev->last_launch) != CL_SUCCESS) return -1;
    if (clGetEventProfilingInfo(dev->last_launch, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) != CL_SUCCESS) return -1;
    if (clGetEventProfilingInfo(dev->last_launch, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) != CL_SUCCESS) return -1;
    return end >= start ? 1e-9 * (double)(end - start) : -1;
}
