/* safetensors: round trip, and files made to mislead the reader. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "train/safetensors.h"

static const float weights[6] = { 1, -2.5f, 3e-40f, 0, 65504, -0.0f };
static const uint32_t counter[2] = { 7, ~0u };
static const int64_t ids[1] = { -5000000000 };
static const uint8_t bytes[3] = { 1, 2, 255 };
static const void *const contents[] = { weights, counter, ids, bytes, weights, NULL };
static const rheo_tensor tensors[] = {
    { .name = "level0.step3.net.conv1.weight", .dtype = RHEO_DTYPE_F32, .rank = 2, .shape = { 2, 3 } },
    { .name = "rng \"position\"", .dtype = RHEO_DTYPE_U32, .rank = 1, .shape = { 2 } },
    { .name = "ids", .dtype = RHEO_DTYPE_I64, .rank = 4, .shape = { 1, 1, 1, 1 } },
    { .name = "größe", .dtype = RHEO_DTYPE_U8, .rank = 1, .shape = { 3 } },
    { .name = "scalar", .dtype = RHEO_DTYPE_F32, .rank = 0 },
    { .name = "empty", .dtype = RHEO_DTYPE_F32, .rank = 2, .shape = { 0, 9 } },
};
enum { TENSORS = sizeof tensors / sizeof *tensors };
static const rheo_note notes[] = { { "config", "{\"depth\": 32,\n \"σ\": [0.1]}" }, { "step", "1200" } };

static rheo_status give(void *user, size_t k, void *to, rheo_error *err)
{
    const rheo_tensor *list = user;
    uint64_t n = rheo_dtype_bytes(list[k].dtype);
    for (int d = 0; d < list[k].rank; d++) n *= list[k].shape[d];
    if (!contents[k] && n) return RHEO_EDEVICE;
    if (n) memcpy(to, contents[k], n);
    (void)err;
    return RHEO_OK;
}

Test(safetensors, round_trip)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *f;
    const rheo_tensor *list;
    const rheo_note *strings;
    uint8_t got[64], again[64];
    const char *path = scratch_file(&s, "a");
    cr_assert_eq(rheo_safetensors_write(path, tensors, TENSORS, notes, 2, give, (void *)tensors, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_safetensors_open(path, &f, &err), RHEO_OK, "%s", err.text);
    cr_assert_eq(rheo_safetensors_tensors(f, &list), TENSORS);
    for (size_t k = 0; k + 1 < TENSORS; k++) cr_assert_leq(list[k].offset + list[k].bytes, list[k + 1].offset + list[k + 1].bytes);
    for (size_t k = 0; k < TENSORS; k++) {
        const rheo_tensor *t = rheo_safetensors_find(f, tensors[k].name);
        cr_assert(t && t->dtype == tensors[k].dtype && t->rank == tensors[k].rank && !memcmp(t->shape, tensors[k].shape, sizeof t->shape));
        memset(got, 0, sizeof got);
        memset(again, 0, sizeof again);
        give((void *)tensors, k, again, NULL);
        cr_assert_eq(rheo_safetensors_read(f, t->name, t->dtype, t->rank, t->shape, got, &err), RHEO_OK, "%s", err.text);
        cr_assert_arr_eq(got, again, sizeof got);
    }
    cr_assert_eq(rheo_safetensors_notes(f, &strings), 2);
    cr_assert_str_eq(strings[1].key, "step");
    cr_assert_str_eq(rheo_safetensors_note(f, "config"), notes[0].value);
    cr_assert(!rheo_safetensors_note(f, "none") && !rheo_safetensors_find(f, "none"));

    const uint64_t turned[2] = { 3, 2 };
    cr_assert_eq(rheo_safetensors_read(f, tensors[0].name, RHEO_DTYPE_F32, 2, turned, got, &err), RHEO_EFORMAT);
    cr_assert(strstr(err.text, "conv1.weight': found F32 [2, 3], expected F32 [3, 2]"), "%s", err.text);
    err = (rheo_error)RHEO_ERROR_INIT;
    cr_assert_eq(rheo_safetensors_read(f, tensors[1].name, RHEO_DTYPE_F32, 1, tensors[1].shape, got, &err), RHEO_EFORMAT);
    cr_assert(strstr(err.text, "found U32 [2], expected F32 [2]"), "%s", err.text);
    err = (rheo_error)RHEO_ERROR_INIT;
    cr_assert_eq(rheo_safetensors_read(f, "none", RHEO_DTYPE_F32, 0, NULL, got, &err), RHEO_EFORMAT);
    cr_assert(strstr(err.text, "found no tensor 'none'"), "%s", err.text);
    rheo_safetensors_close(f);
    rheo_safetensors_close(NULL);

    FILE *raw = fopen(path, "rb");           /* as others will read it */
    uint64_t n = 0;
    cr_assert(raw && fread(&n, 8, 1, raw) == 1 && n % 8 == 0);
    cr_assert_eq(fgetc(raw), '{');
    fclose(raw);
    scratch_remove(&s);
}

Test(safetensors, failing_source_leaves_the_old_file)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_tensor list[TENSORS];
    rheo_safetensors *f;
    const char *path = scratch_file(&s, "a");
    memcpy(list, tensors, sizeof list);
    cr_assert_eq(rheo_safetensors_write(path, list, 2, NULL, 0, give, list, &err), RHEO_OK);
    list[5].shape[0] = 1;                    /* has no contents: fails */
    cr_assert_eq(rheo_safetensors_write(path, list, TENSORS, NULL, 0, give, list, &err), RHEO_EDEVICE);
    cr_assert_eq(scratch_count(&s), 1);
    cr_assert_eq(rheo_safetensors_open(path, &f, &err), RHEO_OK, "%s", err.text);
    rheo_safetensors_close(f);

    /* What could not be read again is not written. */
    const struct { const char *name; int rank; uint64_t size; } bad[] = {
        { tensors[1].name, 1, 1 }, { "line\nbreak", 1, 1 }, { "\xff", 1, 1 }, { "__metadata__", 1, 1 }, { "x", 9, 1 },
        { "x", 2, (uint64_t)1 << 62 },
        { "x", 1, (uint64_t)1 << 52 },
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        memcpy(list, tensors, sizeof list);
        list[0].name = bad[k].name;
        list[0].rank = bad[k].rank;
        list[0].shape[0] = bad[k].size;
        err = (rheo_error)RHEO_ERROR_INIT;
        cr_assert_neq(rheo_safetensors_write(path, list, 2, NULL, 0, give, list, &err), RHEO_OK, "bad tensor %zu", k);
        cr_assert(*err.text && scratch_count(&s) == 1);
    }
    scratch_remove(&s);
}

/* Opens a file of this header and so many data bytes, and expects the words in the refusal (NULL: accepted). */
static void expect(const char *words, const char *header, size_t length, uint64_t said, size_t data)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *f = NULL;
    char *file = calloc(8 + length + data, 1);
    memcpy(file, &said, 8);
    memcpy(file + 8, header, length);
    scratch_put(&s, "a", file, 8 + length + data);
    const rheo_status st = rheo_safetensors_open(scratch_file(&s, "a"), &f, &err);
    if (words) cr_expect(st == RHEO_EFORMAT && strstr(err.text, words), "%.80s: found '%s', expected '%s'", header, err.text, words);
    else cr_expect_eq(st, RHEO_OK, "%.80s: %s", header, err.text);
    rheo_safetensors_close(f);
    free(file);
    scratch_remove(&s);
}

#define T(dtype, shape, from, to) "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"

Test(safetensors, hostile_headers)
{
    static const struct { const char *words, *header; size_t data; } row[] = {
        { NULL, "{}", 0 },
        { NULL, "{\"a\":" T("F32", "2", "0", "8") "}   ", 8 },
        { NULL, "{\"b\":" T("F32", "2", "4", "12") ",\"a\":" T("F32", "", "0", "4") "}", 12 },
        { NULL, "{\"z\":" T("F32", "0", "4", "4") ",\"a\":" T("F32", "1", "0", "4") ",\"y\":" T("U8", "0", "0", "0") "}", 4 },
        { NULL, "{\"__metadata__\":{\"a\":\"\\u00e9\\\\u0000\"}}", 0 },
        /* not JSON, or not an object */
        { "does not start with '{'", "", 0 },
        { "does not start with '{'", "[]", 0 },
        { "does not start with '{'", " {}", 0 },
        { "not JSON", "{\"a\":", 0 },
        { "not JSON", "{\"a\" 1}", 0 },
        { "not JSON", "{\"a", 0 },
        { "not JSON", "{\"a\\", 0 },
        { "more than padding", "{}x", 0 },
        { "more than padding", "{}\n", 0 },
        { "nested deeper than 8", "{\"a\":[[[[[[[[1]]]]]]]]}", 0 },
        { "not UTF-8", "{\"\xff\":1}", 0 },
        { "not UTF-8", "{\"\xc0\x80\":1}", 0 },
        { "not UTF-8", "{\"\xed\xa0\x80\":1}", 0 },
        { "not UTF-8", "{\"\xe2\x82", 0 },
        { "zero character", "{\"a\\u0000b\":1}", 0 },
        { "control character", "{\"a\\u001b[2J\":" T("F32", "2", "0", "8") "}", 8 },
        /* entries */
        { "expected dtype, shape and data_offsets", "{\"a\":1}", 0 },
        { "expected dtype, shape and data_offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0 },
        { "each once", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4 },
        { "each once", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1]}}", 4 },
        { "found dtype 'BF16', expected F32", "{\"a\":" T("BF16", "2", "0", "4") "}", 4 },
        { "found dtype '?'", "{\"a\":" T("\\u001b", "2", "0", "4") "}", 4 },
        { "dimension 0 is not a size", "{\"a\":" T("F32", "-1", "0", "4") "}", 4 },
        { "dimension 0 is not a size", "{\"a\":" T("F32", "1.5", "0", "6") "}", 6 },
        { "dimension 1 is not a size", "{\"a\":" T("F32", "1,\"1\"", "0", "4") "}", 4 },
        { "dimension 0 is not a size", "{\"a\":" T("F32", "1e400", "0", "4") "}", 4 },
        { "dimension 0 is not a size", "{\"a\":" T("F32", "99999999999999999999", "0", "4") "}", 4 },
        { "dimension 8 is not a size", "{\"a\":" T("F32", "1,1,1,1,1,1,1,1,1", "0", "4") "}", 4 },
        { "not a begin and an end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4 },
        { "not a begin and an end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4 },
        { "not a begin and an end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[]}}", 4 },
        { "not a begin and an end", "{\"a\":" T("F32", "1", "4", "0") "}", 4 },
        { "not a begin and an end", "{\"a\":" T("F32", "1", "-4", "0") "}", 4 },
        { "not a begin and an end", "{\"a\":" T("F32", "1", "0", "1e300") "}", 4 },
        { "not shape times F32", "{\"a\":" T("F32", "2", "0", "4") "}", 4 },
        { "not shape times F32", "{\"a\":" T("F32", "4294967296,4294967296", "0", "0") "}", 0 },
        { "not shape times F32", "{\"a\":" T("F32", "4503599627370496,4503599627370496", "0", "0") "}", 0 },
        /* layout */
        { "an unused stretch", "{\"a\":" T("F32", "1", "4", "8") "}", 8 },
        { "an unused stretch", "{\"a\":" T("F32", "1", "0", "4") ",\"b\":" T("F32", "1", "8", "12") "}", 12 },
        { "an overlap", "{\"a\":" T("F32", "2", "0", "8") ",\"b\":" T("F32", "1", "4", "8") "}", 8 },
        { "an overlap", "{\"a\":" T("F32", "1", "0", "4") ",\"b\":" T("F32", "1", "0", "4") "}", 4 },
        { "found 3 bytes of data, expected 4", "{\"a\":" T("F32", "1", "0", "4") "}", 3 },
        { "found 5 bytes of data, expected 4", "{\"a\":" T("F32", "1", "0", "4") "}", 5 },
        { "found 1 bytes of data, expected 0", "{}", 1 },
        { "expected 9007199254740988", "{\"a\":" T("F32", "2251799813685247", "0", "9007199254740988") "}", 4 },
        { "two tensors are named 'a'", "{\"a\":" T("F32", "1", "0", "4")
          ",\"b\":" T("U8", "0", "4", "4") ",\"a\":" T("F32", "1", "4", "8") "}", 8 },
        /* metadata */
        { "not an object of strings", "{\"__metadata__\":[]}", 0 },
        { "not an object of strings", "{\"__metadata__\":{\"a\":1}}", 0 },
        { "stands twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0 },
        { "holds 'a' twice", "{\"__metadata__\":{\"a\":\"1\",\"b\":\"\",\"a\":\"2\"}}", 0 },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        const size_t n = strlen(row[k].header);
        expect(row[k].words, row[k].header, n, n, row[k].data);
    }
    expect("zero character", "{\"a\0b\":1}", 9, 9, 0);
    expect("at most 2", "{}", 2, 3, 0);
    expect("at most 2", "{}", 2, 16u << 20, 0);
    expect("at most 16777216", "{}", 2, (16u << 20) + 1, 0);
    expect("at most 16777216", "{}", 2, UINT64_MAX, 0);
}

Test(safetensors, truncated_anywhere)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *f;
    char file[2048];
    cr_assert_eq(rheo_safetensors_write(scratch_file(&s, "a"), tensors, TENSORS, notes, 2, give, (void *)tensors, &err), RHEO_OK);
    FILE *in = fopen(s.path, "rb");
    const size_t n = fread(file, 1, sizeof file, in);
    fclose(in);
    cr_assert_lt(n, sizeof file);
    for (size_t cut = 0; cut < n; cut++) {
        err = (rheo_error)RHEO_ERROR_INIT;
        scratch_put(&s, "a", file, cut);
        cr_assert_eq(rheo_safetensors_open(scratch_file(&s, "a"), &f, &err), RHEO_EFORMAT, "cut at %zu", cut);
    }
    err = (rheo_error)RHEO_ERROR_INIT;
    cr_assert_eq(rheo_safetensors_open("/none", &f, &err), RHEO_EFILE);
    cr_assert(strstr(err.text, "/none: cannot be opened: No such file"));
    scratch_remove(&s);
}
