/* Folders of PNG and JPEG files, and the resize that gives them one size (score 10.5, 10.6). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>

#include "data/dataset.h"
#include "data/picture.h"
#include "data/png.h"
#include "expect.h"
#include "scratch.h"

enum { TRAIN = 1 << RHEO_SPLIT_TRAIN, VALID = 1 << RHEO_SPLIT_VALID, TEST = 1 << RHEO_SPLIT_TEST };

Test(images, resize_vector)
{
    static const uint8_t x[7] = { 0, 50, 100, 150, 200, 250, 255 }, want[3] = { 43, 150, 241 };
    uint8_t out[9], same[7];
    rheo_error err = RHEO_ERROR_INIT;
    ASSERT_OK(rheo_resize_bytes(x, (rheo_image_shape){ 1, 7, 1 }, 1, 3, out, &err));
    cr_assert_arr_eq(out, want, 3);
    ASSERT_OK(rheo_resize_bytes(x, (rheo_image_shape){ 7, 1, 1 }, 3, 1, out, &err));
    cr_assert_arr_eq(out, want, 3);
    ASSERT_OK(rheo_resize_bytes(x, (rheo_image_shape){ 1, 7, 1 }, 1, 7, same, &err));
    cr_assert_arr_eq(same, x, 7, "to its own size: unchanged");
    uint8_t rgb[21];
    for (int k = 0; k < 21; k++) rgb[k] = x[k / 3];
    ASSERT_OK(rheo_resize_bytes(rgb, (rheo_image_shape){ 1, 7, 3 }, 1, 3, out, &err));
    for (int k = 0; k < 9; k++) cr_assert_eq(out[k], want[k / 3]);
}

Test(images, crop_is_central)
{
    uint8_t x[3 * 6], out[9];
    rheo_error err = RHEO_ERROR_INIT;
    for (int k = 0; k < 18; k++) x[k] = (uint8_t)k;
    ASSERT_OK(rheo_crop_resize(x, (rheo_image_shape){ 3, 6, 1 }, 3, out, &err));
    for (int k = 0; k < 9; k++) cr_assert_eq(out[k], k / 3 * 6 + 1 + k % 3);
}

static void put_png(scratch *s, const char *name, uint32_t h, uint32_t w, uint32_t c, uint8_t value)
{
    uint8_t pixels[64 * 64 * 3];
    rheo_error err = RHEO_ERROR_INIT;
    memset(pixels, value, sizeof pixels);
    ASSERT_OK(rheo_png_write(scratch_file(s, name), pixels, h, w, c, NULL, 0, &err));
}

static void put_jpeg(scratch *s, const char *name, uint32_t h, uint32_t w, int c, uint8_t value)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr handler;
    uint8_t row[64 * 3];
    FILE *f = fopen(scratch_file(s, name), "wb");
    cr_assert(f);
    memset(row, value, sizeof row);
    jpeg.err = jpeg_std_error(&handler);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, f);
    jpeg.image_height = h, jpeg.image_width = w, jpeg.input_components = c;
    jpeg.in_color_space = c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (uint32_t y = 0; y < h; y++) {
        JSAMPROW at = row;
        for (size_t k = 0; k < sizeof row; k++) row[k] = (uint8_t)(value + (k * 37 + y * 91) % 7);
        jpeg_write_scanlines(&jpeg, &at, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(f);
}

static void make_folder(scratch *s, const char *name)
{
    cr_assert_eq(mkdir(scratch_file(s, name), 0777), 0);
}

static void remove_all(const scratch *s)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    cr_assert_eq(system(command), 0);
}

Test(images, jpeg_and_its_damage)
{
    static uint8_t file[1 << 16];
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_image_shape shape;
    uint8_t *pixels;
    char path[sizeof s.path];
    for (int c = 1; c <= 3; c += 2) {
        put_jpeg(&s, "a.jpg", 24, 40, c, 100);
        strcpy(path, scratch_file(&s, "a.jpg"));
        ASSERT_OK(rheo_jpeg_read(path, &pixels, &shape, &err));
        cr_assert(shape.h == 24 && shape.w == 40 && shape.c == (uint32_t)c);
        for (int k = 0; k < 24 * 40 * c; k++) cr_assert(pixels[k] >= 92 && pixels[k] <= 114, "found %d", pixels[k]);
        free(pixels);
    }
    FILE *f = fopen(path, "rb");
    const size_t n = fread(file, 1, sizeof file, f);
    fclose(f);
    for (size_t cut = 0; cut + 2 < n; cut += 1 + cut / 20) {
        scratch_put(&s, "a.jpg", file, cut);
        ASSERT_FAILS(rheo_jpeg_read(path, &pixels, &shape, &err), RHEO_EFORMAT, "a.jpg: ");
    }
    for (size_t k = 0; k < n; k++) {         /* a bit anywhere: refused, or read as a picture */
        file[k] ^= 4;
        scratch_put(&s, "a.jpg", file, n);
        err = (rheo_error)RHEO_ERROR_INIT;
        if (!rheo_jpeg_read(path, &pixels, &shape, &err)) free(pixels);
        else cr_assert(strstr(err.text, "a.jpg: ") && !strchr(err.text, '\n'), "%s", err.text);
        file[k] ^= 4;
    }
    size_t frame = 0;                       /* its header says 65500 x 65500 */
    while (frame + 9 < n && (file[frame] != 0xFF || file[frame + 1] != 0xC0)) frame++;
    cr_assert(frame + 9 < n);
    memcpy(file + frame + 5, "\xff\xdc\xff\xdc", 4);
    scratch_put(&s, "a.jpg", file, n);
    ASSERT_FAILS(rheo_jpeg_read(path, &pixels, &shape, &err), RHEO_EFORMAT, "found 65500 x 65500 pixels, expected at most 67108864");
    memcpy(file + frame + 5, "\x1f\x40\x1f\x40", 4);     /* 8000 x 8000: a million blocks of brightness, half as many of colour */
    scratch_put(&s, "a.jpg", file, n);
    ASSERT_FAILS(rheo_jpeg_read(path, &pixels, &shape, &err), RHEO_EFORMAT, "expected at least 187500 of 8000 x 8000 pixels");
    scratch_put(&s, "a.jpg", "not a picture", 13);
    ASSERT_FAILS(rheo_jpeg_read(path, &pixels, &shape, &err), RHEO_EFORMAT, "Not a JPEG file");
    ASSERT_FAILS(rheo_jpeg_read("/none", &pixels, &shape, &err), RHEO_EFILE, "/none: cannot be opened");
    remove_all(&s);
}

Test(images, folder_with_classes)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d, *e;
    char name[40];
    make_folder(&s, "cat");
    make_folder(&s, "dog");
    for (int k = 0; k < 40; k++) {
        snprintf(name, sizeof name, "%s/%02d.png", k < 20 ? "cat" : "dog", k);
        put_png(&s, name, 4, 6, 1, (uint8_t)(5 * k));
    }
    scratch_put(&s, "notes.txt", "not an image", 12);
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN | VALID | TEST, &d, &err));
    cr_assert(d->h == 4 && d->w == 6 && d->c == 1);
    const uint32_t count[3] = { 33, 3, 4 };
    int seen[40] = { 0 };
    for (int k = 0; k < 3; k++) {
        const rheo_rows *r = &d->split[k];
        cr_assert_eq(r->count, count[k], "%s: found %u", rheo_split_name(k), r->count);
        for (uint32_t i = 0; i < r->count; i++) seen[r->images[24 * i] / 5]++;
        for (uint32_t i = 0; k < 2 && i < r->count; i++) cr_assert_eq(r->labels[i], r->images[24 * i] / 5 >= 20);
    }
    for (int k = 0; k < 40; k++) cr_assert_eq(seen[k], 1, "the splits share nothing and lose nothing");
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TEST, &e, &err));
    cr_assert_eq(e->split[2].fingerprint, d->split[2].fingerprint);
    rheo_dataset_close(e);
    rheo_dataset_close(d);

    put_jpeg(&s, "dog/a.JPG", 4, 6, 3, 90);        /* one that has colour: all have */
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err));
    cr_assert_eq(d->c, 3);
    rheo_dataset_close(d);
    put_png(&s, "dog/b.png", 5, 9, 1, 7);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err), RHEO_EFORMAT, "dog/b.png: found 5 x 9 pixels, expected 4 x 6 as in ");
    cr_assert(strstr(err.text, "cat/00.png; --size S"), "%s", err.text);
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_dataset_open(s.folder, 8, TRAIN | TEST, &d, &err));
    cr_assert(d->h == 8 && d->w == 8 && d->c == 3);
    rheo_dataset_close(d);

    scratch_put(&s, "dog/b.png", "\x89PNG", 4);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 8, TRAIN, &d, &err), RHEO_EFORMAT, "dog/b.png: found 4 bytes");
    scratch_put(&s, "dog/b.png", "", 0);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 8, TRAIN, &d, &err), RHEO_EFORMAT, "dog/b.png: found 0 bytes");
    cr_assert(!unlink(scratch_file(&s, "dog/b.png")) && !mkfifo(scratch_file(&s, "dog/b.png"), 0600));
    ASSERT_FAILS(rheo_dataset_open(s.folder, 8, TRAIN, &d, &err), RHEO_EFILE, "dog/b.png: not a regular file");
    remove_all(&s);
}

Test(images, train_and_test_folders)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d;
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err), RHEO_EFILE, "no PNG or JPEG images");
    make_folder(&s, "train");
    make_folder(&s, "test");
    put_png(&s, "train/a.png", 4, 4, 3, 1);
    put_png(&s, "train/b.png", 4, 4, 3, 1);
    ASSERT_FAILS(rheo_dataset_open(s.folder, 0, TEST, &d, &err), RHEO_EFILE, "test: holds no PNG or JPEG images");
    put_png(&s, "test/c.png", 4, 4, 1, 2);
    err = (rheo_error)RHEO_ERROR_INIT;
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN | TEST, &d, &err));
    cr_assert(d->split[0].count == 1 && d->split[2].count == 1 && !d->split[0].labels);
    for (int k = 0; k < 48; k++) cr_assert_eq(d->split[2].images[k], 2, "grey becomes three equal channels");
    rheo_dataset_close(d);
    remove_all(&s);
}

Test(images, classes_have_the_same_numbers_in_both_parts)
{
    static const char *const folders[] = { "train", "train/cat", "train/dog", "train/owl", "test", "test/dog", "test/owl" };
    static const char *const files[] = { "train/owl/a.png", "train/owl/b.png", "train/dog/c.png", "train/cat/d.png", "test/owl/e.png", "test/dog/f.png" };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d;
    for (int k = 0; k < 7; k++) make_folder(&s, folders[k]);
    for (int k = 0; k < 6; k++) put_png(&s, files[k], 4, 4, 1, (uint8_t)k);
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TEST, &d, &err));
    cr_assert(d->split[2].count == 2 && d->split[2].labels);
    cr_assert(d->split[2].labels[0] == 1 && d->split[2].labels[1] == 2, "dog is 1 and owl 2, though there is no cat to be 0");
    rheo_listing names;
    ASSERT_OK(rheo_dataset_classes(d, &names, &err));
    cr_assert(names.count == 3 && !strcmp(names.path[0], "cat") && !strcmp(names.path[1], "dog") && !strcmp(names.path[2], "owl"));
    rheo_listing_free(&names);
    rheo_dataset_close(d);
    char *json = NULL;
    ASSERT_OK(rheo_data_describe(s.folder, 0, NULL, NULL, &json, &err));
    const char *cat = strstr(json, "\"cat\":\t1"), *dog = strstr(json, "\"dog\":\t1"), *owl = strstr(json, "\"owl\":\t2");
    cr_assert(cat && dog && owl && cat < dog && dog < owl, "%s", json);
    rheo_free(json);
    put_png(&s, "train/e.png", 4, 4, 1, 9);        /* without a class */
    ASSERT_OK(rheo_dataset_open(s.folder, 0, TRAIN, &d, &err));
    ASSERT_OK(rheo_dataset_classes(d, &names, &err));
    cr_assert(!names.count && !d->split[0].labels);
    rheo_dataset_close(d);
    remove_all(&s);
}

Test(images, too_small_for_the_model)
{
    static const struct { const char *model, *config; uint32_t size, shift; const char *words; } bad[] = {
        { "glow", "{\"levels\": 3}", 0, 0, "levels: found 3, expected at most 2, as often as images of 4x12 can be halved" },
        { "glow", "{\"levels\": 4}", 8, 0, "levels: found 4, expected at most 3, as often as images of 8x8 can be halved" },
        { "glow", "{}", 5, 0, "glow: images of 5x5, expected even height and width" },
        { "ncsn", "{}", 1, 0, "ncsn: images of 1x1, expected even height and width" },
        { "glow", "{}", 0, 4, "shift: found 4 pixels, expected fewer than the 4 of" },
        { "glow", "{}", 8193, 0, "size: found 8193, expected 0 to 8192" },
    };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[sizeof s.path];
    put_png(&s, "a.png", 4, 12, 1, 1);
    put_png(&s, "b.png", 4, 12, 1, 2);
    put_png(&s, "c.png", 4, 12, 1, 3);
    strcpy(run, scratch_file(&s, "run"));
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        rheo_train_options o;
        rheo_train_defaults(&o);
        o.data = s.folder;
        o.run = run;
        o.device = "host";
        o.iterations = 1;
        o.model = bad[k].model;
        o.model_config = bad[k].config;
        o.size = bad[k].size;
        o.shift = bad[k].shift;
        ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, bad[k].words);
        cr_assert(access(run, F_OK), "nothing is left of a run that did not begin");
    }
    remove_all(&s);
}

Test(images, described)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char name[24], *json = NULL;
    for (int k = 0; k < 12; k++) {
        snprintf(name, sizeof name, "%02d.png", k);
        put_png(&s, name, 4, 4, 1, (uint8_t)(10 + k));
    }
    char sheet[sizeof s.path];
    strcpy(sheet, scratch_file(&s, ".sheet.png"));
    ASSERT_OK(rheo_data_describe(s.folder, 0, NULL, sheet, &json, &err));
    cr_assert(strstr(json, "PNG and JPEG images") && !strstr(json, "broken") && access(sheet, R_OK) == 0, "%s", json);
    rheo_free(json);
    scratch_put(&s, "03.png", "\x89PNG", 4);
    scratch_put(&s, "05.jpg", "x", 1);
    ASSERT_OK(rheo_data_describe(s.folder, 0, NULL, NULL, &json, &err));
    cr_assert(strstr(json, "03.png: found 4 bytes") && strstr(json, "05.jpg: "), "all broken files are named: %s", json);
    rheo_free(json);
    ASSERT_FAILS(rheo_data_describe("/none", 0, NULL, NULL, &json, &err), RHEO_EINVAL, "'/none'");
    remove_all(&s);
}
