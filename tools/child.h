/* A command as two processes. What drivers do may crash or hang, so a child does the work, and says what it is about to try and what it has
 * found; the parent prints, and starts another child where one died. Messages are whole structs: both are one program. */
#ifndef RHEO_TOOLS_CHILD_H
#define RHEO_TOOLS_CHILD_H

#include <sys/types.h>

#include "tool.h"

#define TOOL_CHILD "--child"    /* first argument of a child: rheo tune --child ... */
enum { TOOL_CHILD_SOCKET = 3, TOOL_CHILD_WHY = 128 };

/* ---- the parent ------------------------------------------------------------------------------------------------- */

typedef struct tool_child {
    pid_t pid;
    int socket;
    double waited, allowed;     /* seconds since its last message, and how many it may take; INFINITY at first */
    bool late;
    int status;                 /* once it has ended */
} tool_child;

/* argv of a child: as this process was called, and the mark. Options are lent; NULL when out of memory; to be freed. `more` is how many
 * NULLs there are at the end, for what the caller adds. */
char **tool_child_argv(int argc, char **argv, int more);

bool tool_child_start(tool_child *c, char **argv, rheo_error *err);
/* Its next message. False: it died, or is late; once *stop is set it has 3 seconds left. */
bool tool_child_next(tool_child *c, const volatile int *stop, void *message, size_t bytes);
void tool_child_answer(const tool_child *c, const void *answer, size_t bytes);
/* Ends it where it has not ended. */
void tool_child_end(tool_child *c);
/* Of an ended one: "crashed (Segmentation fault)", "did not finish in 60 s", ... */
void tool_child_describe(const tool_child *c, char why[TOOL_CHILD_WHY]);

/* ---- the child ---------------------------------------------------------------------------------------------------- */

/* False: this process was not started as a child. */
bool tool_child_begin(void);
bool tool_child_say(const void *message, size_t bytes);
/* Waits for the answer. A lost parent ends it all: its user is gone. */
void tool_child_ask(const void *message, size_t bytes, void *answer, size_t answer_bytes);

#endif
