#include "runtime/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What a file starts with; the contents follow. */
typedef struct header {
    char magic[8];
    rheo_cache_key key;
    uint64_t bytes, checksum;
} header;

static const char magic[8] = "rheo-c1";
enum { MAX_AGE_DAYS = 90 };
static const uint64_t max_bytes = (uint64_t)512 << 20;

static uint64_t fnv1a(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t k = 0; k < bytes; ++k) hash = (hash ^ p[k]) * 0x100000001b3u;
    return hash;
}

void rheo_cache_key_add(rheo_cache_key *key, const void *data, size_t bytes)
{
    for (int k = 0; k < 2; ++k) key->word[k] = fnv1a(key->word[k], data, bytes);
}

void rheo_cache_key_text(rheo_cache_key *key, const char *text)
{
    rheo_cache_key_add(key, text, strlen(text) + 1);
}

static bool folder_path(char *path, size_t bytes)
{
    const char *own = getenv("RHEO_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (own && *own) n = snprintf(path, bytes, "%s", own);
    else if (xdg && *xdg == '/') n = snprintf(path, bytes, "%s/rheo", xdg);
    else if (home && *home == '/') n = snprintf(path, bytes, "%s/.cache/rheo", home);
    if (n <= 0 || (size_t)n >= bytes) return false;
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;      /* or O_NOFOLLOW would follow the link before the slash */
    return true;
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)mkdir(path, 0700);
}

/* A descriptor of the folder, or -1 if there is none to be trusted. */
static int open_folder(bool create)
{
    char path[4096];
    struct stat st;
    if (!folder_path(path, sizeof path)) return -1;
    if (create) make_folders(path);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
        close(fd);
        return -1;
    }
    return fd;
}

bool rheo_cache_usable(void)
{
    const int folder = open_folder(true);
    if (folder >= 0) close(folder);
    return folder >= 0;
}

static void file_name(char *name, size_t bytes, const char *kind, rheo_cache_key key)
{
    snprintf(name, bytes, "%s-%016llx%016llx", kind, (unsigned long long)key.word[0], (unsigned long long)key.word[1]);
}

static bool read_all(int fd, void *to, size_t bytes)
{
    char *p = to;
    while (bytes > 0) {
        const ssize_t n = read(fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const void *from, size_t bytes)
{
    const char *p = from;
    while (bytes > 0) {
        const ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Whether rheo has made a file of this name: "kind-" and 32 digits, or ".kind-<digits>.<process>" while it is written. */
static bool is_ours(const char *name)
{
    const char *digits = strrchr(name, '-');
    if (!digits || digits == name) return false;
    const size_t n = strspn(++digits, "0123456789abcdef");
    return n == 32 && (digits[n] == 0 || (name[0] == '.' && digits[n] == '.'));
}

/* Removes what has not been used for long: files of earlier drivers and sources, or left by killed processes. */
static void prune(int folder)
{
    const time_t oldest = time(NULL) - (time_t)MAX_AGE_DAYS * 24 * 3600;
    struct stat st;
    const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (is_ours(e->d_name) && !fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) && st.st_mtime < oldest)
            (void)unlinkat(folder, e->d_name, 0);
    if (d) closedir(d);
    else if (copy >= 0) close(copy);
}

bool rheo_cache_get(const char *kind, rheo_cache_key key, void **data, size_t *bytes)
{
    char name[128], *contents = NULL;
    header h;
    struct stat st;
    bool ok = false;
    int file = -1;
    const int folder = open_folder(false);
    if (folder < 0) return false;
    file_name(name, sizeof name, kind, key);
    file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) goto done;
    if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) goto done;
    if (!read_all(file, &h, sizeof h)) goto done;
    if (memcmp(h.magic, magic, sizeof magic) != 0 || memcmp(&h.key, &key, sizeof key) != 0) goto done;
    if (h.bytes > max_bytes || (uint64_t)st.st_size != sizeof h + h.bytes) goto done;
    contents = malloc((size_t)h.bytes + 1);
    if (!contents || !read_all(file, contents, (size_t)h.bytes)) goto done;
    if (fnv1a(h.key.word[0], contents, (size_t)h.bytes) != h.checksum) goto done;
    contents[h.bytes] = 0;
    (void)futimens(file, NULL);                 /* used now: see prune */
    *data = contents;
    *bytes = (size_t)h.bytes;
    contents = NULL;
    ok = true;
done:
    free(contents);
    if (file >= 0) close(file);
    close(folder);
    return ok;
}

bool rheo_cache_put(const char *kind, rheo_cache_key key, const void *data, size_t bytes)
{
    char name[128], temporary[160];
    header h = { .key = key, .bytes = bytes, .checksum = fnv1a(key.word[0], data, bytes) };
    bool ok = false;
    int file = -1;
    if (bytes > max_bytes) return false;
    const int folder = open_folder(true);
    if (folder < 0) return false;
    memcpy(h.magic, magic, sizeof magic);
    file_name(name, sizeof name, kind, key);
    snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
    (void)unlinkat(folder, temporary, 0);      /* left by a killed process of this number */
    file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) goto done;
    ok = write_all(file, &h, sizeof h) && write_all(file, data, bytes) && fsync(file) == 0;
    ok = close(file) == 0 && ok;
    ok = ok && renameat(folder, temporary, folder, name) == 0;
    if (ok) (void)fsync(folder);
    else (void)unlinkat(folder, temporary, 0);
    prune(folder);
done:
    close(folder);
    return ok;
}
