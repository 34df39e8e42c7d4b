/* Sections: launches in a queue without order, each behind those it names. Marks alone hold them together, from the device's own queue and back:
 * a barrier for all of such a queue hangs in PoCL 3.1 now and then. */
#include <string.h>

#include "runtime/internal.h"

rheo_status rheo_section_begin(rheo_device *dev, rheo_error *err)
{
    rheo_section *s = &dev->section;
    if (!dev->loose || s->begin) return rheo_fail(err, RHEO_EINVAL, "%s: a section within another, or without a queue", dev->found.facts.name);
    memset(s, 0, sizeof *s);
    return rheo_mark(dev, &s->begin, err);
}

rheo_status rheo_section_launch(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args, const uint8_t *after,
                                int n_after, rheo_error *err)
{
    rheo_section *s = &dev->section;
    cl_event before[RHEO_SECTION_MOST] = { s->begin };
    if (s->n == RHEO_SECTION_MOST) return rheo_fail(err, RHEO_EINVAL, "%s: a section of more launches", dev->found.facts.name);
    for (int k = 0; k < n_after; ++k) before[k] = s->marks[after[k]];
    const rheo_status st = rheo_launch_into(dev, dev->loose, kernel, grid, args, n_args, before, n_after ? n_after : 1, &s->marks[s->n], err);
    if (st) return st;
    ++s->n;
    for (int k = 0; k < n_after; ++k) s->followed[after[k]] = true;
    return RHEO_OK;
}

rheo_status rheo_section_end(rheo_device *dev, rheo_error *err)
{
    rheo_section *s = &dev->section;
    cl_event last[RHEO_SECTION_MOST];
    int n = 0;
    for (int k = 0; k < s->n; ++k)
        if (!s->followed[k]) last[n++] = s->marks[k];
    cl_int code = clFlush(dev->loose);
    if (code == CL_SUCCESS && n) code = clEnqueueBarrierWithWaitList(dev->queue, (cl_uint)n, last, NULL);
    if (code != CL_SUCCESS) clFinish(dev->loose);
    for (int k = 0; k < s->n; ++k) clReleaseEvent(s->marks[k]);
    clReleaseEvent(s->begin);
    s->begin = NULL;
    return code == CL_SUCCESS ? RHEO_OK : rheo_cl_fail(err, code, "%s: clEnqueueBarrierWithWaitList of a section", dev->found.facts.name);
}
