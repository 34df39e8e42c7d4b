/* Decoded rows in the cache folder: used where nothing changed, never where something did. */
#define _DEFAULT_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include "data/dataset.h"
#include "data/png.h"
#include "expect.h"
#include "scratch.h"

enum { TRAIN = 1 << RHEO_SPLIT_TRAIN, VALID = 1 << RHEO_SPLIT_VALID, TEST = 1 << RHEO_SPLIT_TEST, ALL = TRAIN | VALID | TEST };
enum { IMAGES = 24, SIDE = 160 };       /* of noise that does not compress: 1.8 MB, more than what is worth keeping */

/* Files of the last seconds are not kept by: they may change again within a tick of the clock. */
static void make_old(const char *path, int seconds)
{
    const struct timespec then = { .tv_sec = time(NULL) - seconds }, times[2] = { then, then };
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put_noise(scratch *s, const char *name, unsigned seed)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    rheo_error err = RHEO_ERROR_INIT;
    for (size_t k = 0; k < sizeof pixels; k++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[k] = (uint8_t)(seed >> 24);
    }
    ASSERT_OK(rheo_png_write(scratch_file(s, name), pixels, SIDE, SIDE, 3, NULL, 0, &err));
    make_old(s->path, 100);
}

static void make_images(scratch *s)
{
    char name[16];
    for (unsigned k = 0; k < IMAGES; k++) {
        snprintf(name, sizeof name, "%02u.png", k);
        put_noise(s, name, k);
    }
}

static scratch use_cache(void)
{
    const scratch s = scratch_make();
    setenv("RHEO_CACHE_DIR", s.folder, 1);
    return s;
}

/* Opens a data set; whether its rows were kept. */
static bool open_kept(const char *name, uint32_t size, unsigned splits, rheo_dataset **d)
{
    rheo_error err = RHEO_ERROR_INIT;
    int kept = 0, asked = 0;
    ASSERT_OK(rheo_dataset_open(name, size, splits, d, &err));
    for (int k = 0; k < RHEO_SPLITS; k++) {
        asked += (int)(splits >> k & 1);
        kept += (*d)->split[k].mapping.base != NULL;
        cr_assert_eq((*d)->split[k].count != 0, splits >> k & 1);
    }
    cr_assert(kept == 0 || kept == asked, "all or none");
    return kept > 0;
}

static void expect_kept(bool expected, const char *name, uint32_t size, unsigned splits)
{
    rheo_dataset *d;
    cr_expect_eq(open_kept(name, size, splits, &d), expected, "size %u, splits %u: expected to be %s", size, splits,
                 expected ? "kept" : "decoded");
    rheo_dataset_close(d);
}

static void expect_same_rows(const rheo_dataset *a, const rheo_dataset *b)
{
    const size_t row = (size_t)a->h * a->w * a->c;
    cr_assert(a->h == b->h && a->w == b->w && a->c == b->c && !strcmp(a->format, b->format));
    for (int k = 0; k < RHEO_SPLITS; k++) {
        const rheo_rows *x = &a->split[k], *y = &b->split[k];
        cr_assert(x->count == y->count && x->fingerprint == y->fingerprint && !x->labels == !y->labels);
        cr_assert(!x->count || !memcmp(x->images, y->images, x->count * row));
        cr_assert(!x->labels || !memcmp(x->labels, y->labels, x->count));
    }
}

Test(kept, folder_of_images)
{
    scratch cache = use_cache(), s = scratch_make();
    rheo_dataset *a, *b;
    make_images(&s);
    cr_assert(!open_kept(s.folder, 8, ALL, &a));
    rheo_dataset_close(a);
    cr_expect_eq(scratch_count(&cache), 3);
    cr_assert(open_kept(s.folder, 8, ALL, &b));
    setenv("RHEO_CACHE_DIR", "/dev/null", 1);
    cr_assert(!open_kept(s.folder, 8, ALL, &a));
    expect_same_rows(a, b);
    rheo_dataset_close(a);
    setenv("RHEO_CACHE_DIR", cache.folder, 1);
    rheo_dataset_close(b);

    expect_kept(true, s.folder, 8, TEST);
    expect_kept(false, s.folder, 9, TEST);
    expect_kept(true, s.folder, 9, TEST);
    expect_kept(false, s.folder, 9, TRAIN | TEST);
    put_noise(&s, "00.png", 100);                   /* changed; of the same size and time, but for the inode's own */
    expect_kept(false, s.folder, 8, ALL);
    expect_kept(true, s.folder, 8, ALL);
    make_old(scratch_file(&s, "01.png"), 99);       /* another time */
    expect_kept(false, s.folder, 8, ALL);
    put_noise(&s, "xx.png", 101);                   /* added */
    expect_kept(false, s.folder, 8, ALL);
    cr_assert_eq(rename(scratch_file(&s, "xx.png"), strcat(strcpy((char[400]){ 0 }, s.folder), "/yy.png")), 0);
    expect_kept(false, s.folder, 8, ALL);
    unlink(scratch_file(&s, "yy.png"));             /* as it was two changes ago */
    expect_kept(true, s.folder, 8, ALL);
    unlink(scratch_file(&s, "02.png"));             /* removed */
    expect_kept(false, s.folder, 8, ALL);
    make_old(scratch_file(&s, "01.png"), 0);        /* of just now: not to be trusted */
    expect_kept(false, s.folder, 8, TRAIN);
    expect_kept(false, s.folder, 8, TRAIN);
    scratch_remove(&s);
    scratch_remove(&cache);
}

/* Damage anywhere in the one file: the rows are decoded and right. */
Test(kept, damaged_files_are_not_used)
{
    scratch cache = use_cache(), s = scratch_make();
    rheo_dataset *d, *good;
    char path[sizeof cache.path] = "";
    make_images(&s);
    cr_assert(!open_kept(s.folder, 8, TRAIN, &good));
    expect_kept(false, s.folder, 8, TEST);
    expect_kept(true, s.folder, 8, TEST);
    scratch_remove(&cache);
    cr_assert_eq(mkdir(cache.folder, 0700), 0);
    expect_kept(false, s.folder, 8, TRAIN);
    DIR *folder = opendir(cache.folder);
    for (struct dirent *e; (e = readdir(folder));)
        if (e->d_name[0] != '.') strcpy(path, scratch_file(&cache, e->d_name));
    closedir(folder);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    for (long k = 0; k < 12; k++) {
        const long at = k < 8 ? 10 * k : k < 11 ? st.st_size - 1 - 1000 * (k - 8) : 0;
        cr_assert(open_kept(s.folder, 8, TRAIN, &d), "before damage %ld", k);
        rheo_dataset_close(d);
        if (k < 11) {
            FILE *f = fopen(path, "r+b");
            fseek(f, at, SEEK_SET);
            const int byte = fgetc(f);
            fseek(f, at, SEEK_SET);
            fputc(byte ^ 4, f);
            fclose(f);
        } else cr_assert_eq(truncate(path, st.st_size / 2), 0);
        cr_assert(!open_kept(s.folder, 8, TRAIN, &d), "byte %ld", at);
        expect_same_rows(good, d);
        rheo_dataset_close(d);
    }
    rheo_dataset_close(good);
    scratch_remove(&s);
    scratch_remove(&cache);
}

static void put_idx(scratch *s, const char *name, bool gz, int rank, unsigned n)
{
    static uint8_t file[16 + 400 * 64 * 64];
    const uint32_t dim[3] = { n, 64, 64 };
    size_t bytes = 4 + 4 * (size_t)rank, count = 1;
    memcpy(file, (uint8_t[]){ 0, 0, 8, (uint8_t)rank }, 4);
    for (int k = 0; k < rank; k++) {
        for (int b = 0; b < 4; b++) file[4 + 4 * k + b] = (uint8_t)(dim[k] >> (24 - 8 * b));
        count *= dim[k];
    }
    unsigned v = n;
    for (size_t k = 0; k < count; k++) file[bytes + k] = (uint8_t)(((v = v * 1664525u + 1013904223u) >> 24) % (rank == 1 ? 10 : 256));
    bytes += count;
    if (gz) {
        gzFile f = gzopen(scratch_file(s, name), "wb1");
        cr_assert(f && gzwrite(f, file, (unsigned)bytes) == (int)bytes && gzclose(f) == Z_OK);
    } else scratch_put(s, name, file, bytes);
    make_old(scratch_file(s, name), 100);
}

Test(kept, idx_where_it_is_compressed)
{
    scratch cache = use_cache(), s = scratch_make();
    rheo_dataset *a, *b;
    put_idx(&s, "train-images-idx3-ubyte", false, 3, 400);
    put_idx(&s, "train-labels-idx1-ubyte", false, 1, 400);
    expect_kept(false, s.folder, 0, TRAIN | VALID);
    expect_kept(false, s.folder, 0, TRAIN | VALID);
    cr_expect_eq(scratch_count(&cache), 0, "what can be read as it is needs no copy");
    unlink(scratch_file(&s, "train-images-idx3-ubyte"));
    put_idx(&s, "train-images-idx3-ubyte.gz", true, 3, 400);
    cr_assert(!open_kept(s.folder, 0, TRAIN | VALID, &a));
    rheo_dataset_close(a);
    cr_assert(open_kept(s.folder, 0, TRAIN | VALID, &b));
    setenv("RHEO_CACHE_DIR", "/dev/null", 1);
    cr_assert(!open_kept(s.folder, 0, TRAIN | VALID, &a));
    cr_assert(a->split[0].labels);
    expect_same_rows(a, b);
    rheo_dataset_close(a);
    rheo_dataset_close(b);
    setenv("RHEO_CACHE_DIR", cache.folder, 1);
    put_idx(&s, "train-labels-idx1-ubyte", false, 1, 399);
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &a, &err), RHEO_EFORMAT, "found 399 labels, expected 400");
    scratch_remove(&s);
    scratch_remove(&cache);
}
