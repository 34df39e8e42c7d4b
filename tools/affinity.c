/* Where PoCL's threads run. */
#ifdef __linux__
#define _GNU_SOURCE
#include <sched.h>
#endif
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

void tool_bind_pocl(void)
{
#ifdef __linux__
    cpu_set_t allowed;
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1 || n > CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    for (int k = 0; k < (int)n; ++k)
        if (!CPU_ISSET((size_t)k, &allowed)) return;
    setenv("POCL_AFFINITY", "1", 0);
#endif
}
