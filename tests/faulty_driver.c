/* A driver gone wrong: loaded before the libraries (LD_PRELOAD) by test_tune_process, it makes products by CLBlast, or launches of a
 * kernel, do what RHEO_TEST_FAULT says; while the file RHEO_TEST_ONCE exists, where that is given, and it is removed then. The command
 * knows nothing of it. */
#define _GNU_SOURCE
#include <CL/cl.h>
#include <clblast_c.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int poisoned;

static int faulty(const char *fault)
{
    const char *asked = getenv("RHEO_TEST_FAULT"), *once = getenv("RHEO_TEST_ONCE");
    return asked && !strcmp(asked, fault) && (!once || unlink(once) == 0);
}

CLBlastStatusCode CLBlastSgemmStridedBatched(const CLBlastLayout layout, const CLBlastTranspose ta, const CLBlastTranspose tb,
                                             const size_t m, const size_t n, const size_t k, const float alpha, const cl_mem a,
                                             const size_t a_offset, const size_t lda, const size_t a_stride, const cl_mem b,
                                             const size_t b_offset, const size_t ldb, const size_t b_stride, const float beta, cl_mem c,
                                             const size_t c_offset, const size_t ldc, const size_t c_stride, const size_t batch,
                                             cl_command_queue *queue, cl_event *event)
{
    (void)layout, (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)a_offset, (void)lda, (void)a_stride;
    (void)b, (void)b_offset, (void)ldb, (void)b_stride, (void)beta, (void)c, (void)c_offset, (void)ldc, (void)c_stride, (void)batch;
    (void)queue, (void)event;
    if (faulty("crash"))
        for (;;) raise(SIGSEGV);        /* the first goes to PoCL's handler, which returns */
    if (faulty("exit")) exit(3);
    if (faulty("hang"))
        for (;;) pause();
    if (faulty("poison")) poisoned = 1;
    return CLBlastSuccess;      /* with nothing written, which is wrong */
}

/* The default's kernels. */
cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset, const size_t *global,
                              const size_t *local, cl_uint n_waits, const cl_event *waits, cl_event *event)
{
    static cl_int (*launch)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *, cl_uint, const cl_event *,
                            cl_event *);
    char name[64] = "";
    if (!launch) *(void **)&launch = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    if (!strncmp(name, "conv2d", 6) && (poisoned || faulty("default"))) raise(SIGABRT);
    return launch(queue, kernel, dimensions, offset, global, local, n_waits, waits, event);
}
