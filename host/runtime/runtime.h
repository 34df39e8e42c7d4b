/* Devices, buffers, programs and launches: what rheo knows of OpenCL, and nothing of ops.
 *
 * Every call is made from one thread per device. Work is queued in order; only rheo_read,
 * rheo_wait, rheo_finish and rheo_device_close wait. Sizes are bytes unless a name says otherwise. */
#ifndef RHEO_RUNTIME_H
#define RHEO_RUNTIME_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <stdbool.h>

#include "base/error.h"

typedef enum rheo_device_kind { RHEO_CPU, RHEO_GPU, RHEO_ACCELERATOR } rheo_device_kind;

/* What a device says of itself, read once. */
typedef struct rheo_device_facts {
    char name[128], vendor[64], platform[64], driver[64], version[64];
    rheo_device_kind kind;
    bool software;           /* a rasteriser posing as a GPU (llvmpipe): last choice */
    bool has_double, fast_fma;
    bool overlaps;           /* launches of a section may run side by side: CPUs of several cores with such queues */
    unsigned compute_units, clock_mhz;
    unsigned vector_width;   /* floats in one native vector: 4, 8, 16 on CPUs, 1 elsewhere */
    size_t max_group;        /* work-items in a work-group */
    unsigned group;          /* of those, how many share local memory in SIMT kernels: rheo_group_of */
    size_t align_bytes;      /* of a sub-buffer's origin */
    uint64_t global_bytes, local_bytes, largest_buffer_bytes;
    uint64_t launch_flops;   /* that a launch on a GPU is meant to do at most: watchdogs end those that take long */
} rheo_device_facts;

/* 256, or 64 on devices that allow no more. */
unsigned rheo_group_of(const rheo_device_facts *f);

/* All devices of all platforms, in a fixed order (platform, then device as listed). The caller frees *out. */
rheo_status rheo_device_list(rheo_device_facts **out, size_t *count, rheo_error *err);

/* Which of them rheo_device_open takes when none is named; RHEO_EDEVICE when there is none. */
rheo_status rheo_device_default(size_t *index, rheo_error *err);

typedef struct rheo_device rheo_device;

/* Opens a device by index ("0"), part of its name or platform (any case), or kind ("cpu", "gpu").
 * NULL or "": the fastest by a short measurement that is remembered in the cache folder,
 * software rasterisers last. The caller closes it; rheo_device_close accepts NULL.
 * In the environment RHEO_KIND=gpu makes a CPU pass for a GPU, to run the kernels written for those, and these make devices
 * smaller than they are (bytes as in 32K, 64M, 1G; more than there is changes nothing):
 *   RHEO_LIMIT_GROUP    work-items in a group, 64 or more     RHEO_LIMIT_MEMORY   bytes of global memory
 *   RHEO_LIMIT_VECTOR   floats in a CPU's vector              RHEO_LIMIT_BUFFER   bytes of the largest buffer
 *   RHEO_LIMIT_FMA      0: no fused multiply-add              RHEO_LIMIT_LOCAL    bytes of local memory
 *   RHEO_LIMIT_LAUNCH   floating-point operations of a launch
 *   RHEO_LIMIT_OVERLAP  0: launches one after the other */
rheo_status rheo_device_open(const char *which, rheo_device **out, rheo_error *err);
void rheo_device_close(rheo_device *dev);
const rheo_device_facts *rheo_device_facts_of(const rheo_device *dev);

/* Buffers. Reads block; writes copy from memory that must stay as it is until the queue passed
 * them (rheo_wait, rheo_finish, or any later read); fill repeats a 4-byte pattern. */
rheo_status rheo_buffer_create(rheo_device *dev, size_t bytes, cl_mem *out, rheo_error *err);
rheo_status rheo_buffer_window(rheo_device *dev, cl_mem parent, size_t offset, size_t bytes, cl_mem *out, rheo_error *err);
void rheo_buffer_release(cl_mem buffer);    /* NULL is fine */
rheo_status rheo_write(rheo_device *dev, cl_mem to, size_t offset, size_t bytes, const void *from, rheo_error *err);
rheo_status rheo_read(rheo_device *dev, cl_mem from, size_t offset, size_t bytes, void *to, rheo_error *err);
rheo_status rheo_copy(rheo_device *dev, cl_mem from, size_t from_offset, cl_mem to, size_t to_offset, size_t bytes, rheo_error *err);
rheo_status rheo_fill(rheo_device *dev, cl_mem to, size_t offset, size_t bytes, uint32_t pattern, rheo_error *err);
rheo_status rheo_flush(rheo_device *dev, rheo_error *err);
rheo_status rheo_finish(rheo_device *dev, rheo_error *err);

/* A mark stands behind all that was queued before it. Waiting for one releases it and makes it NULL; NULL is passed already. */
rheo_status rheo_mark(rheo_device *dev, cl_event *mark, rheo_error *err);
rheo_status rheo_wait(rheo_device *dev, cl_event *mark, rheo_error *err);

/* A kernel argument, held by value so that a launch can be recorded and replayed. */
typedef struct rheo_arg {
    size_t bytes;
    bool local;              /* bytes of local memory, no value */
    bool is_buffer;
    union { cl_mem buffer; cl_int i; cl_uint u; cl_float f; } value;
} rheo_arg;
#define RHEO_BUF(b) ((rheo_arg){ .bytes = sizeof(cl_mem), .is_buffer = true, .value.buffer = (b) })
#define RHEO_INT(x) ((rheo_arg){ .bytes = sizeof(cl_int), .value.i = (cl_int)(x) })
#define RHEO_UINT(x) ((rheo_arg){ .bytes = sizeof(cl_uint), .value.u = (cl_uint)(x) })
#define RHEO_FLOAT(x) ((rheo_arg){ .bytes = sizeof(cl_float), .value.f = (cl_float)(x) })
#define RHEO_LOCAL(n) ((rheo_arg){ .bytes = (n), .local = true })

/* Work-items wanted a dimension and their grouping; global is rounded up to whole groups. */
typedef struct rheo_grid {
    size_t global[3], local[3];     /* unused dimensions are 1; local[0] = 0 leaves grouping to the driver */
} rheo_grid;

/* The queue, in order, for libraries that launch kernels of their own; lent. */
cl_command_queue rheo_device_queue(const rheo_device *dev);

typedef struct rheo_kernel rheo_kernel;     /* lent by the device, lives as long as it */

/* Finds `kernel` in `program`, building the program first if this is its first use (from the binary
 * cache when device, driver, sources and options are those of the saved one). Programs and the .cl
 * files they are made of: host/runtime/programs.c. */
rheo_status rheo_kernel_get(rheo_device *dev, const char *program, const char *kernel, rheo_kernel **out, rheo_error *err);
rheo_status rheo_launch(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args, rheo_error *err);

/* A section of launches that overlap (section.c), where the device's facts say so: each begins when those it names have passed, numbered from 0
 * in the section. What was queued before passes first; what is queued after its end waits for all of it. A begun section is ended, whatever
 * failed in it. */
enum { RHEO_SECTION_MOST = 256 };       /* launches */
rheo_status rheo_section_begin(rheo_device *dev, rheo_error *err);
rheo_status rheo_section_launch(rheo_device *dev, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args, const uint8_t *after,
                                int n_after, rheo_error *err);
rheo_status rheo_section_end(rheo_device *dev, rheo_error *err);

/* What programs are made of, for compilers of devices that are not here: the k-th one's name, NULL past the last; its text, which the caller
 * frees; and what it is built with for a device of such facts. */
enum { RHEO_OPTIONS_TEXT = 192 };
const char *rheo_program_name(int k);
rheo_status rheo_program_source(const char *name, char **out, rheo_error *err);
void rheo_program_options(const rheo_device_facts *f, char out[RHEO_OPTIONS_TEXT]);
/* Whether a program builds, with each of its kernels. */
rheo_status rheo_program_kernels(rheo_device *dev, const char *program, unsigned *count, rheo_error *err);

/* Saves the binaries of programs built since the last call. To be called once the kernels have run:
 * PoCL specialises at first enqueue and a binary saved earlier lacks that work. On PoCL, where it takes
 * seconds, it is done by rheo_device_close and covers all kernels launched until then. Failing to save
 * is no failure. */
void rheo_cache_save(rheo_device *dev);

/* A small text kept in the cache folder for this device, its driver and what kernels are built with. recall: NULL where there
 * is none; the caller frees it. Failing to remember is false, and no harm. */
char *rheo_device_recall(const rheo_device *dev, const char *what);
bool rheo_device_remember(const rheo_device *dev, const char *what, const char *text);

/* GFLOP/s of multiply-adds in registers, two operations each: the best of ever longer launches, the last of which took `least` seconds
 * (speed.c). */
rheo_status rheo_device_fma_rate(rheo_device *dev, double least, double *gflops, rheo_error *err);

/* Time of launches, when asked for: profiling costs a queue of its own kind, so it is chosen at opening
 * by RHEO_PROFILE=1. Seconds of the last launch, or -1 where not profiled. */
double rheo_last_launch_seconds(rheo_device *dev);

#endif
