/* A folder for one test's files, removed with what is in it. */
#ifndef RHEO_TESTS_SCRATCH_H
#define RHEO_TESTS_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct scratch {
    char folder[64], path[336];
} scratch;

static inline scratch scratch_make(void)
{
    scratch s = { "/tmp/rheo-test-XXXXXX", "" };
    if (!mkdtemp(s.folder)) abort();
    return s;
}

/* Path of a file in it; valid until the next call. */
static inline const char *scratch_file(scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->folder, name);
    return s->path;
}

static inline void scratch_put(scratch *s, const char *name, const void *data, size_t bytes)
{
    FILE *f = fopen(scratch_file(s, name), "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f)) abort();
}

/* What a file holds, as text of less than `size` bytes. */
static inline void scratch_text(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    if (!f) abort();
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static inline int scratch_count(const scratch *s)
{
    int n = 0;
    DIR *d = opendir(s->folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static inline void scratch_remove(scratch *s)
{
    DIR *d = opendir(s->folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlink(scratch_file(s, e->d_name));
    if (d) closedir(d);
    rmdir(s->folder);
}

#endif
