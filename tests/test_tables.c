/* Tables and arrays as data sets: .csv and .npy, what they are understood as, and each way in which they can be wrong. */
#include <criterion/criterion.h>
#include <math.h>

#include "data/npy.h"
#include "data/table.h"
#include "expect.h"
#include "scratch.h"
#include "train/columns.h"

enum { TRAIN = 1 << RHEO_SPLIT_TRAIN, VALID = 1 << RHEO_SPLIT_VALID, TEST = 1 << RHEO_SPLIT_TEST, EVERY = TRAIN | VALID | TEST };

/* ---- .csv ----------------------------------------------------------------------------------------------------------- */

static rheo_status parse_with(const char *text, const rheo_reading *how, rheo_table *out, rheo_error *err)
{
    /* Behind a copy of the exact size the sanitizers stand. */
    const size_t n = strlen(text);
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, text, n);
    const rheo_status st = rheo_csv_parse("t.csv", copy, n, how, out, err);
    free(copy);
    return st;
}

static rheo_status parse(const char *text, const char *columns, rheo_table *out, rheo_error *err)
{
    return parse_with(text, &(rheo_reading){ .columns = columns }, out, err);
}

Test(tables, csv_is_read_in_all_its_forms)
{
    static const struct {
        const char *text, *columns, *format, *names[3];
        double value[4];
        uint32_t rows, n;
    } good[] = {
        { "a,b\n1,2\n3,4\n", NULL, "CSV with a header", { "a", "b" }, { 1, 2, 3, 4 }, 2, 2 },
        { "1,2\n3,4", NULL, "CSV without a header", { "1", "2" }, { 1, 2, 3, 4 }, 2, 2 },
        { "\xEF\xBB\xBF\"1\",2\r\n3,4\r\n", NULL, "CSV without a header", { "1", "2" }, { 1, 2, 3, 4 }, 2, 2 },
        { "a;b\r1;2\r3;4\r", NULL, "CSV (semicolons) with a header", { "a", "b" }, { 1, 2, 3, 4 }, 2, 2 },
        { "a\tb\n\n1\t2\n\n3\t4\n\n", NULL, "CSV (tabs) with a header", { "a", "b" }, { 1, 2, 3, 4 }, 2, 2 },
        { "\"a \"\"x\"\", m\",\"b\nc\"\n -1.5e1 ,+.5\n", "1", "CSV with a header", { "a \"x\", m" }, { -15 }, 1, 1 },
        { "a,who,c\n1,Ann,2\n3,\"B, C\nD\",4\n", "c,a", "CSV with a header", { "c", "a" }, { 2, 1, 4, 3 }, 2, 2 },
        { "a,,c\n1,2,3\n", "2,c", "CSV with a header", { "2", "c" }, { 2, 3 }, 1, 2 },
        { "3,2,1\n6,5,4\n", "3,1", "CSV without a header", { "3", "1" }, { 1, 3, 4, 6 }, 2, 2 },
        { "2,1\nx,y\n", "2", NULL, { 0 }, { 0 }, 0, 0 },
        { "b,2\n7,8\n", "2", "CSV with a header", { "2" }, { 8 }, 1, 1 },
    };
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        rheo_error err = RHEO_ERROR_INIT;
        rheo_table t;
        if (!good[k].format) {
            ASSERT_FAILS(parse(good[k].text, good[k].columns, &t, &err), RHEO_EFORMAT, "line 2, column 2: found 'y'");
            continue;
        }
        ASSERT_OK(parse(good[k].text, good[k].columns, &t, &err));
        cr_assert_str_eq(t.format, good[k].format, "case %zu", k);
        cr_assert(t.rows == good[k].rows && t.columns == good[k].n, "case %zu: %u x %u", k, t.rows, t.columns);
        for (uint32_t c = 0; c < t.columns; c++) cr_assert_str_eq(t.name[c], good[k].names[c], "case %zu", k);
        for (uint32_t i = 0; i < t.rows * t.columns; i++) cr_assert_eq(t.value[i], good[k].value[i], "case %zu, %u: %g", k, i, t.value[i]);
        rheo_table_free(&t);
    }
}

Test(tables, bad_csv_is_refused_by_line_and_column)
{
    static const struct { const char *text, *columns, *words; } bad[] = {
        { "", NULL, "t.csv: the file is empty" },
        { "\n\n", NULL, "the file is empty" },
        { "a,b\n", NULL, "found a header and no rows" },
        { "a,b\n1,2\n3,x\n", NULL, "line 3, column 2 (b): found 'x', expected a number; --columns chooses others" },
        { "a,b\n1,2\n\n,4\n", NULL, "line 4, column 1 (a): found nothing, expected a number" },
        { "1,NA\n1,2\n", NULL, "line 1, column 2: found 'NA', expected a number" },
        { "1,2\n3,nan\n", NULL, "line 2, column 2: found 'nan', expected a number" },
        { "1,2\n3,inf\n", NULL, "found 'inf'" },
        { "1,2\n3,0x10\n", NULL, "found '0x10'" },
        { "1,2\n3,1e400\n", NULL, "found 1e400, expected a number from -1e30 to 1e30" },
        { "1;2\n3;4,5\n", NULL, "line 2, column 2: found '4,5'" },
        { "1,2\n3\n", NULL, "line 2: found 1 columns, expected 2 as in the first line" },
        { "1,2\n3,4,5\n", NULL, "line 2: found 3 columns, expected 2" },
        { "a,b\n\"x\ny\",2,3\n", "b", "line 2: found 3 columns" },
        { "a,b\n1,2\n\"3,4\n5,6\n", NULL, "line 3: its quotes do not end" },
        { "a,b\n1,2\n3\"4\",5\n", NULL, "line 3, byte 1: a quote in the middle of a field" },
        { "a,a\n1,2\n", NULL, "line 1: columns 1 and 2 have one name: a" },
        { "a,\xff\n1,2\n", NULL, "line 1: the name of column 2 is not UTF-8" },
        { "1,2\n\x1b[31m,4\n", NULL, "found ' [31m'" },
        { "1,2\n3,4\n", "3", "columns: t.csv has no '3', expected names or numbers from 1 to 2" },
        { "a,b\n3,4\n", "a,", "columns: t.csv has no ''" },
        { "a,b\n3,4\n", "a,1", "columns: 'a' of t.csv is named twice" },
        { "a,b\n3,4\n", "a,b,a", "columns: more than the 2 of t.csv" },
    };
    rheo_error err;
    rheo_table t;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        ASSERT_FAILS(parse(bad[k].text, bad[k].columns, &t, &err), strncmp(bad[k].words, "columns", 7) ? RHEO_EFORMAT : RHEO_EINVAL, bad[k].words);
    ASSERT_FAILS(rheo_csv_parse("t.csv", (const uint8_t *)"1,\0\n", 4, &(rheo_reading){ 0 }, &t, &err), RHEO_EFORMAT, "line 1: found a zero byte");

    enum { MANY = 1 << 21 };
    char *much = malloc(MANY + 1);
    for (int quoted = 0; quoted < 3; quoted++) {         /* a line without end, one of fields, a field over many lines */
        memset(much, quoted == 1 ? ',' : '1', MANY);
        much[MANY] = '\0';
        for (int i = 1; i < MANY && quoted == 2; i += 1000) much[i] = '\n';
        if (quoted == 2) much[0] = '"';
        ASSERT_FAILS(parse(much, NULL, &t, &err), RHEO_EFORMAT, "line 1: more than 1048576 bytes");
    }
    memset(much, ',', RHEO_TABLE_COLUMNS);
    much[RHEO_TABLE_COLUMNS] = '\0';
    ASSERT_FAILS(parse(much, NULL, &t, &err), RHEO_EFORMAT, "line 1: more than 8192 columns");
    memset(much, 'a', RHEO_COLUMN_NAME);
    strcpy(much + RHEO_COLUMN_NAME, ",b\n1,2\n");
    ASSERT_FAILS(parse(much, NULL, &t, &err), RHEO_EFORMAT, "the name of column 1 has 128 bytes, expected fewer than 128");
    free(much);
}

/* What a model was trained with says which columns of other files are meant. */
Test(tables, columns_of_other_files_are_found_by_name)
{
    rheo_column two[2] = { { "b", 0, 1, 0, 0 }, { "a", 0, 1, 0, 0 } };
    const rheo_standard s = { 2, two };
    const rheo_reading how = { .standard = &s };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_table t;
    ASSERT_OK(parse_with("x,a,y,b\nu,1,v,2\n", &how, &t, &err));
    cr_assert(t.columns == 2 && t.value[0] == 2 && t.value[1] == 1);
    rheo_table_free(&t);
    ASSERT_OK(parse_with("1,2\n3,4\n", &how, &t, &err));              /* without names: in their order */
    cr_assert(t.columns == 2 && t.value[0] == 1 && t.value[3] == 4);
    rheo_table_free(&t);
    ASSERT_FAILS(parse_with("a,c\n1,2\n", &how, &t, &err), RHEO_EFORMAT, "t.csv: found no column 'b' among 2, which the model was trained on");
    ASSERT_FAILS(parse_with("1,2,3\n", &how, &t, &err), RHEO_EFORMAT, "found no column 'b' among 3");
    strcpy(two[1].name, "b");                                          /* as only a forged checkpoint has it */
    ASSERT_FAILS(parse_with("a,b\n1,2\n", &how, &t, &err), RHEO_EINVAL, "'b' of t.csv is named twice");
}

/* ---- .npy ------------------------------------------------------------------------------------------------------------ */

/* A file's bytes into `to`; the header is that of numpy, of any version. */
static size_t make_npy(uint8_t *to, int version, const char *descr, const char *order, const char *shape, const void *data, size_t bytes)
{
    char header[256];
    const int n = snprintf(header, sizeof header, "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape);
    const uint8_t start[12] = { 0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)version, 0, (uint8_t)n, 0, 0, 0 };
    const size_t at = version == 1 ? 10 : 12;
    memcpy(to, start, at);
    memcpy(to + at, header, (size_t)n);
    memcpy(to + at + n, data, bytes);
    return at + (size_t)n + bytes;
}

static rheo_status parse_npy(const uint8_t *file, size_t n, rheo_npy *out, rheo_error *err)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, file, n);
    const rheo_status st = rheo_npy_parse("t.npy", copy, n, out, err);
    free(copy);
    return st;
}

Test(tables, npy_of_all_versions_types_and_orders)
{
    static const double doubles[6] = { 1, 2, 3, 4, 5, 6.5 };
    static const float floats[6] = { 1, 2, 3, 4, 5, 6.5f };
    static const uint8_t bytes[6] = { 1, 2, 3, 4, 5, 6 };
    static const int turned[6] = { 0, 2, 4, 1, 3, 5 };        /* element i of [2, 3] in a file that runs through [3, 2] */
    static const struct { const char *descr; const void *data; size_t size; rheo_npy_type type; } types[] = {
        { "'|u1'", bytes, 1, RHEO_NPY_BYTES }, { "'<f4'", floats, 4, RHEO_NPY_FLOATS }, { "'<f8'", doubles, 8, RHEO_NPY_DOUBLES },
    };
    uint8_t file[512];
    rheo_error err = RHEO_ERROR_INIT;
    rheo_npy npy;
    for (int version = 1; version <= 3; version++)
        for (int k = 0; k < 3; k++)
            for (int f = 0; f < 2; f++) {
                const size_t n = make_npy(file, version, types[k].descr, f ? "True" : "False", "(2, 3)", types[k].data, 6 * types[k].size);
                ASSERT_OK(parse_npy(file, n, &npy, &err));
                cr_assert(npy.rank == 2 && npy.dim[0] == 2 && npy.dim[1] == 3 && npy.dim[2] == 1 && npy.count == 6 && npy.type == types[k].type);
                for (int i = 0; i < 6; i++) {
                    const double expected = k ? doubles[f ? turned[i] : i] : bytes[f ? turned[i] : i];
                    cr_assert_eq(rheo_npy_at(&npy, (uint64_t)i), expected, "version %d, %s, %d: %g", version, types[k].descr, i, expected);
                }
                free(npy.data);
                for (size_t cut = 0; cut < n; cut++) ASSERT_FAILS(parse_npy(file, cut, &npy, &err), RHEO_EFORMAT, "expected");
            }
}

Test(tables, bad_npy_is_refused)
{
    static const struct { const char *descr, *order, *shape, *words; } bad[] = {
        { "'>f4'", "False", "(2, 3)", "found elements '>f4', expected '<f4', '<f8' or '|u1'" },
        { "'|O'", "False", "(2, 3)", "found elements '|O', expected" },
        { "'<i8'", "False", "(3,)", "found elements '<i8'" },
        { "[('a', '<f4')]", "False", "(6,)", "found elements [('a" },
        { "'<f4'", "maybe", "(6,)", "fortran_order: found 'maybe'" },
        { "'<f4'", "False", "6", "shape: expected a tuple" },
        { "'<f4'", "False", "(2, -3)", "shape: expected a number at '-3" },
        { "'<f4'", "False", "(2, 0)", "shape: dimension 1 is 0" },
        { "'<f4'", "False", "(1, 1, 1, 1, 6)", "shape: more than 4 dimensions" },
        { "'<f4'", "False", "(4294967296, 4294967296)", "too large to multiply" },
        { "'<f4'", "False", "(99999999999999999999, 1)", "too large to multiply" },
        { "'<f4'", "False", "(2305843009213693951, 1)", "found 24 bytes of elements, expected 9223372036854775804" },
        { "'<f4'", "False", "(2, 4)", "found 24 bytes of elements, expected 32" },
        { "'<f4'", "False", "(2, 2)", "found 24 bytes of elements, expected 16" },
        { "'<f4'", "False", "(2, 3", "shape: expected a number at" },
    };
    static const float x[6] = { 0 };
    uint8_t file[512];
    rheo_error err;
    rheo_npy npy;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        ASSERT_FAILS(parse_npy(file, make_npy(file, 1, bad[k].descr, bad[k].order, bad[k].shape, x, sizeof x), &npy, &err), RHEO_EFORMAT,
                     bad[k].words);
    const size_t n = make_npy(file, 2, "'<f4'", "False", "(6,)", x, sizeof x);
    file[6] = 4;
    ASSERT_FAILS(parse_npy(file, n, &npy, &err), RHEO_EFORMAT, "byte 6: found version 4, expected 1 to 3");
    file[6] = 2;
    file[11] = 0x7f;
    ASSERT_FAILS(parse_npy(file, n, &npy, &err), RHEO_EFORMAT, "byte 8: found a header of 21307");
}

/* ---- data sets --------------------------------------------------------------------------------------------------------- */

static void put_array(scratch *s, const char *name, const char *descr, const char *shape, const void *data, size_t bytes)
{
    uint8_t *file = malloc(bytes + 512);
    scratch_put(s, name, file, make_npy(file, 1, descr, "False", shape, data, bytes));
    free(file);
}

Test(tables, splits_are_disjoint_and_standardised_by_training)
{
    enum { N = 200 };
    static float x[N][2];
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d, *e;
    int seen[N] = { 0 };
    for (int i = 0; i < N; i++) x[i][0] = (float)i, x[i][1] = 1e6f + (float)(i * i % 97);
    put_array(&s, "x.npy", "'<f4'", "(200, 2)", x, sizeof x);
    ASSERT_OK(rheo_dataset_open(scratch_file(&s, "x.npy"), 0, EVERY, &d, &err));
    cr_assert(d->kind == RHEO_DATA_VECTORS && d->h == 1 && d->w == 1 && d->c == 2 && d->standard.columns == 2);
    cr_assert(d->split[0].count == 162 && d->split[1].count == 18 && d->split[2].count == 20);
    for (int k = 0; k < RHEO_SPLITS; k++)
        for (uint32_t i = 0; i < d->split[k].count; i++) {
            float row[2];
            memcpy(row, d->split[k].vectors + 2 * i, sizeof row);
            rheo_standard_undo(&d->standard, row, 2);
            const int at = (int)lround(row[0]);
            cr_assert(at >= 0 && at < N && !seen[at]++, "row %d is in two splits", at);
            /* A standardised float is good to half an ulp: 4 2^-25 deviations. */
            for (int c = 0; c < 2; c++)
                cr_assert(fabs((double)row[c] - x[at][c]) <= 4 * 0x1p-25 * d->standard.column[c].deviation + (c ? 0.0625 / 2 : 0),
                          "row %d: %.9g, %.9g", at, (double)row[c], (double)x[at][c]);
        }
    for (int c = 0; c < 2; c++) {           /* of 162 floats up to 2, in double: roundings of 2^-24 */
        double mean = 0, square = 0;
        for (uint32_t i = 0; i < 162; i++) mean += (double)d->split[0].vectors[2 * i + c] / 162;
        for (uint32_t i = 0; i < 162; i++) square += pow(d->split[0].vectors[2 * i + c] - mean, 2) / 162;
        cr_assert(fabs(mean) < 0x1p-23 && fabs(square - 1) < 0x1p-20, "column %d: %g, %g", c, mean, square);
    }
    cr_assert(d->standard.column[1].least >= 1e6 && d->standard.column[1].most <= 1e6 + 96);

    /* As the model's: nothing is measured anew, and a data set of any source is brought to its scale. */
    rheo_column twice[2] = { { "1", 10, 2, 0, 0 }, { "2", 1e6, 4, 0, 0 } };
    const rheo_standard own = { 2, twice }, none = { 0, NULL };
    ASSERT_OK(rheo_dataset_read(scratch_file(&s, "x.npy"), &(rheo_reading){ .standard = &own }, TEST, &e, &err));
    for (uint32_t i = 0; i < 20; i++) {
        float row[2];
        memcpy(row, d->split[2].vectors + 2 * i, sizeof row);
        rheo_standard_undo(&d->standard, row, 2);
        cr_assert_float_eq(e->split[2].vectors[2 * i], (row[0] - 10) / 2, 1e-4);
    }
    rheo_dataset_close(e);
    ASSERT_OK(rheo_dataset_read(scratch_file(&s, "x.npy"), &(rheo_reading){ .standard = &none }, TEST, &e, &err));
    cr_assert(e->split[2].vectors[1] >= 1e6f && e->split[2].fingerprint == d->split[2].fingerprint && e->split[2].fingerprint != d->split[0].fingerprint);
    rheo_dataset_close(e);
    twice[1].mean = 0;
    ASSERT_OK(rheo_dataset_read("toy:moons", &(rheo_reading){ .standard = &own }, TEST, &e, &err));
    rheo_dataset *toy;
    ASSERT_OK(rheo_dataset_open("toy:moons", 0, TEST, &toy, &err));
    cr_assert_float_eq(e->split[2].vectors[0], (toy->split[2].vectors[0] - 10) / 2, 1e-6);
    cr_assert_float_eq(e->split[2].vectors[1], toy->split[2].vectors[1] / 4, 1e-6);
    rheo_dataset_close(toy);
    rheo_dataset_close(e);
    rheo_dataset_close(d);
    scratch_remove(&s);
}

Test(tables, data_that_have_no_density_are_refused_by_name)
{
    scratch s = scratch_make();
    rheo_error err;
    rheo_dataset *d;
    char path[sizeof s.path];
    float x[8][2][2][1];
    static const char constant[] = "a,b\n1,5\n2,5\n3,5\n4,5\n", few[] = "a,b\n1,5\n2,6\n3,7\n";
    strcpy(path, scratch_file(&s, "t.csv"));
    scratch_put(&s, "t.csv", constant, sizeof constant - 1);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TRAIN, &d, &err), RHEO_EFORMAT, "t.csv: column b is 5 in all 2 training rows");
    scratch_put(&s, "t.csv", few, sizeof few - 1);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TRAIN, &d, &err), RHEO_EFORMAT, "t.csv: found 3 rows, expected at least 4");
    ASSERT_FAILS(rheo_dataset_open("/none.csv", 0, TRAIN, &d, &err), RHEO_EFILE, "/none.csv: cannot be opened: No such file");
    ASSERT_FAILS(rheo_dataset_read("toy:moons", &(rheo_reading){ .columns = "1" }, TRAIN, &d, &err), RHEO_EINVAL, "columns: toy:moons is no table");

    for (int i = 0; i < 32; i++) (&x[0][0][0][0])[i] = (float)(i * i % 31);
    strcpy(path, scratch_file(&s, "x.npy"));
    put_array(&s, "x.npy", "'<f4'", "(8, 2, 2)", x, sizeof x);
    ASSERT_OK(rheo_dataset_open(path, 0, TRAIN, &d, &err));
    cr_assert(d->h == 2 && d->w == 2 && d->c == 1 && d->standard.columns == 1 && d->kind == RHEO_DATA_VECTORS);
    rheo_dataset_close(d);
    for (int i = 0; i < 8; i++) x[i][1][0][0] = -2;
    put_array(&s, "x.npy", "'<f4'", "(8, 2, 2)", x, sizeof x);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TRAIN, &d, &err), RHEO_EFORMAT, "element [1, 0, 0] is -2 in all 6 training rows");
    x[5][0][1][0] = NAN;
    put_array(&s, "x.npy", "'<f4'", "(8, 4)", x, sizeof x);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TEST, &d, &err), RHEO_EFORMAT, "x.npy: row 6, column 2 (both from 1): found nan");
    x[5][0][1][0] = -INFINITY;
    put_array(&s, "x.npy", "'<f4'", "(8, 4)", x, sizeof x);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TEST, &d, &err), RHEO_EFORMAT, "found -inf");
    put_array(&s, "x.npy", "'<f4'", "(32,)", x, sizeof x);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TEST, &d, &err), RHEO_EFORMAT, "found 1 dimension of floats, expected floats [N, D]");
    put_array(&s, "x.npy", "'|u1'", "(32, 4)", x, 128);
    ASSERT_FAILS(rheo_dataset_open(path, 0, TEST, &d, &err), RHEO_EFORMAT, "found 2 dimensions of bytes");
    scratch_remove(&s);
}

Test(tables, arrays_of_bytes_are_images)
{
    enum { N = 20 };
    static uint8_t x[N][2][4][3];
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_dataset *d;
    char path[sizeof s.path], *json = NULL;
    uint8_t value = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 24; k++) (&x[i][0][0][0])[k] = (uint8_t)(k % 3 == 1 ? 9 : 10 * i + k);
    strcpy(path, scratch_file(&s, "x.npy"));
    put_array(&s, "x.npy", "'|u1'", "(20, 2, 4, 3)", x, sizeof x);
    ASSERT_OK(rheo_dataset_open(path, 0, EVERY, &d, &err));
    cr_assert(d->kind == RHEO_DATA_IMAGES && d->h == 2 && d->w == 4 && d->c == 3 && !d->standard.columns);
    cr_assert(d->split[0].count == 17 && d->split[1].count == 1 && d->split[2].count == 2);
    for (int k = 0; k < RHEO_SPLITS; k++)
        for (uint32_t i = 0; i < d->split[k].count; i++)
            cr_assert(!memcmp(d->split[k].images + 24 * i, x[d->split[k].images[24 * i] / 10], 24));
    cr_assert(rheo_constant_channel(d, 0, &value) == 1 && value == 9 && rheo_constant_channel(d, 2, &value) == 3);
    rheo_dataset_close(d);
    ASSERT_OK(rheo_data_describe(path, 0, NULL, NULL, &json, &err));
    cr_assert(strstr(json, "\"constant\":\t[1]") && strstr(json, "NumPy array of bytes"), "%s", json);
    rheo_free(json);
    put_array(&s, "x.npy", "'|u1'", "(3, 8, 20)", x, sizeof x);
    ASSERT_FAILS(rheo_dataset_open(path, 0, EVERY, &d, &err), RHEO_EFORMAT, "found 3 images, expected 4 to");
    put_array(&s, "x.npy", "'|u1'", "(4, 8, 15)", x, sizeof x - 1);
    ASSERT_FAILS(rheo_dataset_open(path, 0, EVERY, &d, &err), RHEO_EFORMAT, "found 479 bytes of elements, expected 480");
    scratch_remove(&s);
}

Test(tables, described)
{
    static const char text[] = "size,\"a, b\"\n1,-2\n2,4\n3,8\n4,16\n5,32\n";
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char *json = NULL;
    scratch_put(&s, "t.csv", text, sizeof text - 1);
    ASSERT_OK(rheo_data_describe(scratch_file(&s, "t.csv"), 0, "2,1", NULL, &json, &err));
    cJSON *o = cJSON_Parse(json), *columns = cJSON_GetObjectItem(o, "columns"), *first = cJSON_GetArrayItem(columns, 0);
    cr_assert_eq(cJSON_GetArraySize(columns), 2);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(first, "name")), "a, b");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(o, "format")), "CSV with a header");
    const double least = cJSON_GetNumberValue(cJSON_GetObjectItem(first, "min")), most = cJSON_GetNumberValue(cJSON_GetObjectItem(first, "max"));
    const double mean = cJSON_GetNumberValue(cJSON_GetObjectItem(first, "mean"));
    cr_assert(least >= -2 && most <= 32 && least < mean && mean < most, "%s", json);
    cJSON_Delete(o);
    rheo_free(json);
    ASSERT_FAILS(rheo_data_describe(scratch_file(&s, "t.csv"), 0, NULL, "x.png", &json, &err), RHEO_EINVAL, "only images have a sheet");
    scratch_remove(&s);
}

Test(tables, columns_of_forged_checkpoints_are_refused)
{
    static const struct { const char *json, *words; } bad[] = {
        { "{}", "data.columns: expected a list of 2" },
        { "[{}]", "data.columns: expected a list of 2" },
        { "[{\"name\":\"a\",\"mean\":0,\"deviation\":1},{\"name\":\"\",\"mean\":0,\"deviation\":1}]", "data.columns[1].name" },
        { "[{\"name\":\"a\",\"mean\":1e999,\"deviation\":1},{\"name\":\"b\",\"mean\":0,\"deviation\":1}]", "data.columns[0].mean" },
        { "[{\"name\":\"a\",\"mean\":0,\"deviation\":0},{\"name\":\"b\",\"mean\":0,\"deviation\":1}]", "data.columns[0].deviation" },
        { "[{\"name\":\"a\",\"mean\":0,\"deviation\":1},{\"name\":\"b\",\"mean\":0,\"deviation\":-1}]", "data.columns[1].deviation" },
        { "[{\"name\":\"a\",\"mean\":0,\"deviation\":1},3]", "data.columns[1].name" },
    };
    rheo_error err;
    rheo_standard s;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        cJSON *json = cJSON_Parse(bad[k].json);
        cr_assert(json);
        ASSERT_FAILS(rheo_columns_from_json(json, "c", 2, &s, &err), RHEO_EFORMAT, bad[k].words);
        cJSON_Delete(json);
    }
}
