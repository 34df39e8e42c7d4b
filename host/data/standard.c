#include "data/standard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rheo_status rheo_standard_copy(const rheo_standard *s, rheo_standard *out, rheo_error *err)
{
    rheo_standard copy = { .columns = s->columns };
    if (s->columns && !(copy.column = malloc(s->columns * sizeof *copy.column))) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    if (s->columns) memcpy(copy.column, s->column, s->columns * sizeof *copy.column);
    *out = copy;
    return RHEO_OK;
}

void rheo_standard_free(rheo_standard *s)
{
    free(s->column);
    *s = (rheo_standard){ .columns = 0 };
}

void rheo_standard_apply(const rheo_standard *s, const float *x, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        const rheo_column *c = s->columns ? &s->column[i % s->columns] : NULL;
        out[i] = c ? (float)((x[i] - c->mean) / c->deviation) : x[i];
    }
}

void rheo_standard_undo(const rheo_standard *s, float *x, size_t count)
{
    for (size_t i = 0; s->columns && i < count; i++) {
        const rheo_column *c = &s->column[i % s->columns];
        x[i] = (float)(c->mean + c->deviation * x[i]);
    }
}

double rheo_standard_nats(const rheo_standard *s, int64_t dims)
{
    double sum = 0;
    for (uint32_t k = 0; k < s->columns; k++) sum += log(s->column[k].deviation);
    return s->columns ? sum * (double)dims / s->columns : 0;
}
