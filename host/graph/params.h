/* A model's parameters: named windows in two flat storages, "theta" (trained) and "fixed" (permutations, signs).
 * Layers add them while a model is created and ask for their values while a graph is built. */
#ifndef RHEO_GRAPH_PARAMS_H
#define RHEO_GRAPH_PARAMS_H

#include "graph/state.h"

/* GAINS: normals around 1, but the last third of each row 0 (factors and shifts of a normalisation). */
typedef enum rheo_param_init { RHEO_INIT_CONSTANT, RHEO_INIT_NORMAL, RHEO_INIT_UNIFORM, RHEO_INIT_GAINS, RHEO_INIT_VALUES } rheo_param_init;

typedef struct rheo_param {
    char *name;              /* "level0.step3.net.conv1.weight" */
    rheo_shape shape;
    bool trained;
    bool convolution;        /* [kh,kw,I,O] here, OIHW in files */
    int64_t offset;          /* in its storage; a multiple of 128 elements, so that it can be a sub-buffer anywhere */
    rheo_param_init init;
    float scale;             /* the constant; standard deviation; half-width of the uniform */
    float *values;           /* RHEO_INIT_VALUES: [count], owned */
    int64_t numbers;         /* free ones: fewer than elements where a triangle is stored in a square */
} rheo_param;

typedef struct rheo_params rheo_params;
rheo_params *rheo_params_create(void);
void rheo_params_destroy(rheo_params *p);       /* accepts NULL */

/* Names are made of what was entered: enter("level0"), enter("actnorm"), add("bias") -> "level0.actnorm.bias". */
void rheo_params_enter(rheo_params *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rheo_params_leave(rheo_params *p);
const char *rheo_params_path(const rheo_params *p);     /* "level0.step3." or "", lent until the next enter or leave */
/* Each returns the parameter's index, or -1 when out of memory (rheo_params_ok is then false). */
int rheo_params_add(rheo_params *p, const char *name, rheo_shape shape, rheo_param_init init, float scale);
int rheo_params_add_convolution(rheo_params *p, const char *name, rheo_shape shape, rheo_param_init init, float scale);
int rheo_params_add_values(rheo_params *p, const char *name, rheo_shape shape, bool trained, const float *values);
void rheo_params_set_numbers(rheo_params *p, int k, int64_t numbers);
bool rheo_params_ok(const rheo_params *p);

int rheo_params_count(const rheo_params *p);
const rheo_param *rheo_params_at(const rheo_params *p, int k);
int rheo_params_find(const rheo_params *p, const char *name);      /* -1: none */
int64_t rheo_params_numbers(const rheo_params *p);                 /* trained scalars that are free */
int64_t rheo_params_flat(const rheo_params *p, bool trained);      /* elements of the storage, padding included; at least 1 */

/* Declares "theta" and "fixed" in the state; *theta and *fixed receive their indices. */
rheo_status rheo_params_declare(const rheo_params *p, rheo_state *s, int *theta, int *fixed, rheo_error *err);
/* Writes initial values: random ones by (seed, purpose init, index of the parameter, element). */
rheo_status rheo_params_write_initial(const rheo_params *p, rheo_state *s, int theta, int fixed, uint64_t seed, rheo_error *err);

/* ---- in a graph under construction ----------------------------------------------------------- */

typedef struct rheo_build {
    rheo_graph *g;
    const rheo_params *params;
    int theta, fixed;        /* storages that parameters are read from; theta may be the moving average's */
    bool initialise;         /* data-dependent layers set their parameters from x (one more plan, run once) */
    bool invert;             /* blocks are rebuilt from their output in the backward pass */
    rheo_value *value;       /* [params]: what stands for a parameter in this graph */
    rheo_value classes;      /* [N or 1,1,1,K], weights of each sample's classes, which sum to 1; RHEO_NONE: not known */
    rheo_value penalty;      /* [N,1,1,1], left by a model's loss: minimised with it, but no part of it; or RHEO_NONE */
} rheo_build;

rheo_status rheo_build_init(rheo_build *b, rheo_graph *g, const rheo_params *params, int theta, int fixed, rheo_error *err);
void rheo_build_finish(rheo_build *b);
/* Zeroed memory that lives as long as the graph, for what its blocks call back; NULL records the error in the graph. */
void *rheo_build_alloc(rheo_build *b, size_t bytes);
rheo_value rheo_param_value(rheo_build *b, int param);
/* From now on the parameter is `v` in this graph, and after the run everywhere. */
void rheo_param_set(rheo_build *b, int param, rheo_value v);

#endif
