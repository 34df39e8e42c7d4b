#define _DEFAULT_SOURCE 1       /* flock */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { LOCK_TRIES = 150 };       /* 3 s */

static rheo_status name_files(const char *folder, rheo_run *run, rheo_error *err)
{
    *run = (rheo_run){
        .config = rheo_path_join(folder, "config.json"), .last = rheo_path_join(folder, "last.safetensors"),
        .best = rheo_path_join(folder, "best.safetensors"), .samples = rheo_path_join(folder, "samples"),
        .log_path = rheo_path_join(folder, "log.jsonl"),
    };
    if (run->config && run->last && run->best && run->samples && run->log_path) return RHEO_OK;
    rheo_run_close(run);
    return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
}

void rheo_run_close(rheo_run *run)
{
    if (run->log) fclose(run->log);
    free(run->config);
    free(run->last);
    free(run->best);
    free(run->samples);
    free(run->log_path);
    *run = (rheo_run){ .log = NULL };
}

/* Files of the folder whose names begin and end so. */
static void remove_files(const char *folder, const char *beginning, const char *ending)
{
    DIR *d = opendir(folder);
    const size_t first = strlen(beginning), last = strlen(ending);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        const size_t n = strlen(e->d_name);
        if (n < first + last || strncmp(e->d_name, beginning, first) || strcmp(e->d_name + n - last, ending)) continue;
        char *path = rheo_path_join(folder, e->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
}

/* What a kill left half-written. Nobody else writes here as long as the lock is ours. */
static void remove_temporaries(const char *folder, const rheo_run *run)
{
    remove_files(folder, "config.json", ".tmp");
    remove_files(folder, "last.safetensors", ".tmp");
    remove_files(folder, "best.safetensors", ".tmp");
    remove_files(run->samples, "step-", ".png.tmp");
}

/* A killed process keeps its lock until it is gone, which may be a moment after it was killed. */
static bool lock(int fd)
{
    const struct timespec pause = { 0, 20 * 1000 * 1000 };
    int tries = 0;
    while (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        if (++tries == LOCK_TRIES) return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static rheo_status open_log(const char *folder, rheo_run *run, rheo_error *err)
{
    run->log = fopen(run->log_path, "ab+");
    if (!run->log) return rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", run->log_path, strerror(errno));
    if (!lock(fileno(run->log)))
        return rheo_fail(err, RHEO_EINVAL, "%s: another process is training this run", folder);
    /* A kill may have left half a line. */
    if (!fseek(run->log, -1, SEEK_END) && fgetc(run->log) != '\n') {
        fseek(run->log, 0, SEEK_END);
        fputc('\n', run->log);
    }
    fseek(run->log, 0, SEEK_END);
    return RHEO_OK;
}

static bool holds_run(const rheo_run *run)
{
    return rheo_file_exists(run->config) || rheo_file_exists(run->last) || rheo_file_exists(run->best) || rheo_file_exists(run->log_path);
}

rheo_status rheo_run_check(const char *folder, bool force, rheo_error *err)
{
    rheo_run run = { .log = NULL };
    rheo_status st = folder && *folder ? name_files(folder, &run, err) : rheo_fail(err, RHEO_EINVAL, "run: no folder given");
    if (!st && !force && holds_run(&run))
        st = rheo_fail(err, RHEO_EINVAL, "%s: holds a run already; resume it, name another folder, or force it to be replaced", folder);
    rheo_run_close(&run);
    return st;
}

rheo_status rheo_run_create(const char *folder, bool force, rheo_run *out, rheo_error *err)
{
    rheo_run run = { .log = NULL };
    rheo_status st = rheo_run_check(folder, force, err);
    if (!st) st = name_files(folder, &run, err);
    if (!st) st = rheo_folder_make(folder, err);
    if (!st) st = rheo_folder_make(run.samples, err);
    if (!st) st = open_log(folder, &run, err);
    if (!st) remove_temporaries(folder, &run);
    if (!st && force) {
        unlink(run.config);
        unlink(run.last);
        unlink(run.best);
        remove_files(run.samples, "step-", ".png");     /* would be taken for this run's */
        if (ftruncate(fileno(run.log), 0)) st = rheo_fail(err, RHEO_EFILE, "%s: cannot be emptied: %s", run.log_path, strerror(errno));
    }
    if (st) rheo_run_close(&run);
    else *out = run;
    return st;
}

rheo_status rheo_run_open(const char *folder, rheo_run *out, rheo_error *err)
{
    rheo_run run = { .log = NULL };
    if (!folder || !rheo_folder_exists(folder)) return rheo_fail(err, RHEO_EFILE, "%s: no such run folder", folder ? folder : "");
    rheo_status st = name_files(folder, &run, err);
    if (!st && !rheo_file_exists(run.last))
        st = rheo_fail(err, RHEO_EFILE, "%s: nothing to resume: no last.safetensors there%s", folder,
                       rheo_file_exists(run.log_path) ? ", it ended before its first checkpoint; begin it again with --force" : "");
    if (!st) st = rheo_folder_make(run.samples, err);
    if (!st) st = open_log(folder, &run, err);
    if (!st) remove_temporaries(folder, &run);
    if (st) rheo_run_close(&run);
    else *out = run;
    return st;
}

rheo_status rheo_run_log(rheo_run *run, const char *line, rheo_error *err)
{
    const int fd = fileno(run->log);
    const struct iovec parts[2] = { { (void *)line, strlen(line) }, { "\n", 1 } };
    const off_t end = lseek(fd, 0, SEEK_END);
    errno = 0;
    const ssize_t got = writev(fd, parts, 2);
    if (got == (ssize_t)(parts[0].iov_len + 1)) return RHEO_OK;
    const int reason = got < 0 ? errno : ENOSPC;
    if (got > 0 && ftruncate(fd, end)) return rheo_fail(err, RHEO_EFILE, "%s: ends in half a line", run->log_path);
    return rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", run->log_path, strerror(reason));
}

rheo_status rheo_run_write_config(rheo_run *run, const char *text, rheo_error *err)
{
    return rheo_file_write(run->config, text, strlen(text), err);
}

char *rheo_run_sample_path(const rheo_run *run, unsigned long long step)
{
    char name[48];
    snprintf(name, sizeof name, "step-%08llu.png", step);
    return rheo_path_join(run->samples, name);
}

rheo_status rheo_run_checkpoint(const char *path, bool last, char **out, rheo_error *err)
{
    if (!rheo_folder_exists(path)) {
        *out = rheo_path_join("", path);
        return *out ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    }
    rheo_run run;
    rheo_status st = name_files(path, &run, err);
    if (st) return st;
    char **chosen = !last && rheo_file_exists(run.best) ? &run.best : &run.last;
    if (rheo_file_exists(*chosen)) {
        *out = *chosen;
        *chosen = NULL;
    } else {
        st = rheo_fail(err, RHEO_EFILE, "%s: a folder without best.safetensors or last.safetensors", path);
    }
    rheo_run_close(&run);
    return st;
}
