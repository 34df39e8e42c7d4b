/* What the files of host/runtime/ share. */
#ifndef RHEO_RUNTIME_INTERNAL_H
#define RHEO_RUNTIME_INTERNAL_H

#include "runtime/cache.h"
#include "runtime/runtime.h"

enum { RHEO_MAX_PROGRAMS = 8 };

/* A device as listed, before it is opened. */
typedef struct rheo_found {
    cl_platform_id platform;
    cl_device_id id;
    char platform_version[128];
    rheo_device_facts facts;
} rheo_found;
/* limits.c: what the environment leaves of a device. */
rheo_status rheo_limits_apply(rheo_device_facts *f, rheo_error *err);
rheo_status rheo_devices_find(rheo_found **out, size_t *count, rheo_error *err);

typedef struct rheo_program {
    const char *name;        /* NULL: the slot is free */
    char *source;
    cl_program handle;
    rheo_cache_key key;
    uint64_t *warm;          /* launch classes seen so far, in this process or before its binary was saved: saved.c */
    size_t n_warm;
    bool unsaved;            /* built or specialised since the binary was last saved */
} rheo_program;

struct rheo_kernel {
    rheo_kernel *next;
    rheo_program *program;
    char *name;
    cl_kernel handle;
    cl_uint n_args;
    size_t max_group;
    uint64_t local_bytes;    /* that its own local variables take */
    uint64_t last_shape[4];  /* of the last launch, for saved.c */
};

typedef struct rheo_memory rheo_memory;

typedef struct rheo_section {
    cl_event begin, marks[RHEO_SECTION_MOST];    /* begin: NULL outside; a mark for each launch */
    bool followed[RHEO_SECTION_MOST];            /* some launch waits for it */
    int n;
} rheo_section;

struct rheo_device {
    rheo_found found;
    char options[RHEO_OPTIONS_TEXT];         /* what every program is built with */
    size_t max_items[3];     /* of a work-group, a dimension */
    rheo_memory *memory;     /* in use: buffer.c */
    bool pocl;               /* rheo_is_pocl; it compiles further at the first launch with a group size: saved.c */
    cl_context context;
    cl_command_queue queue, loose;           /* loose: of sections, in no order; NULL where launches do not overlap */
    rheo_section section;
    bool profile;
    cl_event last_launch;
    rheo_program programs[RHEO_MAX_PROGRAMS];
    rheo_kernel *kernels;
    bool save_at_close;
};

/* buffer.c: bytes of a device's buffers, counted until the driver lets go of them, which may be after the device was closed. */
rheo_memory *rheo_memory_create(void);      /* NULL when out of memory */
void rheo_memory_drop(rheo_memory *m);      /* accepts NULL */

/* device.c */
bool rheo_is_pocl(const rheo_device_facts *f);
rheo_status rheo_device_open_found(const rheo_found *found, rheo_device **out, rheo_error *err);
/* Of what is kept for the device, its driver and the options of its programs. */
rheo_cache_key rheo_device_key(const rheo_device *dev);

/* launch.c: into a queue; of `after` there may be none, and *mark, which the caller releases, may not be wanted. */
rheo_status rheo_launch_into(rheo_device *dev, cl_command_queue queue, rheo_kernel *kernel, rheo_grid grid, const rheo_arg *args, int n_args,
                             const cl_event *after, int n_after, cl_event *mark, rheo_error *err);

/* speed.c: which of n devices (n > 0) is fastest, by a measurement that is remembered. */
size_t rheo_device_fastest(const rheo_found *const *found, size_t n);

/* programs.c: the program of that name, built or loaded. */
rheo_status rheo_program_get(rheo_device *dev, const char *name, rheo_program **out, rheo_error *err);
rheo_status rheo_program_build(rheo_device *dev, const char *name, const char *source, cl_program *out, rheo_error *err);

/* saved.c: programs in the cache. */
bool rheo_program_load(rheo_device *dev, rheo_program *p);
void rheo_program_launched(rheo_device *dev, rheo_kernel *kernel, const rheo_grid *grid);
void rheo_programs_save(rheo_device *dev);

/* clerror.c: "what: CL_OUT_OF_RESOURCES", as RHEO_ENOMEM or RHEO_EDEVICE. */
const char *rheo_cl_error_name(cl_int code);
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
rheo_status rheo_cl_fail(rheo_error *err, cl_int code, const char *format, ...);

#endif
