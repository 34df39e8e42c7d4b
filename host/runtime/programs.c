/* Programs: which .cl files they are made of, and building them. Few, because each costs about a second to build on
 * PoCL; built at the first use of one of their kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/internal.h"
#include "runtime/sources.h"

enum { MAX_FILES = 24 };

/* cl/common.cl comes before these in every program. */
static const struct { const char *name; const char *files[MAX_FILES]; } table[RHEO_MAX_PROGRAMS] = {
    { "device", { "device.cl" } },
    { "pointwise", { "elu.cl", "pointwise.cl", "reduce.cl", "sums.cl", "optimizer.cl" } },
    { "conv2d", { "conv2d.cl", "conv2d_patch.cl", "conv2d_columns.cl", "conv2d_stack.cl", "conv2d_stack_backward.cl", "conv2d_few.cl", "conv2d_dw.cl",
                  "conv2d_simt.cl" } },
    { "flow", { "affine.cl", "coupling.cl", "lu.cl", "triangular.cl", "sums.cl", "gaussian.cl" } },
    { "index", { "copy.cl", "philox.cl", "random.cl", "langevin.cl" } },
    { "score", { "elu.cl", "lanes.cl", "instance_norm.cl", "pool.cl", "resize.cl" } },
    { "winograd", { "conv2d.cl", "winograd_f23.cl", "winograd.cl", "conv2d_winograd.cl", "conv2d_winograd_few.cl", "conv2d_winograd_dw.cl" } },
    { "winograd_f43", { "conv2d.cl", "winograd_f43.cl", "winograd.cl", "conv2d_winograd.cl", "conv2d_winograd_dw.cl" } },
};

static const char *const *files_of(const char *program)
{
    for (int p = 0; p < RHEO_MAX_PROGRAMS; ++p)
        if (table[p].name && strcmp(table[p].name, program) == 0) return table[p].files;
    return NULL;
}

/* ---- sources ------------------------------------------------------------------------------------------------ */

typedef struct text { char *data; size_t length, room; } text;

static bool append(text *t, const char *data, size_t length)
{
    if (t->room - t->length <= length) {
        const size_t room = 2 * t->room + length + 1;
        char *grown = realloc(t->data, room);
        if (!grown) return false;
        t->data = grown;
        t->room = room;
    }
    memcpy(t->data + t->length, data, length);
    t->length += length;
    t->data[t->length] = 0;
    return true;
}

/* The file from $RHEO_CL_DIR, for those who write kernels. */
static rheo_status append_from_folder(text *t, const char *folder, const char *name, bool *found, rheo_error *err)
{
    char path[1024], block[4096];
    size_t n = 0;
    rheo_status st = RHEO_OK;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    *found = file != NULL;
    if (!file) return RHEO_OK;
    while ((n = fread(block, 1, sizeof block, file)) > 0) {
        if (!append(t, block, n)) {
            st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
            goto done;
        }
    }
    if (ferror(file)) st = rheo_fail(err, RHEO_EFILE, "%s: cannot be read", path);
done:
    fclose(file);
    return st;
}

static rheo_status append_file(text *t, const char *name, rheo_error *err)
{
    const char *folder = getenv("RHEO_CL_DIR");
    char line[160];
    bool found = false;
    const int n = snprintf(line, sizeof line, "%s#line 1 \"%s\"\n", t->length ? "\n" : "", name);
    if (!append(t, line, (size_t)n)) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (folder && *folder) {
        const rheo_status st = append_from_folder(t, folder, name, &found, err);
        if (st || found) return st;
    }
    for (const rheo_cl_file *f = rheo_cl_table; f->name; ++f) {
        if (strcmp(f->name, name) != 0) continue;
        return append(t, f->text, f->bytes) ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    return rheo_fail(err, RHEO_EINVAL, "%s is not among the embedded kernels", name);
}

const char *rheo_program_name(int k)
{
    return k >= 0 && k < RHEO_MAX_PROGRAMS ? table[k].name : NULL;
}

rheo_status rheo_program_source(const char *program, char **out, rheo_error *err)
{
    const char *const *files = files_of(program);
    text t = { 0 };
    if (!files) return rheo_fail(err, RHEO_EINVAL, "there is no program %s", program);
    rheo_status st = append_file(&t, "common.cl", err);
    for (int k = 0; k < MAX_FILES && files[k] && !st; ++k) st = append_file(&t, files[k], err);
    if (st) free(t.data);
    else *out = t.data;
    return st;
}

/* ---- building ------------------------------------------------------------------------------------------------- */

/* The log's first line that speaks of an error, else its first that is not blank. */
static void first_error(const char *log, char *line, size_t bytes)
{
    const char *best = NULL;
    for (const char *p = log; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const size_t n = strcspn(p, "\n");
        char one[512];
        snprintf(one, sizeof one, "%.*s", (int)(n < 400 ? n : 400), p);
        if (!best && strspn(one, " \t\r") < strlen(one)) best = p;
        if (strstr(one, "error") || strstr(one, "Error")) {
            best = p;
            break;
        }
    }
    if (best) snprintf(line, bytes, "%.*s", (int)strcspn(best, "\r\n"), best);
    else snprintf(line, bytes, "no build log");
}

rheo_status rheo_program_build(rheo_device *dev, const char *name, const char *source, cl_program *out, rheo_error *err)
{
    const cl_device_id id = dev->found.id;
    cl_int code = CL_SUCCESS;
    size_t bytes = 0;
    cl_program handle = clCreateProgramWithSource(dev->context, 1, &source, NULL, &code);
    if (!handle) return rheo_cl_fail(err, code, "program %s: clCreateProgramWithSource", name);
    code = clBuildProgram(handle, 1, &id, dev->options, NULL, NULL);
    if (code == CL_SUCCESS) {
        *out = handle;
        return RHEO_OK;
    }
    char line[320] = "no build log", *log = NULL;
    if (clGetProgramBuildInfo(handle, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) == CL_SUCCESS && (log = calloc(bytes + 1, 1))
        && clGetProgramBuildInfo(handle, id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) == CL_SUCCESS)
        first_error(log, line, sizeof line);
    free(log);
    clReleaseProgram(handle);
    return rheo_fail(err, RHEO_EDEVICE, "program %s: %s: %s", name, rheo_cl_error_name(code), line);
}

static void make_key(const rheo_device *dev, rheo_program *p)
{
    p->key = rheo_device_key(dev);
    rheo_cache_key_text(&p->key, p->source);
}

rheo_status rheo_program_get(rheo_device *dev, const char *name, rheo_program **out, rheo_error *err)
{
    rheo_program *p = NULL;
    rheo_status st = RHEO_OK;
    for (int k = 0; k < RHEO_MAX_PROGRAMS && !p; ++k) {
        if (!dev->programs[k].name) p = &dev->programs[k];
        else if (strcmp(dev->programs[k].name, name) == 0) {
            *out = &dev->programs[k];
            return RHEO_OK;
        }
    }
    if (!p || !files_of(name)) return rheo_fail(err, RHEO_EINVAL, "there is no program %s", name);
    free(p->source);
    p->source = NULL;
    st = rheo_program_source(name, &p->source, err);
    if (st) return st;
    make_key(dev, p);
    for (int k = 0; k < RHEO_MAX_PROGRAMS; ++k)
        if (table[k].name && strcmp(table[k].name, name) == 0) p->name = table[k].name;
    if (!rheo_program_load(dev, p)) {
        st = rheo_program_build(dev, name, p->source, &p->handle, err);
        p->unsaved = true;
    }
    if (st) p->name = NULL;
    else *out = p;
    return st;
}

rheo_status rheo_program_kernels(rheo_device *dev, const char *program, unsigned *count, rheo_error *err)
{
    enum { MOST = 512 };
    cl_kernel kernels[MOST];
    cl_uint n = 0;
    rheo_program *p = NULL;
    const rheo_status st = rheo_program_get(dev, program, &p, err);
    if (st) return st;
    const cl_int code = clCreateKernelsInProgram(p->handle, MOST, kernels, &n);
    if (code != CL_SUCCESS) return rheo_cl_fail(err, code, "program %s: clCreateKernelsInProgram", program);
    for (cl_uint k = 0; k < n && k < MOST; ++k) clReleaseKernel(kernels[k]);
    *count = n;
    return RHEO_OK;
}
