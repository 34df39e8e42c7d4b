#include "runtime/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* The folder as a list, from its start; NULL if it cannot be read. */
static DIR *list(int folder)
{
    const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d && copy >= 0) close(copy);
    return d;
}

/* Whether the name is a file of ours; *st is then filled. */
static bool look_at(int folder, const char *name, struct stat *st)
{
    return is_ours(name) && fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st->st_mode);
}

/* Removes what has not been used for long: files of earlier drivers and sources, and sooner what killed processes left. */
static void prune(int folder)
{
    const time_t now = time(NULL), day = 24 * 3600;
    struct stat st;
    DIR *d = list(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (look_at(folder, e->d_name, &st) && st.st_mtime < now - (e->d_name[0] == '.' ? 1 : MAX_AGE_DAYS) * day)
            (void)unlinkat(folder, e->d_name, 0);
    if (d) closedir(d);
}

/* Removes files of a kind, finished or not, the one used longest ago first, until `bytes` more keep to the limit. */
static void make_room(int folder, const char *kind, uint64_t bytes, uint64_t limit)
{
    const size_t n = strlen(kind);
    for (;;) {
        char oldest[256] = "";
        struct timespec when = { 0 };
        struct stat st;
        uint64_t total = bytes;
        DIR *d = list(folder);
        for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
            const char *name = e->d_name + (e->d_name[0] == '.');
            if (strncmp(name, kind, n) != 0 || strrchr(name, '-') != name + n || !look_at(folder, e->d_name, &st)) continue;
            total += (uint64_t)st.st_size;
            const struct timespec t = st.st_mtim;
            if (*oldest && (t.tv_sec > when.tv_sec || (t.tv_sec == when.tv_sec && t.tv_nsec >= when.tv_nsec))) continue;
            when = t;
            snprintf(oldest, sizeof oldest, "%s", e->d_name);
        }
        if (d) closedir(d);
        if (total <= limit || !*oldest || unlinkat(folder, oldest, 0) != 0) return;
    }
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* A descriptor behind the header of a file whose key and size are right, or -1. */
static int open_file(const char *kind, rheo_cache_key key, header *h)
{
    char name[128];
    struct stat st;
    const int folder = open_folder(false);
    if (folder < 0) return -1;
    file_name(name, sizeof name, kind, key);
    const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    close(folder);
    if (file < 0) return -1;
    if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
        read_all(file, h, sizeof *h) && memcmp(h->magic, magic, sizeof magic) == 0 && memcmp(&h->key, &key, sizeof key) == 0 &&
        (uint64_t)st.st_size - sizeof *h == h->bytes)
        return file;
    close(file);
    return -1;
}

bool rheo_cache_get(const char *kind, rheo_cache_key key, void **data, size_t *bytes)
{
    char *contents = NULL;
    header h;
    bool ok = false;
    const int file = open_file(kind, key, &h);
    if (file < 0) return false;
    if (h.bytes > max_bytes) goto done;
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
    close(file);
    return ok;
}

bool rheo_cache_map(const char *kind, rheo_cache_key key, void *head, size_t head_bytes, rheo_cache_mapping *out)
{
    header h;
    void *base = MAP_FAILED;
    const int file = open_file(kind, key, &h);
    if (file < 0) return false;
    if (h.bytes >= head_bytes && h.bytes < SIZE_MAX - sizeof h && read_all(file, head, head_bytes) &&
        fnv1a(h.key.word[0], head, head_bytes) == h.checksum)
        base = mmap(NULL, sizeof h + (size_t)h.bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (base != MAP_FAILED) {
        const size_t before = sizeof h + head_bytes, length = sizeof h + (size_t)h.bytes;
        (void)futimens(file, NULL);
        *out = (rheo_cache_mapping){ (unsigned char *)base + before, length - before, base, length };
    }
    close(file);
    return base != MAP_FAILED;
}

void rheo_cache_unmap(rheo_cache_mapping *m)
{
    if (m->base) (void)munmap(m->base, m->length);
    *m = (rheo_cache_mapping){ .base = NULL };
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

static bool save(const char *kind, header h, const rheo_cache_part *part, int n, uint64_t limit)
{
    static atomic_uint count;        /* several threads may save at once */
    char name[128], temporary[160];
    const int folder = open_folder(true);
    if (folder < 0) return false;
    memcpy(h.magic, magic, sizeof magic);
    make_room(folder, kind, sizeof h + h.bytes, limit);
    file_name(name, sizeof name, kind, h.key);
    snprintf(temporary, sizeof temporary, ".%s.%ld.%u", name, (long)getpid(), atomic_fetch_add(&count, 1));
    (void)unlinkat(folder, temporary, 0);      /* left by a killed process of this number */
    const int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = file >= 0 && write_all(file, &h, sizeof h);
    for (int k = 0; k < n; ++k) ok = ok && write_all(file, part[k].data, part[k].bytes);
    ok = ok && fsync(file) == 0;
    ok = file >= 0 && close(file) == 0 && ok;
    ok = ok && renameat(folder, temporary, folder, name) == 0;
    if (ok) (void)fsync(folder);
    else (void)unlinkat(folder, temporary, 0);
    prune(folder);
    close(folder);
    return ok;
}

bool rheo_cache_put(const char *kind, rheo_cache_key key, const void *data, size_t bytes)
{
    const header h = { .key = key, .bytes = bytes, .checksum = fnv1a(key.word[0], data, bytes) };
    const rheo_cache_part all = { data, bytes };
    return bytes <= max_bytes && save(kind, h, &all, 1, UINT64_MAX);
}

bool rheo_cache_put_large(const char *kind, rheo_cache_key key, const void *head, size_t head_bytes, const rheo_cache_part *part, int n,
                          uint64_t limit)
{
    rheo_cache_part all[1 + RHEO_CACHE_PARTS] = { { head, head_bytes } };
    header h = { .key = key, .bytes = head_bytes, .checksum = fnv1a(key.word[0], head, head_bytes) };
    if (n > RHEO_CACHE_PARTS) return false;
    for (int k = 0; k < n; ++k) {
        all[1 + k] = part[k];
        h.bytes += part[k].bytes;
    }
    return sizeof h + h.bytes <= limit && save(kind, h, all, 1 + n, limit);
}
