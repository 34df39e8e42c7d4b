/* Rewriting: copies what the assigns need into a new graph, node by node, asking every rule at each. */
#ifndef RHEO_GRAPH_REWRITE_H
#define RHEO_GRAPH_REWRITE_H

#include "graph/plan.h"

/* live[i]: whether an assign needs node i. The caller frees it; NULL records ENOMEM in the graph. */
bool *rheo_live_nodes(rheo_graph *g);

/* A new graph with the same assigns, in which nodes that are RHEO_SWITCHED_OFF are expanded; the caller destroys it. NULL with err filled
 * on failure. */
rheo_graph *rheo_graph_rewritten(rheo_graph *g, const rheo_rule *const *rules, rheo_error *err);

#endif
