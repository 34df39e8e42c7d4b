#include "child.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 3          /* to finish after Ctrl-C */
#define SLICE 0.5               /* of waiting; where it takes longer, this process was stopped, and its child too */

extern char **environ;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the parent ------------------------------------------------------------------------------------------------- */

char **tool_child_argv(int argc, char **argv, int more)
{
    static char mark[] = TOOL_CHILD;
    char **copy = calloc((size_t)(argc + 3 + more), sizeof *copy);
    if (!copy) return NULL;
    copy[0] = argv[-1];
    copy[1] = argv[0];
    copy[2] = mark;
    for (int k = 1; k < argc; ++k) copy[k + 2] = argv[k];
    return copy;
}

static bool fail(rheo_error *err, const char *text)
{
    err->status = RHEO_EDEVICE;
    snprintf(err->text, sizeof err->text, "%s", text);
    return false;
}

bool tool_child_start(tool_child *c, char **argv, rheo_error *err)
{
    int pair[2];
    posix_spawn_file_actions_t actions;
    *c = (tool_child){ .allowed = INFINITY };
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return fail(err, strerror(errno));
    int refused = posix_spawn_file_actions_init(&actions);
    if (!refused) {
        refused = posix_spawn_file_actions_addclose(&actions, pair[0]);
        if (!refused && pair[1] != TOOL_CHILD_SOCKET) refused = posix_spawn_file_actions_adddup2(&actions, pair[1], TOOL_CHILD_SOCKET);
        if (!refused && pair[1] != TOOL_CHILD_SOCKET) refused = posix_spawn_file_actions_addclose(&actions, pair[1]);
        if (!refused) refused = posix_spawn(&c->pid, "/proc/self/exe", &actions, NULL, argv, environ);
        if (refused == ENOENT) refused = posix_spawnp(&c->pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(pair[1]);
    c->socket = pair[0];
    if (!refused) return true;
    close(pair[0]);
    return fail(err, strerror(refused));
}

bool tool_child_next(tool_child *c, const volatile int *stop, void *message, size_t bytes)
{
    bool stopping = false;
    c->waited = 0;
    for (;;) {
        if (*stop && !stopping) c->allowed = fmin(c->allowed, c->waited + STOP_SECONDS);
        stopping = *stop != 0;
        c->late = c->waited >= c->allowed;
        if (c->late) return false;
        const double wait = fmin(c->allowed - c->waited, SLICE), began = now();
        struct pollfd p = { c->socket, POLLIN, 0 };
        const int ready = poll(&p, 1, (int)(1e3 * wait) + 1);
        c->waited += fmin(now() - began, SLICE);
        if (ready > 0) return recv(c->socket, message, bytes, MSG_WAITALL) == (ssize_t)bytes;
    }
}

void tool_child_answer(const tool_child *c, const void *answer, size_t bytes)
{
    (void)send(c->socket, answer, bytes, MSG_NOSIGNAL);     /* one that died meanwhile is seen by the next recv */
}

void tool_child_end(tool_child *c)
{
    kill(c->pid, SIGKILL);      /* which one that has ended does not notice */
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR) {
    }
    close(c->socket);
}

void tool_child_describe(const tool_child *c, char why[TOOL_CHILD_WHY])
{
    if (c->late)
        snprintf(why, TOOL_CHILD_WHY, "did not finish in %.0f s", c->allowed);
    else if (WIFSIGNALED(c->status))
        snprintf(why, TOOL_CHILD_WHY, "crashed (%s)", strsignal(WTERMSIG(c->status)));
    else
        snprintf(why, TOOL_CHILD_WHY, "ended the process (status %d)", WEXITSTATUS(c->status));
}

/* ---- the child ---------------------------------------------------------------------------------------------------- */

bool tool_child_begin(void)
{
    int type = 0;
    socklen_t bytes = sizeof type;
    if (getsockopt(TOOL_CHILD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &bytes)) return false;
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);                   /* hanging in a driver, it would not see its parent go */
#endif
    fcntl(TOOL_CHILD_SOCKET, F_SETFD, FD_CLOEXEC);      /* compilers that a driver starts do not hold it open */
    return true;
}

bool tool_child_say(const void *message, size_t bytes) { return send(TOOL_CHILD_SOCKET, message, bytes, MSG_NOSIGNAL) == (ssize_t)bytes; }

void tool_child_ask(const void *message, size_t bytes, void *answer, size_t answer_bytes)
{
    if (!tool_child_say(message, bytes) || recv(TOOL_CHILD_SOCKET, answer, answer_bytes, MSG_WAITALL) != (ssize_t)answer_bytes)
        _exit(TOOL_FAILED);
}
