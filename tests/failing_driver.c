/* OpenCL calls that fail: loaded before the loader (LD_PRELOAD) by test_environment. RHEO_TEST_FAIL names the call, RHEO_TEST_AFTER how many
 * of its calls succeed before. The command knows nothing of it. */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int fails(const char *call)
{
    static int calls;
    const char *asked = getenv("RHEO_TEST_FAIL"), *after = getenv("RHEO_TEST_AFTER");
    return asked && !strcmp(asked, call) && calls++ >= (after ? atoi(after) : 0);
}

#define REAL(name) (*(void **)&real = dlsym(RTLD_NEXT, #name))

cl_int clBuildProgram(cl_program program, cl_uint n, const cl_device_id *devices, const char *options, void(CL_CALLBACK *done)(cl_program, void *),
                      void *user)
{
    static cl_int (*real)(cl_program, cl_uint, const cl_device_id *, const char *, void(CL_CALLBACK *)(cl_program, void *), void *);
    if (!real) REAL(clBuildProgram);
    return fails("build") ? CL_BUILD_PROGRAM_FAILURE : real(program, n, devices, options, done, user);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *code)
{
    static cl_mem (*real)(cl_context, cl_mem_flags, size_t, void *, cl_int *);
    if (!real) REAL(clCreateBuffer);
    if (!fails("buffer")) return real(context, flags, bytes, host, code);
    *code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    return NULL;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset, const size_t *global,
                              const size_t *local, cl_uint n_waits, const cl_event *waits, cl_event *event)
{
    static cl_int (*real)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *, cl_uint, const cl_event *,
                          cl_event *);
    if (!real) REAL(clEnqueueNDRangeKernel);
    return fails("launch") ? CL_OUT_OF_RESOURCES : real(queue, kernel, dimensions, offset, global, local, n_waits, waits, event);
}
