/* `rheo tune` as two processes. Drivers may crash or hang in what is measured, so a child measures, and says to its parent what it is
 * about to try and what it has found. The parent prints, and starts another child that goes on where one died. */
#ifndef RHEO_TOOLS_TUNE_CHILD_H
#define RHEO_TOOLS_TUNE_CHILD_H

#include "tool.h"

#define TUNE_CHILD "--child"    /* first argument of a child: rheo tune --child ... */
enum { TUNE_SOCKET = 3, TUNE_KEY = 256, TUNE_NAME = 64, TUNE_WHY = 128, TUNE_LINE = 3072 };

/* From the child, each as a whole struct: both are one program. */
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

/* The child's part, over TUNE_SOCKET: rheo_tune. user and stop of the options are set here. Returns the exit code. */
int tune_measure(rheo_train_options *o);

/* The parent's: argv starts a child, `limit` are the seconds a variant may take (--limit). Returns the exit code. */
int tune_supervise(char **argv, double limit);

#endif
