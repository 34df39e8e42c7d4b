/* The command as a process: started, waited for or killed, its output kept. */
#ifndef RHEO_TESTS_PROCESS_H
#define RHEO_TESTS_PROCESS_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESS_ARGS = 48, NOBODY = 65534, CANNOT_START = 126 };

typedef struct process {
    const char *args[PROCESS_ARGS];      /* without the program, NULL behind the last */
    const char *set[8];                  /* "NAME=value" for its environment */
    rlim_t largest_file;                 /* bytes; 0: no limit */
    int as_nobody;                       /* where the test is root */
    const char *output;                  /* a file for what it prints, on both ways */
} process;

static inline pid_t process_start(const process *c)
{
    const char *argv[PROCESS_ARGS + 2] = { RHEO_COMMAND };
    int n = 0;
    for (; c->args[n]; n++) argv[n + 1] = c->args[n];
    fflush(NULL);
    const pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid) return pid;
    const int fd = open(c->output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(fd, 1);
    dup2(fd, 2);
    for (int k = 0; k < 8 && c->set[k]; k++) putenv((char *)c->set[k]);
    if (c->largest_file) setrlimit(RLIMIT_FSIZE, &(struct rlimit){ c->largest_file, c->largest_file });
    if (c->as_nobody && geteuid() == 0 && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))) _exit(CANNOT_START);
    execv(RHEO_COMMAND, (char **)argv);
    _exit(CANNOT_START);
}

/* The exit code; -1 after a signal. */
static inline int process_wait(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int process_run(const process *c) { return process_wait(process_start(c)); }

static inline void process_output(const process *c, char *text, size_t bytes)
{
    FILE *f = fopen(c->output, "r");
    cr_assert(f, "%s", c->output);
    text[fread(text, 1, bytes - 1, f)] = '\0';
    fclose(f);
}

#endif
