/* Which variant (op.h) computes what: a table from (op, shapes, attributes) to the variant's name. Winners of measurements
 * (check/tune.h) are kept for each device and driver in the cache folder, those a run uses in its checkpoints. What the table
 * does not say is the default. What is known to be faulty (faults.h) is not chosen whatever it says. */
#ifndef RHEO_GRAPH_CHOICES_H
#define RHEO_GRAPH_CHOICES_H

#include "graph/faults.h"

enum { RHEO_CHOICE_KEY = 200, RHEO_VARIANT_NAME = 32, RHEO_CHOICES_MOST = 4096 };

typedef struct rheo_choice {
    char *key, *variant;
    bool used; /* by a plan made with this table, or on record as such */
} rheo_choice;

/* All zero is an empty table. */
typedef struct rheo_choices {
    rheo_choice *list;
    int count, capacity;
    int unknown; /* entries whose variant this build does not have: replaced by the default */
    rheo_faults faults;
} rheo_choices;

void rheo_choices_free(rheo_choices *c);
const rheo_choice *rheo_choices_find(const rheo_choices *c, const char *key); /* NULL: not there */
/* Adds or replaces; false when out of memory or full. */
bool rheo_choices_set(rheo_choices *c, const char *key, const char *variant, bool used);

/* "conv2d_dw 8x16x16x512 8x16x16x512 0,1,1,1": the op, its inputs, its attributes word by word. */
void rheo_choice_key(const rheo_node *n, char key[RHEO_CHOICE_KEY]);
bool rheo_variant_offered(const rheo_node *n, int variant, const rheo_device_facts *dev);

/* What is known against this variant of the node, NULL: nothing. */
const rheo_fault *rheo_choices_fault(const rheo_choices *c, const rheo_node *n, int variant, const rheo_device_facts *dev);

/* As the variant of the name of an op of one way: it is expanded. */
#define RHEO_EXPANDED "expanded"

/* Sets n->variant by the node's own entry, else by one of the op's name alone, else 0, or, where that is faulty, to the first that is not
 * and does not round more; and puts on record what was chosen where there was a choice. An entry that names no variant of the node is
 * replaced. Where all variants are faulty, that of a node with an expansion is RHEO_SWITCHED_OFF. Errors: RHEO_ENOMEM; RHEO_EDEVICE where all
 * variants are faulty and there is no expansion. */
rheo_status rheo_choices_pick(rheo_choices *c, rheo_node *n, const rheo_device_facts *dev, rheo_error *err);

/* The device's measured winners and known faults, from the cache folder; winners that are there already stay, entries of
 * an op as a whole too, and half the room is left. */
void rheo_choices_recall(rheo_choices *c, const rheo_device *dev);
/* Adds to, and replaces of, the device's winners. False: could not be saved. */
bool rheo_choices_remember(const rheo_choices *c, const rheo_device *dev);

#endif
