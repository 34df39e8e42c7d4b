/* Files and data sets (score D1, 10.1). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "expect.h"
#include "scratch.h"

/* ---- files ------------------------------------------------------------------------------------------------------- */

Test(file, written_whole_or_not_at_all)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_file_output a, b;
    void *data;
    size_t bytes;
    char path[sizeof s.path];
    strcpy(path, scratch_file(&s, "a"));

    ASSERT_OK(rheo_file_write(path, "old", 3, &err));
    ASSERT_OK(rheo_file_output_open(&a, path, &err));
    fputs("newer", a.stream);
    ASSERT_FAILS(rheo_file_output_open(&b, path, &err), RHEO_EFILE, "another process");
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_file_read(path, 100, &data, &bytes, &err));
    cr_assert_str_eq(data, "old", "before commit the old file stands");
    free(data);
    ASSERT_OK(rheo_file_output_commit(&a, &err));
    ASSERT_OK(rheo_file_read(path, 5, &data, &bytes, &err));
    cr_assert(bytes == 5 && !strcmp(data, "newer"));
    free(data);

    ASSERT_OK(rheo_file_output_open(&a, path, &err));
    fputs("thrown away", a.stream);
    rheo_file_output_discard(&a);
    rheo_file_output_discard(&a);
    cr_assert_eq(scratch_count(&s), 1, "nothing temporary is left");
    scratch_put(&s, "a.tmp", "left by a killed process", 24);
    ASSERT_OK(rheo_file_write(path, "x", 1, &err));
    cr_assert_eq(scratch_count(&s), 1);
    ASSERT_OK(rheo_file_read(path, 5, &data, &bytes, &err));
    cr_assert(bytes == 1 && !strcmp(data, "x"));
    free(data);

    ASSERT_FAILS(rheo_file_read(path, 0, &data, &bytes, &err), RHEO_EFORMAT, "at most 0");
    ASSERT_FAILS(rheo_file_read(s.folder, 9, &data, &bytes, &err), RHEO_EFILE, "not a regular file");
    ASSERT_FAILS(rheo_file_read("/none", 9, &data, &bytes, &err), RHEO_EFILE, "/none: cannot be opened: No such file");
    ASSERT_FAILS(rheo_file_write("/none/x", "x", 1, &err), RHEO_EFILE, "No such file");
    scratch_remove(&s);
}

Test(file, links_and_devices_stay_what_they_are)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char path[sizeof s.path], text[8] = "";
    struct stat what;
    scratch_put(&s, "target", "old", 3);
    strcpy(path, scratch_file(&s, "link"));
    cr_assert(!symlink("target", path));
    ASSERT_OK(rheo_file_write(path, "newer", 5, &err));
    cr_assert(!lstat(path, &what) && S_ISLNK(what.st_mode));
    FILE *f = fopen(scratch_file(&s, "target"), "r");
    cr_assert(f && fread(text, 1, 7, f) == 5 && !strcmp(text, "newer"));
    fclose(f);
    cr_assert_eq(scratch_count(&s), 2);

    ASSERT_OK(rheo_file_write("/dev/null", "x", 1, &err));
    ASSERT_FAILS(rheo_file_write("/dev/full", "x", 1, &err), RHEO_EFILE, "/dev/full: cannot be written: No space left on device");
    for (int k = 0; k < 2; k++) cr_assert(!stat(k ? "/dev/full" : "/dev/null", &what) && S_ISCHR(what.st_mode));
    ASSERT_FAILS(rheo_file_write(s.folder, "x", 1, &err), RHEO_EFILE, "cannot be written: Is a directory");
    scratch_remove(&s);
}

Test(file, messages_are_one_line)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_fail(&err, RHEO_EFORMAT, "%s", "a\n\033[2Jb\177 \u00e9");
    cr_assert_str_eq(err.text, "a??[2Jb? \u00e9");
}

Test(file, full_disk)
{
    rheo_error err = RHEO_ERROR_INIT;
    static char much[1 << 16];
    rheo_file_output out;
    scratch s = scratch_make();
    ASSERT_OK(rheo_file_output_open(&out, scratch_file(&s, "a"), &err));
    cr_assert(freopen("/dev/full", "wb", out.stream));
    fwrite(much, 1, sizeof much, out.stream);
    cr_assert_eq(rheo_file_output_commit(&out, &err), RHEO_EFILE);
    cr_assert(strstr(err.text, "cannot be written"));
    cr_assert_eq(scratch_count(&s), 0);
    scratch_remove(&s);
}

Test(file, folders_and_paths)
{
    static const char *const joined[][3] = { { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" }, { "/", "b", "/b" } };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char path[sizeof s.path];
    for (size_t k = 0; k < 4; k++) {
        char *p = rheo_path_join(joined[k][0], joined[k][1]);
        cr_assert_str_eq(p, joined[k][2]);
        free(p);
    }
    snprintf(path, sizeof path, "%s/x/y//z/", s.folder);
    ASSERT_OK(rheo_folder_make(path, &err));
    ASSERT_OK(rheo_folder_make(path, &err));
    cr_assert(rheo_folder_exists(path) && rheo_file_exists(path) && !rheo_file_exists("/none"));
    ASSERT_FAILS(rheo_folder_make("/dev/null/x", &err), RHEO_EFILE, "/dev/null");
    rmdir(path);
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/x%s", s.folder, k ? "" : "/y");
        rmdir(path);
    }
    scratch_remove(&s);
}

/* ---- IDX ---------------------------------------------------------------------------------------------------------- */

/* An IDX file of the given magic and sizes, whose data are 0, 1, 2, .. mod 251; `extra` bytes more or fewer. */
static size_t make_idx(uint8_t *to, uint32_t magic, int rank, const uint32_t *dim, int extra)
{
    size_t n = 4 + 4 * (size_t)rank, count = 1;
    for (int k = 0; k <= rank; k++) {
        const uint32_t v = k ? dim[k - 1] : magic;
        for (int b = 0; b < 4; b++) to[4 * k + b] = (uint8_t)(v >> (24 - 8 * b));
        if (k) count *= v;
    }
    count = (size_t)((long)count + extra);
    for (size_t k = 0; k < count; k++) to[n + k] = (uint8_t)(k % 251);
    return n + count;
}

static void put_gz(scratch *s, const char *name, const uint8_t *data, size_t n)
{
    gzFile f = gzopen(scratch_file(s, name), "wb");
    cr_assert(f && gzwrite(f, data, (unsigned)n) == (int)n && gzclose(f) == Z_OK);
}

Test(idx, round_trip_and_damage)
{
    static uint8_t file[70000], whole[70000];
    static const uint32_t dim[3] = { 50, 5, 7 };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_idx idx;
    size_t n = make_idx(file, 0x803, 3, dim, 0);
    char path[sizeof s.path];
    strcpy(path, scratch_file(&s, "f"));

    for (int gz = 0; gz < 2; gz++) {
        if (gz) put_gz(&s, "f", file, n);
        else scratch_put(&s, "f", file, n);
        ASSERT_OK(rheo_idx_read(path, 3, &idx, &err));
        cr_assert(idx.dim[0] == 50 && idx.dim[1] == 5 && idx.dim[2] == 7 && idx.bytes == 1750);
        cr_assert_arr_eq(idx.data, file + 16, 1750);
        free(idx.data);
        ASSERT_FAILS(rheo_idx_read(path, 1, &idx, &err), RHEO_EFORMAT, "found 0x00000803, expected 0x00000801");
    }
    for (size_t cut = 0; cut < n; cut += cut < 20 ? 1 : 97) {        /* raw, cut anywhere */
        scratch_put(&s, "f", file, cut);
        ASSERT_FAILS(rheo_idx_read(path, 3, &idx, &err), RHEO_EFORMAT, "found");
    }
    put_gz(&s, "g", file, n);
    FILE *f = fopen(scratch_file(&s, "g"), "rb");
    const size_t packed = fread(whole, 1, sizeof whole, f);
    fclose(f);
    for (size_t cut = 3; cut < packed; cut++) {                      /* gzipped, cut anywhere */
        scratch_put(&s, "f", whole, cut);
        ASSERT_FAILS(rheo_idx_read(path, 3, &idx, &err), RHEO_EFORMAT, "");
    }
    whole[packed - 6] ^= 1;                                          /* its CRC */
    scratch_put(&s, "f", whole, packed);
    ASSERT_FAILS(rheo_idx_read(path, 3, &idx, &err), RHEO_EFORMAT, "incorrect data check");
    whole[packed - 6] ^= 1;

    static const struct { uint32_t magic, dim[3]; int extra; const char *words; } bad[] = {
        { 0x803, { 50, 5, 7 }, 1, "more than 1750" },
        { 0x803, { 50, 5, 7 }, -1, "found 1749 data bytes, expected 50 x 5 x 7 = 1750" },
        { 0x801, { 50, 5, 7 }, 0, "found 0x00000801, expected 0x00000803" },
        { 0xD03, { 50, 5, 7 }, 0, "found 0x00000d03" },
        { 0x803, { 0, 5, 7 }, 0, "dimension 0 at byte 4 is 0" },
        { 0x803, { 50, 5, 0 }, 0, "dimension 2 at byte 12 is 0" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        n = make_idx(file, bad[k].magic, 3, bad[k].dim, bad[k].extra);
        scratch_put(&s, "f", file, n);
        ASSERT_FAILS(rheo_idx_read(path, 3, &idx, &err), RHEO_EFORMAT, bad[k].words);
    }
    /* Headers that promise too much are refused before any memory is taken. */
    static const struct { uint32_t dim[3]; const char *words; } huge[] = {
        { { ~0u, ~0u, ~0u }, "too large to multiply" },
        { { ~0u, 8192, 8192 }, "cannot hold" },
        { { 1, 8193, 8192 }, "at most 67108864 pixels" },
    };
    for (size_t k = 0; k < 3; k++) {
        static const uint32_t one[3] = { 1, 1, 1 };
        make_idx(file, 0x803, 3, one, 0);
        for (int b = 0; b < 12; b++) file[4 + b] = (uint8_t)(huge[k].dim[b / 4] >> (24 - 8 * (b % 4)));
        scratch_put(&s, "f", file, 20);
        ASSERT_FAILS(rheo_idx_read(path, 3, &idx, &err), RHEO_EFORMAT, huge[k].words);
    }
    ASSERT_FAILS(rheo_idx_read("/none", 3, &idx, &err), RHEO_EFILE, "/none: cannot be opened");
    ASSERT_FAILS(rheo_idx_read(s.folder, 3, &idx, &err), RHEO_EFILE, "not a regular file");
    scratch_remove(&s);
}

/* ---- data sets ------------------------------------------------------------------------------------------------------ */

#define VALID_FINGERPRINT 0xaf66e923
enum { TRAIN = 1 << RHEO_SPLIT_TRAIN, VALID = 1 << RHEO_SPLIT_VALID, TEST = 1 << RHEO_SPLIT_TEST };

Test(dataset, folder_of_idx)
{
    static uint8_t file[4096];
    static const uint32_t train[3] = { 40, 2, 3 }, test[3] = { 7, 2, 3 }, wide[3] = { 7, 3, 3 };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d, *e;
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err), RHEO_EFILE, "holds no train-images-idx3-ubyte[.gz]");
    size_t n = make_idx(file, 0x803, 3, train, 0);
    scratch_put(&s, "train-images-idx3-ubyte", file, n);
    n = make_idx(file, 0x801, 1, train, 0);
    put_gz(&s, "train-labels-idx1-ubyte.gz", file, n);
    n = make_idx(file, 0x803, 3, test, 0);
    put_gz(&s, "t10k-images-idx3-ubyte.gz", file, n);

    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN | VALID, &d, &err));
    const rheo_rows *tr = &d->split[RHEO_SPLIT_TRAIN], *va = &d->split[RHEO_SPLIT_VALID];
    cr_assert(d->kind == RHEO_DATA_IMAGES && d->h == 2 && d->w == 3 && d->c == 1 && isnan(d->entropy));
    cr_assert(tr->count == 36 && va->count == 4 && !d->split[RHEO_SPLIT_TEST].count);
    int seen[40] = { 0 };
    for (int k = 0; k < 40; k++) {           /* row i holds 6i, 6i + 1, .. and label i */
        const rheo_rows *r = k < 36 ? tr : va;
        const uint32_t row = k < 36 ? k : k - 36;
        const int i = r->labels[row];
        seen[i]++;
        for (int p = 0; p < 6; p++) cr_assert_eq(r->images[6 * row + p], 6 * i + p);
    }
    for (int k = 0; k < 40; k++) cr_assert_eq(seen[k], 1, "the splits share nothing and lose nothing");

    ASSERT_OK(rheo_dataset_open(s.folder, 0, VALID | TEST, &e, &err));
    cr_assert(e->split[RHEO_SPLIT_VALID].fingerprint == va->fingerprint && va->fingerprint != tr->fingerprint);
    cr_assert(!e->split[RHEO_SPLIT_TRAIN].images && e->split[RHEO_SPLIT_TEST].count == 7 && !e->split[RHEO_SPLIT_TEST].labels);
    rheo_dataset_close(e);
    rheo_dataset_close(d);
    rheo_dataset_close(NULL);

    n = make_idx(file, 0x803, 3, wide, 0);
    put_gz(&s, "t10k-images-idx3-ubyte.gz", file, n);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN | TEST, &d, &err), RHEO_EFORMAT, "found test images of 3 x 3, expected 2 x 3");
    n = make_idx(file, 0x801, 1, test, 0);
    put_gz(&s, "train-labels-idx1-ubyte.gz", file, n);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err), RHEO_EFORMAT, "found 7 labels, expected 40");
    scratch_remove(&s);
}

/* Record k of file f holds label (f + k) % 10 and planes that begin with (f, k, R), .. */
static void put_cifar(scratch *s, const char *name, int f, int records, int extra)
{
    static uint8_t file[8 * 3073];
    for (int k = 0; k < records; k++) {
        uint8_t *at = file + 3073 * k;
        at[0] = (uint8_t)((f + k) % 10);
        for (int p = 0; p < 3072; p++) at[1 + p] = (uint8_t)(p / 1024 * 80 + p % 1024 % 13 + 7 * f + k);
    }
    scratch_put(s, name, file, (size_t)(records * 3073 + extra));
}

Test(dataset, cifar_10)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d;
    char name[24];
    put_cifar(&s, "data_batch_1.bin", 1, 4, 0);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err), RHEO_EFILE, "data_batch_2.bin: cannot be opened");
    for (int f = 2; f <= 5; f++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", f);
        put_cifar(&s, name, f, 4, 0);
    }
    put_cifar(&s, "test_batch.bin", 9, 3, 0);
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN | VALID | TEST, &d, &err));
    cr_assert(d->h == 32 && d->w == 32 && d->c == 3);
    cr_assert(d->split[RHEO_SPLIT_TRAIN].count == 18 && d->split[RHEO_SPLIT_VALID].count == 2);
    rheo_listing names;
    ASSERT_OK(rheo_dataset_classes(d, &names, &err));
    cr_assert_eq(names.count, 0);
    scratch_put(&s, "batches.meta.txt", "airplane\nautomobile\r\nbird\n\n", 28);
    ASSERT_OK(rheo_dataset_classes(d, &names, &err));
    cr_assert(names.count == 3 && !strcmp(names.path[1], "automobile") && !strcmp(names.path[2], "bird"));
    rheo_listing_free(&names);
    const rheo_rows *test = &d->split[RHEO_SPLIT_TEST];
    cr_assert_eq(test->count, 3);
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(test->labels[k], (9 + k) % 10);
        for (int p = 0; p < 1024; p++)
            for (int c = 0; c < 3; c++) cr_assert_eq(test->images[(k * 1024 + p) * 3 + c], c * 80 + p % 13 + 63 + k);
    }
    rheo_dataset_close(d);

    put_cifar(&s, "test_batch.bin", 9, 3, -1);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TEST, &d, &err), RHEO_EFORMAT,
                 "test_batch.bin: found 9218 bytes, expected a multiple of 3073");
    put_cifar(&s, "test_batch.bin", 9, 0, 0);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TEST, &d, &err), RHEO_EFORMAT, "the file is empty");
    static uint8_t wrong[2 * 3073];
    wrong[3073] = 10;
    scratch_put(&s, "test_batch.bin", wrong, sizeof wrong);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TEST, &d, &err), RHEO_EFORMAT,
                 "test_batch.bin: label of record 1 at byte 3073: found 10, expected 0 to 9");
    cr_assert(!truncate(scratch_file(&s, "test_batch.bin"), 3073L * 400000));      /* a hole: no byte of it is read */
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TEST, &d, &err), RHEO_EFORMAT, "found 1229200000 bytes, expected at most 1073741824");
    scratch_remove(&s);
}

Test(dataset, unknown_names)
{
    rheo_error err;
    rheo_dataset *d;
    ASSERT_FAILS(rheo_dataset_open("toy:mons", 0, TRAIN, &d, &err), RHEO_EINVAL, "did you mean toy:moons?");
    ASSERT_FAILS(rheo_dataset_open("moons", 0, TRAIN, &d, &err), RHEO_EINVAL, "did you mean toy:moons?");
    ASSERT_FAILS(rheo_dataset_open("fashon-mnist", 0, TRAIN, &d, &err), RHEO_EINVAL, "did you mean fashion-mnist?");
    ASSERT_FAILS(rheo_dataset_open("/no/such/folder", 0, TRAIN, &d, &err), RHEO_EINVAL, "'/no/such/folder'. Known: fashion-mnist, toy:moons,");
    cr_assert(strstr(err.text, "toy:parabola, or a folder of images, IDX or CIFAR-10 files"), "%s", err.text);
}

/* CRC-32 of a decompressed file, put together again from its parts. */
static uint32_t idx_crc(const char *name, int rank)
{
    uint8_t head[16] = { 0, 0, 8, (uint8_t)rank };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_idx idx;
    char *path = rheo_path_join("/usr/share/datasets/fashion-mnist", name);
    ASSERT_OK(rheo_idx_read(path, rank, &idx, &err));
    for (int b = 0; b < 4 * rank; b++) head[4 + b] = (uint8_t)(idx.dim[b / 4] >> (24 - 8 * (b % 4)));
    const uLong crc = crc32_z(crc32_z(0, head, 4 + 4 * (size_t)rank), idx.data, idx.bytes);
    free(idx.data);
    free(path);
    return (uint32_t)crc;
}

Test(dataset, fashion_mnist)
{
    if (!rheo_folder_exists("/usr/share/datasets/fashion-mnist")) cr_skip_test("Debian's dataset-fashion-mnist is not installed");
    cr_assert_eq(idx_crc("train-images-idx3-ubyte.gz", 3), 0xb4f29f28);
    cr_assert_eq(idx_crc("train-labels-idx1-ubyte.gz", 1), 0x741a4657);
    cr_assert_eq(idx_crc("t10k-images-idx3-ubyte.gz", 3), 0x678fe0b1);
    cr_assert_eq(idx_crc("t10k-labels-idx1-ubyte.gz", 1), 0x80142c1f);

    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d;
    setenv("RHEO_CACHE_DIR", "/dev/null", 1);       /* decoded each time */
    ASSERT_OK(rheo_dataset_open("fashion-mnist", 0, TRAIN | VALID | TEST, &d, &err));
    cr_assert(d->h == 28 && d->w == 28 && d->c == 1);
    cr_assert_eq(d->split[RHEO_SPLIT_TRAIN].count, 55000);
    cr_assert_eq(d->split[RHEO_SPLIT_VALID].count, 5000);
    cr_assert_eq(d->split[RHEO_SPLIT_TEST].count, 10000);
    /* The validation split must never move: checkpoints were chosen by it. */
    cr_assert_eq(d->split[RHEO_SPLIT_VALID].fingerprint, VALID_FINGERPRINT, "found %08x", d->split[RHEO_SPLIT_VALID].fingerprint);
    double sum = 0;
    int of_class[10] = { 0 };
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < 784 * (size_t)d->split[k].count; i++) sum += d->split[k].images[i];
    cr_assert_float_eq(sum / (255.0 * 784 * 60000), .286041, 1e-6);
    for (uint32_t i = 0; i < 5000; i++) of_class[d->split[RHEO_SPLIT_VALID].labels[i]]++;
    for (int k = 0; k < 10; k++) cr_assert_float_eq(of_class[k], 500, 85, "class %d: %d of 5000", k, of_class[k]);    /* 4 deviations */
    rheo_dataset_close(d);
}
