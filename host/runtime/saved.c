/* Program binaries in the cache folder.
 *
 * PoCL compiles in three stages: the program when it is built (about a second), a kernel when it is first launched
 * with a group size and class of grid (tenths of a second), and every kernel once more, for any group size, when a
 * binary is fetched (seconds). A binary holds what was compiled until it was fetched; but each program object is
 * fetched only once, and one made from a binary gives back that binary. So the launch classes seen are kept with
 * the binary, a new one makes it worth saving again, and saving builds the program anew, which PoCL answers from its
 * own cache, and fetches from that. It waits until the device is closed: launches during a fetch would wait for
 * PoCL's compiler, and at times trip an assertion in its cache of loaded kernels (3.1). */
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"

enum { MAX_WARM = 4096 };

/* ---- launch classes --------------------------------------------------------------------------------------------- */

static bool warm_has(const rheo_program *p, uint64_t class)
{
    for (size_t k = 0; k < p->n_warm; ++k)
        if (p->warm[k] == class) return true;
    return false;
}

/* What PoCL specialises a kernel for: the group, and whether the grid is below its limit for 16-bit indices. A group
 * left to the driver depends on the grid. */
void rheo_program_launched(rheo_device *dev, rheo_kernel *kernel, const rheo_grid *grid)
{
    enum { SMALL_GRID = 65535 };
    rheo_program *p = kernel->program;
    rheo_cache_key key = RHEO_CACHE_KEY_INIT;
    bool small = true;
    if (!dev->pocl) return;
    for (int d = 0; d < 3; ++d) small = small && grid->global[d] < SMALL_GRID;
    const size_t *group = grid->local[0] ? grid->local : grid->global;
    const uint64_t shape[4] = { group[0], group[1], group[2], small };
    if (memcmp(shape, kernel->last_shape, sizeof shape) == 0) return;
    memcpy(kernel->last_shape, shape, sizeof shape);
    rheo_cache_key_text(&key, kernel->name);
    rheo_cache_key_add(&key, shape, sizeof shape);
    if (p->n_warm >= MAX_WARM || warm_has(p, key.word[0])) return;
    uint64_t *grown = realloc(p->warm, (p->n_warm + 1) * sizeof *grown);
    if (!grown) return;
    p->warm = grown;
    p->warm[p->n_warm++] = key.word[0];
    p->unsaved = true;
}

/* ---- loading ------------------------------------------------------------------------------------------------------ */

/* A file holds the number of launch classes, the classes, and the binary. */
bool rheo_program_load(rheo_device *dev, rheo_program *p)
{
    const cl_device_id id = dev->found.id;
    void *data = NULL;
    uint64_t *warm = NULL;
    size_t bytes = 0;
    uint64_t n = 0;
    cl_int code = CL_SUCCESS, status = CL_SUCCESS;
    cl_program handle = NULL;
    bool ok = false;
    if (!rheo_cache_get(p->name, p->key, &data, &bytes)) return false;
    if (bytes < sizeof n) goto done;
    memcpy(&n, data, sizeof n);
    if (n > MAX_WARM || bytes <= (n + 1) * sizeof n) goto done;
    warm = malloc((n + 1) * sizeof *warm);
    if (!warm) goto done;
    memcpy(warm, (const char *)data + sizeof n, n * sizeof n);
    const unsigned char *binary = (const unsigned char *)data + (n + 1) * sizeof n;
    const size_t length = bytes - (n + 1) * sizeof n;
    handle = clCreateProgramWithBinary(dev->context, 1, &id, &length, &binary, &status, &code);
    if (!handle || code != CL_SUCCESS || status != CL_SUCCESS) goto done;
    if (clBuildProgram(handle, 1, &id, dev->options, NULL, NULL) != CL_SUCCESS) goto done;
    free(p->warm);
    p->warm = warm;
    p->n_warm = n;
    p->handle = handle;
    warm = NULL;
    handle = NULL;
    ok = true;
done:
    if (handle) clReleaseProgram(handle);
    free(warm);
    free(data);
    return ok;
}

/* ---- saving --------------------------------------------------------------------------------------------------------- */

static void save(rheo_device *dev, rheo_program *p)
{
    size_t length = 0;
    unsigned char *data = NULL, *binary = NULL;
    cl_program handle = p->handle;
    const uint64_t n = p->n_warm;
    const size_t before = (p->n_warm + 1) * sizeof n;
    if (dev->pocl && rheo_program_build(dev, p->name, p->source, &handle, NULL)) return;
    if (clGetProgramInfo(handle, CL_PROGRAM_BINARY_SIZES, sizeof length, &length, NULL) != CL_SUCCESS || length == 0) goto done;
    data = malloc(before + length);
    if (!data) goto done;
    memcpy(data, &n, sizeof n);
    if (n) memcpy(data + sizeof n, p->warm, n * sizeof n);
    binary = data + before;
    if (clGetProgramInfo(handle, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS && binary)
        p->unsaved = !rheo_cache_put(p->name, p->key, data, before + length);
done:
    free(data);
    if (handle != p->handle) clReleaseProgram(handle);
}

void rheo_programs_save(rheo_device *dev)
{
    if (!rheo_cache_usable()) return;
    for (int k = 0; k < RHEO_MAX_PROGRAMS && dev->programs[k].name; ++k)
        if (dev->programs[k].unsaved) save(dev, &dev->programs[k]);
}

void rheo_cache_save(rheo_device *dev)
{
    if (dev->pocl) dev->save_at_close = true;
    else rheo_programs_save(dev);
}
