/* What the two processes of `rheo tune` (child.h) say to each other. */
#ifndef RHEO_TOOLS_TUNE_CHILD_H
#define RHEO_TOOLS_TUNE_CHILD_H

#include "child.h"

enum { TUNE_KEY = 256, TUNE_NAME = 64, TUNE_WHY = TOOL_CHILD_WHY, TUNE_LINE = 3072 };

/* From the child. */
typedef struct tune_message {
    enum { TUNE_TRIES, TUNE_FOUND, TUNE_ENDS } what;
    int variant;                /* tries: its number, 0 the default; found: the winner's */
    int count;                  /* operations */
    char key[TUNE_KEY];         /* of the operation */
    char name[TUNE_NAME];       /* tries: the variant's */
    char line[TUNE_LINE];       /* found: what is printed of it */
    rheo_error err;             /* ends: how */
} tune_message;

/* To it, after all but the last. */
typedef struct tune_answer {
    int stop;
    char refused[TUNE_WHY];     /* why it is not to be tried; "" else */
} tune_answer;

/* The child's part, rheo_tune. user and stop of the options are set here. Returns the exit code. */
int tune_measure(rheo_train_options *o);

/* The parent's: argv starts a child, `limit` are the seconds a variant may take (--limit). Returns the exit code. */
int tune_supervise(char **argv, double limit);

#endif
