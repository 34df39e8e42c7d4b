/* What subcommands write samples as: pictures, arrays, tables. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

static rheo_status write_points(const char *path, const float *x, uint32_t n, uint32_t c, rheo_error *err)
{
    FILE *f = fopen(path, "w");
    for (uint32_t i = 0; f && i < n; ++i)
        for (uint32_t k = 0; k < c; ++k) fprintf(f, "%.9g%c", (double)x[i * c + k], k + 1 == c ? '\n' : ',');
    const bool failed = !f || ferror(f);
    if ((f && fclose(f)) || failed) {
        err->status = RHEO_EFILE;
        snprintf(err->text, sizeof err->text, "%.400s: cannot be written", path);
    }
    return err->status;
}

rheo_status tool_write_samples(const char *path, const void *x, uint32_t n, const rheo_checkpoint_facts *f, uint32_t columns,
                               const char *about, rheo_error *err)
{
    const size_t count = (size_t)n * f->h * f->w * f->c;
    const unsigned char *bytes = x;
    if (f->vectors) return tool_ends_in(path, ".npy") ? rheo_npy_write(path, x, n, f->h, f->w, f->c, err) : write_points(path, x, n, f->c, err);
    if (!tool_ends_in(path, ".npy")) return rheo_grid_write(path, x, n, f->h, f->w, f->c, columns, about, err);
    float *floats = malloc(count * sizeof *floats);
    if (!floats) return err->status = RHEO_ENOMEM;
    for (size_t k = 0; k < count; ++k) floats[k] = (float)bytes[k] / 255;
    const rheo_status st = rheo_npy_write(path, floats, n, f->h, f->w, f->c, err);
    free(floats);
    return st;
}
