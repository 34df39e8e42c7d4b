/* What an operation brings. One file in host/op/ holds one operation (or one family) whole, ends in its
 * `const rheo_op`, and is registered by one row of host/op/table.c; tests, bench and doctor walk that table. */
#ifndef RHEO_GRAPH_OP_H
#define RHEO_GRAPH_OP_H

#include "graph/graph.h"
#include "runtime/runtime.h"

enum { RHEO_MAX_IN = 512, RHEO_MAX_OUT = 8, RHEO_SAMPLE_IN = 10, RHEO_SWITCHED_OFF = -1 };

struct rheo_node {
    const rheo_op *op;
    int32_t id, region;
    int32_t n_in, n_out;
    int32_t variant;               /* index in op->variants, chosen when a plan is made, or RHEO_SWITCHED_OFF; no part of the node's
                                    * identity */
    const rheo_value *in;          /* [n_in] */
    const rheo_spec *in_spec;      /* [n_in] */
    rheo_spec *out;                /* [n_out] */
    const void *attr;              /* op's own struct, compared byte by byte when merging: zero its padding */
    size_t attr_bytes;
    const char *scope;             /* the layer's name, "" if none */
};

typedef struct rheo_cost { double flops, bytes; } rheo_cost;

/* Records kernel launches while a plan is made; see rheo_emit. */
typedef struct rheo_launcher rheo_launcher;

/* A case for the table's walkers: input specs and attributes, chosen to straddle tile edges. Inputs are filled
 * with reproducible normals, times `scale` (0: 1) plus `shift`, or with integers in [0, below) if below > 0. */
typedef struct rheo_sample_fill {
    double scale, shift;
    uint32_t below;
    bool permutation;        /* instead: a permutation matrix, row r's 1 in column (r + 1) mod C; not differentiated */
    bool fixed;              /* an input that the op takes as a constant: not differentiated */
} rheo_sample_fill;
typedef struct rheo_op_sample {
    int n_in;
    rheo_spec in[RHEO_SAMPLE_IN];
    rheo_sample_fill fill[RHEO_SAMPLE_IN];
    const void *attr;
    size_t attr_bytes;
} rheo_op_sample;

typedef enum rheo_op_flag {
    RHEO_OP_ALIAS = 1,       /* output 0 is input 0's memory (reshape, barrier); no launch */
    RHEO_OP_LEAF = 2,        /* a window on a storage; no launch */
    RHEO_OP_INPLACE = 4,     /* element i of output k depends on no other element of input k: may share its memory */
    RHEO_OP_PACK = 8,        /* output is the inputs one after another: the planner lets producers write there */
    RHEO_OP_NO_GRADIENT = 16,/* derivative is zero or never asked for (counters, random numbers, optimizers) */
    RHEO_OP_LITERAL = 32     /* output 0 is the attr bytes, uploaded once when a plan is made; no launch */
} rheo_op_flag;

struct rheo_op {
    const char *name;
    unsigned flags;

    /* Checks n->in_spec and attributes, sets n->n_out and n->out[]. False after rheo_graph_fail. */
    bool (*infer)(rheo_graph *g, rheo_node *n);

    /* Adds nodes: dx[i] = (d out / d in[i])^T dy, or leaves RHEO_NONE where zero. dy[k] is RHEO_NONE where
     * output k has no gradient. Only for ops without RHEO_OP_NO_GRADIENT. */
    void (*gradient)(rheo_graph *g, const rheo_node *n, const rheo_value *dy, rheo_value *dx);

    /* A fused op: the same outputs from plain ops. Its gradient, where it brings none of its own, is the expansion's, so
     * that fused ops stay closed under differentiation; tests run graphs with and without it (rheo_rule_expand). */
    void (*expand)(rheo_graph *g, const rheo_node *n, rheo_value *out);

    /* An op that undoes part of a layer and passes the rest through (a coupling's inverse): *known is a value made from its
     * inputs that equals *as, made from its output. A rebuilt block may use known in place of as (one evaluation of the
     * conditioner serves inverse and re-run); the gradient that reaches known is handed to as. */
    void (*pass)(rheo_graph *g, const rheo_node *n, rheo_value *known, rheo_value *as);

    /* The ways to compute it by name, the default first, NULL-terminated; NULL: one way, without a name. launch and workspace
     * do what n->variant says; results may differ in rounding only. `offers` says which of them a node has on a device; NULL:
     * all. Index 0 is always offered; but an op of one way, with an expansion, may offer it on some devices only, and is expanded on
     * others. Which is fastest is measured: choices.h. */
    const char *const *variants;
    bool (*offers)(const rheo_node *n, int variant, const rheo_device_facts *dev);
    const double *looseness; /* of each variant, in units of `tolerance`; NULL: 1. One above 1 is used only where it is asked for by name */

    /* Records the launches that compute all outputs. Workspace floats asked for by `workspace` come as rheo_work. */
    rheo_status (*launch)(rheo_launcher *l, const rheo_node *n, rheo_error *err);
    size_t (*workspace)(const rheo_node *n, const rheo_device_facts *dev);     /* NULL: none. In floats. */

    rheo_cost (*cost)(const rheo_node *n);      /* FLOP and bytes moved at least once; NULL: pointwise over the outputs */

    /* The naive reference, in double, in the order of the equation. Integers are held as doubles too. */
    void (*reference)(const rheo_node *n, const double *const *in, double *const *out);

    int n_samples;
    const rheo_op_sample *samples;
    double tolerance;        /* |device - reference| <= tolerance * eps32 * (scale of the data): k, with its derivation beside it */
};

static inline double rheo_looseness(const rheo_op *op, int variant) { return op->looseness && variant > 0 ? op->looseness[variant] : 1; }

/* What the attributes of a RHEO_OP_PACK op begin with: where in the output inputs 0..n-1 lie, in elements.
 * Inputs from n on are the op's own. */
typedef struct rheo_pack_attr { int64_t count, n, offset[]; } rheo_pack_attr;

/* ---- for launch functions ------------------------------------------------------------------------ */

const rheo_device_facts *rheo_launcher_facts(const rheo_launcher *l);
cl_mem rheo_in(const rheo_launcher *l, int i);
cl_mem rheo_out(const rheo_launcher *l, int k);
cl_mem rheo_work(const rheo_launcher *l);
/* Whether the planner let input i of a RHEO_OP_PACK node be computed inside the output: nothing to copy then. */
bool rheo_in_place_of_pack(const rheo_launcher *l, int i);
/* Appends a launch of `kernel` from `program` to the plan. */
rheo_status rheo_emit(rheo_launcher *l, const char *program, const char *kernel, rheo_grid grid, int n_args, const rheo_arg *args,
                      rheo_error *err);
/* Appends a call of a library that queues kernels of its own on rheo_device_queue: every run calls call(dev, data, err) with a
 * copy of these bytes. It queues the same work each time and does not wait for it. */
typedef rheo_status (*rheo_call)(rheo_device *dev, const void *data, rheo_error *err);
rheo_status rheo_emit_call(rheo_launcher *l, rheo_call call, const void *data, size_t bytes, rheo_error *err);
/* rheo_emit with the arguments written out: RHEO_EMIT(l, err, "pointwise", "add", grid, RHEO_BUF(..), RHEO_INT(..)) */
#define RHEO_EMIT(l, err, program, kernel, grid, ...)                                                   \
    rheo_emit((l), (program), (kernel), (grid), (int)(sizeof((rheo_arg[]){ __VA_ARGS__ }) / sizeof(rheo_arg)), \
              (const rheo_arg[]){ __VA_ARGS__ }, (err))
/* A grid for `items` independent pieces of about `item_bytes` traffic each, walked by FOR_ITEMS of cl/common.cl:
 * on a CPU a few chunks a core, on a GPU one work-item each up to a bound. */
rheo_grid rheo_grid_items(const rheo_launcher *l, int64_t items);
/* Work-groups of one work-item (the CPU kernels' shape): x, y, z groups. */
rheo_grid rheo_grid_single(int64_t x, int64_t y, int64_t z);

#endif
