#define _DEFAULT_SOURCE 1       /* flock, fsync, fileno */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *concatenate(const char *a, const char *b, const char *c)
{
    const size_t na = strlen(a), nb = strlen(b), nc = strlen(c);
    char *s = malloc(na + nb + nc + 1);
    if (!s) return NULL;
    memcpy(s, a, na);
    memcpy(s + na, b, nb);
    memcpy(s + na + nb, c, nc + 1);
    return s;
}

const char *rheo_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

char *rheo_path_join(const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    return concatenate(folder, n && folder[n - 1] != '/' ? "/" : "", name);
}

bool rheo_file_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

bool rheo_folder_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

rheo_status rheo_file_size(const char *path, uint64_t *bytes, rheo_error *err)
{
    struct stat s;
    if (stat(path, &s)) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode)) return rheo_fail(err, RHEO_EFILE, "%s: not a regular file", path);
    *bytes = (uint64_t)s.st_size;
    return RHEO_OK;
}

rheo_status rheo_file_read(const char *path, size_t max_bytes, void **out, size_t *bytes, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    char *data = NULL;
    struct stat s;
    FILE *f = fopen(path, "rb");
    if (!f) return rheo_fail(err, RHEO_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fileno(f), &s) || !S_ISREG(s.st_mode)) {
        st = rheo_fail(err, RHEO_EFILE, "%s: not a regular file", path);
        goto done;
    }
    if (s.st_size < 0 || (uintmax_t)s.st_size > max_bytes) {
        st = rheo_fail(err, RHEO_EFORMAT, "%s: found %jd bytes, expected at most %zu", path, (intmax_t)s.st_size, max_bytes);
        goto done;
    }
    const size_t size = (size_t)s.st_size;
    data = malloc(size + 1);
    if (!data) {
        st = rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %zu bytes", path, size);
        goto done;
    }
    const size_t got = fread(data, 1, size, f);
    if (got != size) {
        st = rheo_fail(err, RHEO_EFILE, "%s: byte %zu cannot be read: %s", path, got, ferror(f) ? strerror(errno) : "the file shrank");
        goto done;
    }
    data[size] = 0;
    *out = data;
    *bytes = size;
    data = NULL;
done:
    free(data);
    fclose(f);
    return st;
}

/* The temporary name is fixed, so that a killed process leaves at most one and the next writer takes it over;
 * a lock keeps two live writers apart. The file under the lock may have been renamed away by its last writer
 * between open and flock, then it is the finished file and must not be touched: try again. */
static int open_locked(const char *path)
{
    for (;;) {
        struct stat ours, there;
        const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) return -1;
        const bool busy = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;     /* no locks on this file system: go on */
        if (!busy && !fstat(fd, &ours) && !lstat(path, &there) && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
            if (!ftruncate(fd, 0)) return fd;
        } else if (!busy) {
            close(fd);
            continue;
        }
        const int reason = busy ? EBUSY : errno;
        close(fd);
        errno = reason;
        return -1;
    }
}

/* A link is followed, so that it stays one. Pipes and devices such as /dev/stdout are written to as they are: nothing may be renamed over
 * them. */
static rheo_status choose_places(rheo_file_output *out, const char *path)
{
    struct stat s;
    const bool there = stat(path, &s) == 0;
    const bool linked = there && S_ISREG(s.st_mode) && lstat(path, &s) == 0 && S_ISLNK(s.st_mode);
    out->path = linked ? realpath(path, NULL) : concatenate(path, "", "");
    if (!out->path) return linked ? RHEO_EFILE : RHEO_ENOMEM;
    if (there && S_ISDIR(s.st_mode)) {
        errno = EISDIR;
        return RHEO_EFILE;
    }
    if (there && !S_ISREG(s.st_mode) && !linked) return RHEO_OK;
    out->temporary = concatenate(out->path, ".tmp", "");
    return out->temporary ? RHEO_OK : RHEO_ENOMEM;
}

rheo_status rheo_file_output_open(rheo_file_output *out, const char *path, rheo_error *err)
{
    int fd = -1;
    *out = (rheo_file_output){ NULL, NULL, NULL };
    rheo_status st = choose_places(out, path);
    if (st) goto failed;
    st = RHEO_EFILE;
    fd = out->temporary ? open_locked(out->temporary) : open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) goto failed;
    out->stream = fdopen(fd, "wb");
    if (!out->stream) goto failed;
    return RHEO_OK;
failed:
    st = rheo_fail(err, st, "%s: cannot be written: %s", path,
                   st == RHEO_ENOMEM ? "out of memory" : errno == EBUSY ? "another process is writing it" : strerror(errno));
    if (fd >= 0) {
        if (out->temporary) unlink(out->temporary);
        close(fd);
    }
    free(out->path);
    free(out->temporary);
    *out = (rheo_file_output){ NULL, NULL, NULL };
    return st;
}

/* Makes a rename in the file's folder last. Some file systems cannot sync a folder; that is no failure. */
static void sync_folder_of(const char *path)
{
    char *folder = concatenate(path, "", "");
    if (!folder) return;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

rheo_status rheo_file_output_commit(rheo_file_output *out, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    errno = 0;
    /* Renamed before it is closed: closing gives up the lock. */
    bool failed = false;
    if (ferror(out->stream)) {       /* one more byte asks why */
        clearerr(out->stream);
        failed = true;
        if (fputc(0, out->stream) != EOF) fflush(out->stream);
    }
    failed = failed || fflush(out->stream);
    if (failed || (out->temporary && (fsync(fileno(out->stream)) || rename(out->temporary, out->path)))) {
        st = rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", out->path, errno ? strerror(errno) : "an earlier write failed");
    } else if (out->temporary) {
        sync_folder_of(out->path);
        free(out->temporary);
        out->temporary = NULL;
    }
    rheo_file_output_discard(out);
    return st;
}

void rheo_file_output_discard(rheo_file_output *out)
{
    if (out->temporary) unlink(out->temporary);
    if (out->stream) fclose(out->stream);
    free(out->path);
    free(out->temporary);
    *out = (rheo_file_output){ NULL, NULL, NULL };
}

rheo_status rheo_file_write(const char *path, const void *data, size_t bytes, rheo_error *err)
{
    rheo_file_output out;
    const rheo_status st = rheo_file_output_open(&out, path, err);
    if (st) return st;
    if (fwrite(data, 1, bytes, out.stream) != bytes) {
        rheo_fail(err, RHEO_EFILE, "%s: cannot be written: %s", path, strerror(errno));
        rheo_file_output_discard(&out);
        return RHEO_EFILE;
    }
    return rheo_file_output_commit(&out, err);
}

rheo_status rheo_folder_make(const char *path, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    char *part = concatenate(path, "/", "");
    if (!part) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (char *slash = strchr(part + 1, '/'); slash && !st; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        const int reason = mkdir(part, 0777) ? errno : 0;
        if (reason && !rheo_folder_exists(part))
            st = rheo_fail(err, RHEO_EFILE, "%s: folder cannot be made: %s", part, strerror(reason));
        *slash = '/';
    }
    free(part);
    return st;
}
