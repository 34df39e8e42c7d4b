/* The picture of chains on their way: a row a chain, a column a moment (score 13). */
#ifndef RHEO_SAMPLE_SNAPSHOTS_H
#define RHEO_SAMPLE_SNAPSHOTS_H

#include "sample/draw_score.h"

typedef struct rheo_snapshots {
    rheo_data_shape shape;
    uint32_t rows, columns;
    uint64_t units, unit; /* columns stand at even distances of `units` units, each of `unit` steps */
    uint32_t taken;
    uint8_t *images; /* [rows, columns, h, w, c] */
} rheo_snapshots;

/* Of `chains` chains at most 10. */
rheo_status rheo_snapshots_create(rheo_data_shape shape, uint32_t chains, const rheo_score_schedule *s, rheo_snapshots *out,
                                  rheo_error *err);
void rheo_snapshots_free(rheo_snapshots *s); /* a zeroed one is fine */

/* Keeps the chains' state after `step` steps, if a column stands there. x [n, h, w, c] is read into. */
rheo_status rheo_snapshots_take(rheo_snapshots *s, rheo_chain *c, uint64_t step, float *x, rheo_error *err);
void rheo_snapshots_end(rheo_snapshots *s, const float *x); /* the last column: what was drawn */
rheo_status rheo_snapshots_write(const rheo_snapshots *s, const char *path, const char *made_by, rheo_error *err);

#endif
