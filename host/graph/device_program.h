/* What device_record.c writes and device_exec.c runs. */
#ifndef RHEO_GRAPH_DEVICE_PROGRAM_H
#define RHEO_GRAPH_DEVICE_PROGRAM_H

#include "graph/executor.h"

/* Memory that a launch reads, or writes and perhaps reads. */
typedef struct rheo_access {
    rheo_place place;
    bool writes;
} rheo_access;

typedef enum rheo_command_kind { RHEO_LAUNCH, RHEO_CALL, RHEO_FILL_NAN } rheo_command_kind;

typedef struct rheo_command {
    rheo_command_kind kind;
    int32_t node;
    rheo_kernel *kernel;
    rheo_grid grid;
    int n_args;
    rheo_arg *args;             /* of a launch; in the graph's memory, as are the following */
    rheo_access *uses;          /* of a launch */
    int n_uses;
    const uint8_t *after;       /* of a launch in a section that overlaps: those of it that pass first */
    int n_after;
    rheo_call call;
    void *data;                 /* of a call; in the graph's memory */
    cl_mem buffer;              /* of a fill */
    size_t bytes;
} rheo_command;

/* A sub-buffer made for a place, shared by all values that lie there. */
typedef struct rheo_view {
    rheo_place place;
    cl_mem buffer;
} rheo_view;

struct rheo_device_program {
    rheo_graph *g;
    const rheo_layout *l;
    rheo_state *state;
    rheo_device *dev;
    cl_mem *arenas;             /* [n_arenas] */
    rheo_view *views;           /* open addressing by place */
    int n_views, n_buckets;
    rheo_command *commands;
    int n_commands, commands_capacity, n_launches;
    bool *overlaps;             /* each section of RHEO_SECTION_MOST commands */
};

/* Commands of the section that begins with the k-th. */
static inline int rheo_section_length(const rheo_device_program *p, int k)
{
    return p->n_commands - k < RHEO_SECTION_MOST ? p->n_commands - k : RHEO_SECTION_MOST;
}

/* Finds out which launches may run side by side (overlap.c). */
rheo_status rheo_device_program_overlap(rheo_device_program *p, rheo_error *err);

/* The buffer of a place, made on its first use; it belongs to the program. */
rheo_status rheo_device_view(rheo_device_program *p, const rheo_place *place, cl_mem *out, rheo_error *err);

#endif
