/* Between libFuzzer and a parser: inputs become a file in memory, seeds a folder of files that libFuzzer is pointed at. */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

const char *__asan_default_options(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Freed blocks of megabytes, kept apart to find late uses, would add up to more than libFuzzer allows a process. */
const char *__asan_default_options(void) { return "quarantine_size_mb=32"; }

static char folder[64], seeds[80];
static int n_seeds;

static void remove_files(const char *in)
{
    char path[400];
    DIR *d = opendir(in);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", in, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(in);
}

static void clean(void)
{
    remove_files(seeds);
    remove_files(folder);
}

const char *fuzz_folder(void) { return folder; }

void fuzz_seed(const void *data, size_t bytes)
{
    char path[120];
    snprintf(path, sizeof path, "%s/%03d", seeds, n_seeds++);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f)) abort();
}

void fuzz_seed_gz(const void *data, size_t bytes)
{
    char path[120];
    snprintf(path, sizeof path, "%s/%03d", seeds, n_seeds++);
    gzFile f = gzopen(path, "wb");
    if (!f || gzwrite(f, data, (unsigned)bytes) != (int)bytes || gzclose(f) != Z_OK) abort();
}

void fuzz_seed_file(const char *path)
{
    static char data[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) abort();
    fuzz_seed(data, fread(data, 1, sizeof data, f));
    fclose(f);
}

void fuzz_check(rheo_status status, const rheo_error *err)
{
    if (!status) return;
    if (err->status != status || !err->text[0]) abort();
    for (const char *c = err->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) abort();
}

/* The folder of seeds becomes the last operand: one before it is where new inputs are kept. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char **args = calloc((size_t)*argc + 2, sizeof *args);
    strcpy(folder, "files-XXXXXX");
    if (!args || !mkdtemp(folder)) abort();
    snprintf(seeds, sizeof seeds, "%s/seeds", folder);
    if (mkdir(seeds, 0700)) abort();
    atexit(clean);
    fuzz_seeds();
    memcpy(args, *argv, (size_t)*argc * sizeof *args);
    args[(*argc)++] = seeds;
    *argv = args;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static int fd = -1;
    static char path[40];
    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, bytes, 0) != (ssize_t)bytes) abort();
    fuzz_parse(path);
    return 0;
}
