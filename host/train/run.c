#define _DEFAULT_SOURCE 1       /* flock */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

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

static rheo_status open_log(const char *folder, rheo_run *run, rheo_error *err)
{
    run->log = fopen(run->log_path, "ab+");
    if (!run->log) return rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", run->log_path, strerror(errno));
    if (flock(fileno(run->log), LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return rheo_fail(err, RHEO_EINVAL, "%s: another process is training this run", folder);
    /* A kill may have left half a line. */
    if (!fseek(run->log, -1, SEEK_END) && fgetc(run->log) != '\n') {
        fseek(run->log, 0, SEEK_END);
        fputc('\n', run->log);
    }
    fseek(run->log, 0, SEEK_END);
    return RHEO_OK;
}

/* Pictures of an earlier run would be taken for this one's. */
static void remove_samples(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        const size_t n = strlen(e->d_name);
        if (n < 9 || strncmp(e->d_name, "step-", 5) || strcmp(e->d_name + n - 4, ".png")) continue;
        char *path = rheo_path_join(folder, e->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (d) closedir(d);
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
    if (!st && force) {
        unlink(run.config);
        unlink(run.last);
        unlink(run.best);
        remove_samples(run.samples);
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
        st = rheo_fail(err, RHEO_EFILE, "%s: nothing to resume: no last.safetensors there", folder);
    if (!st) st = rheo_folder_make(run.samples, err);
    if (!st) st = open_log(folder, &run, err);
    if (st) rheo_run_close(&run);
    else *out = run;
    return st;
}

rheo_status rheo_run_log(rheo_run *run, const char *line, rheo_error *err)
{
    if (fprintf(run->log, "%s\n", line) >= 0 && !fflush(run->log)) return RHEO_OK;
    return rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", run->log_path, strerror(errno));
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
