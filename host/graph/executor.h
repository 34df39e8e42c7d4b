/* What the two executors share with plan.c. */
#ifndef RHEO_GRAPH_EXECUTOR_H
#define RHEO_GRAPH_EXECUTOR_H

#include "graph/layout.h"
#include "graph/plan.h"

typedef struct rheo_device_program rheo_device_program;     /* recorded launches and the buffers they use */

/* Allocates arenas, records every launch, uploads literals. g and layout must outlive it. */
rheo_status rheo_device_program_create(rheo_graph *g, const rheo_layout *layout, rheo_state *state, bool separate,
                                       rheo_device_program **out, rheo_error *err);
void rheo_device_program_destroy(rheo_device_program *p);
rheo_status rheo_device_program_run(rheo_device_program *p, rheo_error *err);
int rheo_device_program_launches(const rheo_device_program *p);
/* Runs node by node and reads every floating-point output back: the first node with a non-finite element, or -1; *sample
 * receives its index along N. Nothing is assigned that the run itself would not assign in place. */
rheo_status rheo_device_program_find_nonfinite(rheo_device_program *p, int *node, int64_t *sample, rheo_error *err);

/* One run with every launch timed on its own: seconds added by node. */
rheo_status rheo_device_program_profile(rheo_device_program *p, double *seconds, int *launches, rheo_error *err);

/* Evaluates the graph through the ops' references in double. */
rheo_status rheo_host_run(rheo_graph *g, const rheo_layout *layout, rheo_state *state, rheo_error *err);

#endif
