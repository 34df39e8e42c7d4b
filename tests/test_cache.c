/* The cache folder. */
#define _DEFAULT_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "runtime/cache.h"
#include "scratch.h"

static scratch files;

static const char *make_folder(void)
{
    files = scratch_make();
    setenv("RHEO_CACHE_DIR", files.folder, 1);
    return files.folder;
}

static const rheo_cache_key key = { { 1, 2 } };

static void name_file(char *path, size_t bytes, const char *kind, unsigned first)
{
    snprintf(path, bytes, "%s/%s-%016x%016x", files.folder, kind, first, 2);
}

Test(cache, keeps_and_replaces)
{
    make_folder();
    void *data = NULL;
    size_t n = 0;
    cr_expect_not(rheo_cache_get("kind", key, &data, &n));
    cr_assert(rheo_cache_put("kind", key, "first", 5));
    cr_assert(rheo_cache_put("kind", key, "second", 6));
    cr_assert(rheo_cache_get("kind", key, &data, &n));
    cr_expect(n == 6 && memcmp(data, "second", 6) == 0);
    free(data);
    cr_expect_not(rheo_cache_get("other", key, &data, &n));
    cr_expect_not(rheo_cache_get("kind", (rheo_cache_key){ { 1, 3 } }, &data, &n));
    scratch_remove(&files);
}

Test(cache, ignores_damaged_files)
{
    char path[600];
    make_folder();
    void *data = NULL;
    size_t n = 0;
    cr_assert(rheo_cache_put("kind", key, "contents", 8));
    name_file(path, sizeof path, "kind", 1);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    for (long at = 0; at < st.st_size; ++at) {
        FILE *f = fopen(path, "r+b");
        cr_assert_not_null(f);
        fseek(f, at, SEEK_SET);
        const int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 0x10, f);
        fclose(f);
        cr_expect_not(rheo_cache_get("kind", key, &data, &n), "byte %ld", at);
        f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        fputc(byte, f);
        fclose(f);
    }
    for (long size = 0; size < st.st_size; ++size) {
        cr_assert_eq(truncate(path, st.st_size - 1 - size), 0);
        cr_expect_not(rheo_cache_get("kind", key, &data, &n), "cut to %ld", st.st_size - 1 - size);
    }
    scratch_remove(&files);
}

Test(cache, wants_a_folder_of_its_own)
{
    char link[600];
    const char *folder = make_folder();
    void *data = NULL;
    size_t n = 0;
    cr_assert(rheo_cache_put("kind", key, "x", 1));

    snprintf(link, sizeof link, "%s.link/", folder);
    setenv("RHEO_CACHE_DIR", link, 1);
    link[strlen(link) - 1] = 0;
    cr_assert_eq(symlink(folder, link), 0);
    cr_expect_not(rheo_cache_usable());
    cr_expect_not(rheo_cache_get("kind", key, &data, &n));
    cr_expect_not(rheo_cache_put("kind", key, "x", 1));
    unlink(link);

    setenv("RHEO_CACHE_DIR", folder, 1);
    cr_assert_eq(chmod(folder, 0777), 0);
    cr_expect_not(rheo_cache_get("kind", key, &data, &n));
    cr_expect_not(rheo_cache_put("kind", key, "x", 1));
    cr_assert_eq(chmod(folder, 0700), 0);
    cr_expect(rheo_cache_get("kind", key, &data, &n));
    free(data);
    scratch_remove(&files);

    char deep[600];
    snprintf(deep, sizeof deep, "%s/a/b", folder);
    setenv("RHEO_CACHE_DIR", deep, 1);
    struct stat st;
    cr_expect(rheo_cache_usable());
    cr_assert_eq(stat(deep, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700);
    rmdir(deep);
    snprintf(deep, sizeof deep, "%s/a", folder);
    rmdir(deep);
    scratch_remove(&files);
}

static void make_old(const char *name, int days)
{
    const struct timespec then = { .tv_sec = time(NULL) - days * 24 * 3600 }, times[2] = { then, then };
    cr_assert_eq(utimensat(AT_FDCWD, name, times, 0), 0);
}

Test(cache, removes_what_was_not_used_for_long)
{
    char path[3][600];
    make_folder();
    void *data = NULL;
    size_t n = 0;
    for (unsigned k = 0; k < 3; ++k) {
        cr_assert(rheo_cache_put("kind", (rheo_cache_key){ { k, 2 } }, "x", 1));
        name_file(path[k], sizeof path[k], "kind", k);
    }
    scratch_put(&files, "notes-of-the-user", "x", 1);
    make_old(files.path, 400);
    make_old(path[0], 91);
    make_old(path[1], 91);
    make_old(path[2], 89);
    cr_assert(rheo_cache_get("kind", (rheo_cache_key){ { 1, 2 } }, &data, &n));       /* used after all */
    free(data);
    cr_assert(rheo_cache_put("kind", (rheo_cache_key){ { 3, 2 } }, "x", 1));
    cr_expect(access(path[0], F_OK) != 0);
    cr_expect(access(path[1], F_OK) == 0 && access(path[2], F_OK) == 0);
    cr_expect(access(scratch_file(&files, "notes-of-the-user"), F_OK) == 0);
    scratch_remove(&files);
}

static bool put_large(unsigned first, size_t bytes, uint64_t limit)
{
    static const uint8_t body[4000];
    const rheo_cache_part part[2] = { { body, bytes / 2 }, { body, bytes - bytes / 2 } };
    return rheo_cache_put_large("large", (rheo_cache_key){ { first, 2 } }, "head", 4, part, 2, limit);
}

Test(cache, maps_large_files)
{
    char path[600], head[4];
    rheo_cache_mapping m;
    make_folder();
    cr_expect_not(rheo_cache_map("large", key, head, 4, &m));
    const rheo_cache_part part[2] = { { "first ", 6 }, { "second", 6 } };
    cr_assert(rheo_cache_put_large("large", key, "head", 4, part, 2, 1000));
    cr_assert(rheo_cache_map("large", key, head, 4, &m));
    cr_expect(m.bytes == 12 && memcmp(m.body, "first second", 12) == 0 && memcmp(head, "head", 4) == 0);
    name_file(path, sizeof path, "large", 1);
    unlink(path);
    cr_expect_eq(memcmp(m.body, "first second", 12), 0, "it outlives its file");
    rheo_cache_unmap(&m);
    rheo_cache_unmap(&m);

    cr_assert(rheo_cache_put_large("large", key, "head", 4, part, 2, 1000));
    cr_expect_not(rheo_cache_map("other", key, head, 4, &m));
    cr_expect_not(rheo_cache_map("large", key, head, 3, &m), "a head of another size");
    cr_expect_not(rheo_cache_map("large", (rheo_cache_key){ { 1, 3 } }, head, 4, &m));
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    for (long at = 0; at < st.st_size - 12; ++at) {        /* header and head */
        FILE *f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        const int byte = fgetc(f);
        for (int k = 0; k < 2; ++k) {
            fseek(f, at, SEEK_SET);
            fputc(k ? byte : byte ^ 0x10, f);
            fflush(f);
            if (!k) cr_expect_not(rheo_cache_map("large", key, head, 4, &m), "byte %ld", at);
        }
        fclose(f);
    }
    for (long size = st.st_size - 1; size >= 0; --size) {
        cr_assert_eq(truncate(path, size), 0);
        cr_expect_not(rheo_cache_map("large", key, head, 4, &m), "cut to %ld", size);
    }
    scratch_remove(&files);
}

/* Each file has 44 bytes more than its body. */
Test(cache, large_files_keep_to_their_limit)
{
    char path[4][600];
    make_folder();
    cr_assert(rheo_cache_put("kind", key, "x", 1));
    for (unsigned k = 0; k < 4; ++k) name_file(path[k], sizeof path[k], "large", k);
    cr_expect_not(put_large(0, 957, 1000), "larger than all of the room");
    for (unsigned k = 0; k < 3; ++k) {
        cr_assert(put_large(k, 256, 1000));
        make_old(path[k], k == 0 ? 1 : 5 - (int)k);         /* 1, 2, 0 were used longest ago, in this order */
    }
    cr_assert(put_large(3, 400, 1000));
    cr_expect(access(path[0], F_OK) == 0 && access(path[1], F_OK) != 0, "the oldest made room");
    cr_expect(access(path[2], F_OK) != 0 && access(path[3], F_OK) == 0);
    snprintf(path[1], sizeof path[1], "%s/.large-00000000000000010000000000000002.1", files.folder);
    scratch_put(&files, path[1] + strlen(files.folder) + 1, "left by a killed process", 24);
    make_old(path[1], 2);
    cr_assert(put_large(2, 10, 4000));
    cr_expect(access(path[1], F_OK) != 0 && access(path[3], F_OK) == 0);
    void *data = NULL;
    size_t n = 0;
    cr_expect(rheo_cache_get("kind", key, &data, &n), "another kind");
    free(data);
    scratch_remove(&files);
}
