/* Variants that were found faulty on a device (rheo doctor): plans do without them. Kept for each device and driver in the cache folder,
 * beside the winners of measurements (choices.h). */
#ifndef RHEO_GRAPH_FAULTS_H
#define RHEO_GRAPH_FAULTS_H

#include "graph/op.h"

enum { RHEO_FAULT_WHERE = 96, RHEO_FAULT_TEXT = 400, RHEO_FAULTS_MOST = 512 };

typedef struct rheo_fault {
    char where[RHEO_FAULT_WHERE];       /* rheo_fault_where's */
    char variant[32];                   /* "" where there is only one way */
    char verdict[16], date[16];         /* "wrong", "2026-11-26" */
} rheo_fault;

/* All zero is an empty table. */
typedef struct rheo_faults {
    rheo_fault *list;
    int count, capacity;
    char device[128];
} rheo_faults;

/* "conv2d (own or direct)", or "add" where there is no choice. Nodes that the same variants are offered for take the same kernels, so
 * faults are kept by op and that. */
void rheo_fault_where(const rheo_node *n, const rheo_device_facts *dev, char where[RHEO_FAULT_WHERE]);

void rheo_faults_recall(rheo_faults *f, const rheo_device *dev);        /* f is empty before */
/* False: could not be saved. */
bool rheo_faults_remember(const rheo_faults *f, const rheo_device *dev);
void rheo_faults_free(rheo_faults *f);

const rheo_fault *rheo_faults_find(const rheo_faults *f, const char *where, const char *variant);     /* NULL: none is known */
/* Adds or replaces, dated today; verdict NULL removes. False when out of memory or full. */
bool rheo_faults_set(rheo_faults *f, const char *where, const char *variant, const char *verdict);

/* "op conv2d (own or direct): variant own is switched off on DEVICE (rheo doctor, 2026-11-26: wrong)" */
void rheo_fault_text(const rheo_faults *f, const rheo_fault *fault, char text[RHEO_FAULT_TEXT]);
/* Such a line of each; "" where there is none. The caller frees it; NULL when out of memory. */
char *rheo_faults_text(const rheo_faults *f);

#endif
