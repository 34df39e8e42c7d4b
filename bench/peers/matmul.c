/* C = A B in float32 by others: CLBlast with its defaults, CLBlast with parameters of ours, OpenBLAS.
 *
 *   rheo-peer-matmul clblast|MWG,NWG,VWM,KWI|openblas M K N [SECONDS] [serve]
 *
 * Prints one JSON line; with "serve" one when it is ready and one more for each line it reads. One way a process, because CLBlast drops
 * its kernels when parameters are overridden and some parameters crash the compiler. The first CPU device of any platform is taken: that
 * is where OpenBLAS runs. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <cblas.h>
#include <clblast_c.h>

enum { MOST_PLATFORMS = 16 };

typedef struct product {
    size_t m, k, n;
    float *a, *b, *c, *expected;
    cl_device_id device; /* NULL: OpenBLAS */
    cl_command_queue queue;
    cl_mem da, db, dc;
} product;

static void fail(const char *what, int code)
{
    fprintf(stderr, "rheo-peer-matmul: %s: %d\n", what, code);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void openblas(const product *p, float *c)
{
    const int m = (int)p->m, k = (int)p->k, n = (int)p->n;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, p->a, k, p->b, n, 0, c, n);
}

/* A status of CLBlast, 0 for success. */
static int clblast(product *p)
{
    const CLBlastStatusCode code = CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, p->m, p->n, p->k, 1, p->da,
                                                0, p->k, p->db, 0, p->n, 0, p->dc, 0, p->n, &p->queue, NULL);
    return code == CLBlastSuccess ? clFinish(p->queue) : (int)code;
}

static int run(product *p)
{
    if (p->device) return clblast(p);
    openblas(p, p->c);
    return 0;
}

/* The least seconds of a run seen in about `seconds`. */
static double measure(product *p, double seconds)
{
    double least = INFINITY;
    for (const double begin = now(); isinf(least) || now() - begin < seconds;) {
        const double start = now();
        const int code = run(p);
        if (code) fail("a product", code);
        least = fmin(least, now() - start);
    }
    return least;
}

/* ---- CLBlast -------------------------------------------------------------------------------------------------- */

static cl_mem upload(cl_context context, const float *x, size_t count)
{
    cl_int code = CL_SUCCESS;
    const cl_mem_flags flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
    const cl_mem buffer = clCreateBuffer(context, flags, count * sizeof *x, (void *)(uintptr_t)x, &code);
    if (code) fail("a buffer", code);
    return buffer;
}

static void open_device(product *p)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(MOST_PLATFORMS, platforms, &count);
    for (cl_uint i = 0; i < count && i < MOST_PLATFORMS && !code && !p->device; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_CPU, 1, &p->device, NULL)) p->device = NULL;
    if (!p->device) fail("no CPU device", code);
    const cl_context context = clCreateContext(NULL, 1, &p->device, NULL, NULL, &code);
    if (!code) p->queue = clCreateCommandQueue(context, p->device, 0, &code);
    if (code) fail("a context", code);
    p->da = upload(context, p->a, p->m * p->k);
    p->db = upload(context, p->b, p->k * p->n);
    p->dc = upload(context, p->c, p->m * p->n);
}

/* Compiles too. Wrong parameters may give wrong sums without saying so. */
static bool is_right(product *p)
{
    float worst = 0;
    if (clblast(p) || clEnqueueReadBuffer(p->queue, p->dc, CL_TRUE, 0, p->m * p->n * sizeof(float), p->c, 0, NULL, NULL)) return false;
    for (size_t i = 0; i < p->m * p->n; i++) {
        const float off = fabsf(p->c[i] - p->expected[i]);
        if (!(off <= worst)) worst = off;
    }
    return worst <= 1e-4f * sqrtf((float)p->k); /* a sum of k products below 1 in size, rounded in another order */
}

/* One work-item a group with an MWG x NWG tile of its own, in vectors of VWM: what suits a CPU. CLBlast's other kernel (GEMMK 1) gives wrong
 * sums here. */
static void override(product *p, const char *way)
{
    size_t mwg, nwg, vwm, kwi;
    if (sscanf(way, "%zu,%zu,%zu,%zu", &mwg, &nwg, &vwm, &kwi) != 4) fail("parameters are MWG,NWG,VWM,KWI", 0);
    const char *names[] = { "GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                            "NDIMC", "NWG",  "SA",  "SB",  "STRM",  "STRN",  "VWM", "VWN" };
    const size_t values[] = { 0, 1, 32, kwi, 1, 1, mwg, 1, 1, nwg, 0, 0, 0, 0, vwm, 1 };
    const char *smallest[] = { "XGEMM_MIN_INDIRECT_SIZE" };
    const size_t always[] = { 1 };
    CLBlastStatusCode code = CLBlastOverrideParameters(p->device, "GemmRoutine", CLBlastPrecisionSingle, 1, smallest, always);
    if (!code) code = CLBlastOverrideParameters(p->device, "Xgemm", CLBlastPrecisionSingle, sizeof values / sizeof *values, names, values);
    if (code) fail("CLBlast refuses the parameters", (int)code);
}

/* ---- main ------------------------------------------------------------------------------------------------------- */

static float *fill(size_t count, unsigned h)
{
    float *x = malloc(count * sizeof *x);
    if (!x) fail("out of memory", 0);
    for (size_t i = 0; i < count; i++) {
        h ^= h << 13, h ^= h >> 17, h ^= h << 5; /* Marsaglia 2003, xorshift */
        x[i] = (float)(int)h * 0x1p-31f;
    }
    return x;
}

static void report(const product *p, const char *way, double seconds)
{
    const double gflops = 2e-9 * (double)p->m * (double)p->k * (double)p->n / seconds;
    printf("{\"peer\": \"%s\", \"m\": %zu, \"k\": %zu, \"n\": %zu, \"mode\": \"%s\"", p->device ? "CLBlast" : openblas_get_config(), p->m,
           p->k, p->n, way);
    if (seconds > 0) printf(", \"gflops\": %.3f", gflops);
    puts("}");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    product p = { 0 };
    char line[64];
    if (argc < 5) fail("clblast|PARAMETERS|openblas M K N [SECONDS] [serve]; arguments", argc - 1);
    const char *way = argv[1];
    const double seconds = argc > 5 ? atof(argv[5]) : 2;
    p.m = strtoul(argv[2], NULL, 10);
    p.k = strtoul(argv[3], NULL, 10);
    p.n = strtoul(argv[4], NULL, 10);
    p.a = fill(p.m * p.k, 1);
    p.b = fill(p.k * p.n, 2);
    p.c = fill(p.m * p.n, 3);
    p.expected = fill(p.m * p.n, 4);
    openblas(&p, p.expected);
    if (strcmp(way, "openblas")) open_device(&p);
    if (p.device && strcmp(way, "clblast")) override(&p, way);
    if (p.device && !is_right(&p)) fail("CLBlast fails, or its sums are wrong", 0);
    if (argc < 7)
        report(&p, way, measure(&p, seconds));
    else
        report(&p, way, 0);
    while (argc > 6 && fgets(line, sizeof line, stdin)) report(&p, way, measure(&p, seconds));
    return 0;
}
