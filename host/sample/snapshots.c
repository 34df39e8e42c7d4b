#include "sample/snapshots.h"

#include <stdlib.h>

#include "data/png.h"

enum { MOST_ROWS = 10, MOST_COLUMNS = 12 };

rheo_status rheo_snapshots_create(rheo_data_shape shape, uint32_t chains, const rheo_score_schedule *schedule, rheo_snapshots *out,
                                  rheo_error *err)
{
    const uint64_t levels = (uint64_t)(schedule->annealing.levels - schedule->first_level), steps = (uint64_t)schedule->annealing.steps;
    rheo_snapshots s = { .shape = shape, .rows = chains < MOST_ROWS ? chains : MOST_ROWS };
    s.units = levels > 1 ? levels : steps;
    s.unit = levels > 1 ? steps : 1;
    s.columns = s.units + 1 < MOST_COLUMNS ? (uint32_t)s.units + 1 : MOST_COLUMNS;
    if (!shape.bytes || (shape.c != 1 && shape.c != 3)) return rheo_fail(err, RHEO_EINVAL, "snapshots: only of images in 1 or 3 channels");
    s.images = calloc((size_t)s.rows * s.columns, (size_t)rheo_dims(shape));
    if (!s.images) return rheo_fail(err, RHEO_ENOMEM, "snapshots: out of memory");
    *out = s;
    return RHEO_OK;
}

void rheo_snapshots_free(rheo_snapshots *s)
{
    free(s->images);
    s->images = NULL;
}

static void put(rheo_snapshots *s, uint32_t column, const float *x)
{
    const size_t dims = (size_t)rheo_dims(s->shape);
    for (size_t row = 0; row < s->rows; row++) rheo_quantise(x + row * dims, dims, s->images + (row * s->columns + column) * dims);
}

rheo_status rheo_snapshots_take(rheo_snapshots *s, rheo_chain *c, uint64_t step, float *x, rheo_error *err)
{
    const uint32_t last = s->columns - 1;
    if (s->taken >= s->columns || step != (last ? s->taken * s->units / last : 0) * s->unit) return RHEO_OK;
    const rheo_status st = rheo_chain_read(c, x, err);
    if (!st) put(s, s->taken++, x);
    return st;
}

void rheo_snapshots_end(rheo_snapshots *s, const float *x) { put(s, s->columns - 1, x); }

rheo_status rheo_snapshots_write(const rheo_snapshots *s, const char *path, const char *made_by, rheo_error *err)
{
    const rheo_grid_text text = { .about = "left: where chains begin; right: samples; between: states at even distances", .made_by = made_by };
    return rheo_grid_write(path, s->images, s->rows * s->columns, (uint32_t)s->shape.h, (uint32_t)s->shape.w, (uint32_t)s->shape.c,
                           s->columns, &text, err);
}
