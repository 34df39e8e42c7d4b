#include "gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

char *gnuplot_quoted(const char *before, const char *text)
{
    char *quoted = malloc(strlen(before) + 2 * strlen(text) + 3), *to = quoted;
    if (!quoted) return NULL;
    to += sprintf(to, "%s'", before);
    for (const char *c = text; *c; c++) {
        if (*c == '\'') *to++ = '\'';
        *to++ = *c;
    }
    sprintf(to, "'");
    return quoted;
}

gnuplot_drawing gnuplot_draw(const char *folder, const char *script)
{
    char *cd = gnuplot_quoted("cd ", folder), *copy = strdup(script), program[] = "gnuplot", option[] = "-e";
    char *const argv[] = { program, option, cd, copy, NULL };
    pid_t child;
    int status = 0;
    gnuplot_drawing drawn = GNUPLOT_FAILED;
    const int refused = cd && copy ? posix_spawnp(&child, program, NULL, NULL, argv, environ) : ENOMEM;
    if (refused == ENOENT) {
        drawn = GNUPLOT_MISSING;
    } else if (!refused) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (WIFEXITED(status)) drawn = WEXITSTATUS(status) == 0 ? GNUPLOT_DREW : WEXITSTATUS(status) == 127 ? GNUPLOT_MISSING : GNUPLOT_FAILED;
    }
    free(cd);
    free(copy);
    return drawn;
}
