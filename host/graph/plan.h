/* From graph to runs: rewriting, dead-code removal, order, liveness, arena, launches. A plan holds no reference
 * to its graph; it runs as often as wanted over the state it was made for. */
#ifndef RHEO_GRAPH_PLAN_H
#define RHEO_GRAPH_PLAN_H

#include "graph/choices.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "graph/state.h"

/* ---- rewriting: one rule a file in host/op/fuse_*.c ------------------------------------------------ */

/* Looks at node n of the graph being rebuilt, all whose inputs are rebuilt already. On a match it returns true and has
 * replaced those of out[0 .. n->n_out) that now come from elsewhere. */
typedef struct rheo_rewrite rheo_rewrite;
typedef struct rheo_rule {
    const char *name;
    bool (*match)(rheo_rewrite *r, rheo_graph *g, const rheo_node *n, rheo_value *out);
} rheo_rule;
/* Readers of v in the original graph. */
int rheo_rewrite_uses(const rheo_rewrite *r, rheo_value v);
/* Those of them that are still to come, assigns included: what rheo_rewrite_replace reaches. */
int rheo_rewrite_uses_ahead(const rheo_rewrite *r, rheo_value v);
/* The latest node of `op` so far whose input `i` is v, or RHEO_NONE: how a second output finds the node an earlier
 * match made. */
rheo_value rheo_rewrite_find(const rheo_rewrite *r, const rheo_op *op, int i, rheo_value v);
/* What reads `from` in nodes still to come, and in assigns, reads `to` instead, of the same shape: how a match replaces an
 * output of an earlier node. */
void rheo_rewrite_replace(rheo_rewrite *r, rheo_value from, rheo_value to);
/* Replaces every fused op by its expansion: the plain graph that fused ones are tested against. */
extern const rheo_rule rheo_rule_expand;

/* ---- plans ----------------------------------------------------------------------------------------- */

typedef struct rheo_plan_options {
    const rheo_rule *const *rules;      /* NULL-terminated; NULL: none */
    bool separate_buffers;              /* each tensor its own buffer, filled with NaN at death (RHEO_ARENA=0) */
    rheo_choices *choices;              /* of variants; marks those used. NULL: defaults */
    size_t *trial;                      /* not NULL: no buffer is made, nothing can be run; the arenas' bytes are added to it */
} rheo_plan_options;

typedef struct rheo_plan rheo_plan;

/* Compiles all assigns of g for the device its state is bound to, or for the host executor (double, op references).
 * Returns the graph's own first error, if any. */
rheo_status rheo_plan_create(rheo_graph *g, rheo_state *state, const rheo_plan_options *options, rheo_plan **out, rheo_error *err);
void rheo_plan_destroy(rheo_plan *p);       /* accepts NULL */

/* Queues one run (device) or does it (host). */
rheo_status rheo_plan_run(rheo_plan *p, rheo_error *err);

typedef struct rheo_plan_stats {
    int nodes, launches;
    size_t arena_bytes;
} rheo_plan_stats;
rheo_plan_stats rheo_plan_stats_of(const rheo_plan *p);
/* The k-th live node in the order they run, or NULL past the last; lives as long as the plan. */
const rheo_node *rheo_plan_node(const rheo_plan *p, int k);
/* How many live nodes of the plan are of the op with that name. */
int rheo_plan_count_op(const rheo_plan *p, const char *op_name);

/* Runs node by node (gate closed or open as the state has it), reading back; `where` receives layer, op and sample of the
 * first non-finite result, or "". */
rheo_status rheo_plan_find_nonfinite(rheo_plan *p, char *where, size_t where_bytes, rheo_error *err);

/* One run with every launch waited for: the time and launches of each op, the most expensive first. The caller frees *out. */
typedef struct rheo_op_time {
    const char *op;
    double seconds;
    int nodes, launches;
} rheo_op_time;
rheo_status rheo_plan_profile(rheo_plan *p, rheo_op_time **out, int *count, rheo_error *err);

/* Bytes of arena the graph would need, without making a plan (for choosing store or invert). */
rheo_status rheo_plan_measure(rheo_graph *g, const rheo_plan_options *options, const rheo_device_facts *dev, rheo_plan_stats *out, rheo_error *err);

#endif
