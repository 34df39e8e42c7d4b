/* Flows of tables and arrays, through the public calls: all numbers are in the data's units. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include <math.h>

#include "base/philox.h"
#include "process.h"
#include "runs.h"

enum { ROWS = 4000, COLUMNS = 3 };

/* Correlated normals in whole numbers, so that their text and any whole multiple is exact; deviations of 10^4 and more make the steps of 1
 * nothing to a density. */
static const double mean[COLUMNS] = { 1e5, -5e5, 0 }, deviation[COLUMNS] = { 2e4, 3e4, 1e4 };
#define RHO 0.9
#define PI 3.14159265358979323846

/* A chain: each of its normals is RHO of the one before and sqrt(1 - RHO^2) of its own. */
static void make_row(uint32_t k, double x[COLUMNS])
{
    const rheo_address at = { .seed = 7, .sample = k, .purpose = RHEO_FOR_SYNTHETIC_DATA };
    uint32_t words[4];
    double z[4];
    rheo_philox_block(&at, 0, words);
    rheo_philox_normals(words, z);
    for (int c = 1; c < COLUMNS; c++) z[c] = RHO * z[c - 1] + sqrt(1 - RHO * RHO) * z[c];
    for (int c = 0; c < COLUMNS; c++) x[c] = round(mean[c] + deviation[c] * z[c]);
}

static double true_log_density(const float *x)
{
    double z[COLUMNS], sum = 0;
    for (int c = 0; c < COLUMNS; c++) z[c] = (x[c] - mean[c]) / deviation[c];
    for (int c = 0; c < COLUMNS; c++) {
        const double own = c ? (z[c] - RHO * z[c - 1]) / sqrt(1 - RHO * RHO) : z[c];
        sum -= 0.5 * own * own + 0.5 * log(2 * PI) + log(deviation[c]) + (c ? 0.5 * log(1 - RHO * RHO) : 0);
    }
    return sum;
}

/* Columns x, y, z, or the other way round with one of words between; y times a factor. */
static void put_table(scratch *s, const char *name, int rows, int factor, bool turned)
{
    FILE *f = fopen(scratch_file(s, name), "w");
    fputs(turned ? "z,word,y,x\n" : "x,y,z\n", f);
    for (int k = 0; k < rows; k++) {
        double x[COLUMNS];
        make_row((uint32_t)k, x);
        x[1] *= factor;
        if (turned) fprintf(f, "%.0f,\"a, b\",%.0f,%.0f\n", x[2], x[1], x[0]);
        else fprintf(f, "%.0f,%.0f,%.0f\n", x[0], x[1], x[2]);
    }
    cr_assert_eq(fclose(f), 0);
}

static rheo_checkpoint *train(scratch *s, const char *data, const char *columns, const char *device, int64_t steps, const char *name)
{
    char run[sizeof s->folder + 16], path[sizeof s->path];
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    snprintf(run, sizeof run, "%s/%s", s->folder, name);
    strcpy(path, scratch_file(s, data));
    rheo_train_options o = small(run, device, steps);
    o.data = path;
    o.columns = columns;
    o.batch = steps > 20 ? 128 : 16;
    o.lr = 5e-3;
    o.ema = 0.9;
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, device, NULL, &c, &err));
    return c;
}

static double nats_on(rheo_checkpoint *c, const char *data)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_evaluate_options o;
    rheo_evaluation e;
    rheo_evaluate_defaults(&o);
    o.data = data;
    ASSERT_OK(rheo_evaluate(c, &o, &e, &err));
    cr_assert_str_eq(e.unit, "nats");
    cr_assert(e.loss == e.nats && isnan(e.bits_per_dim));
    return e.nats;
}

Test(table_flow, finds_a_density_in_the_units_of_the_data)
{
    enum { SAMPLES = 2000 };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint_facts f;
    rheo_data test = { .x = NULL };
    put_table(&s, "t.csv", ROWS, 1, false);
    rheo_checkpoint *c = train(&s, "t.csv", NULL, getenv("RHEO_TEST_DEVICE"), 300, "run");
    rheo_checkpoint_facts_of(c, &f);
    cr_assert(f.vectors && f.c == COLUMNS && f.columns && !strcmp(f.columns[0], "x") && !strcmp(f.columns[2], "z"));
    ASSERT_OK(rheo_checkpoint_data(c, NULL, "test", 0, 0, &test, &err));
    cr_assert_eq(test.n, ROWS / 10);

    /* Gibbs: no density is better on average than the true one. The difference row by row has little noise. Independent normals of these
     * deviations miss the correlation, -ln det(R) / 2 = -ln(1 - RHO^2) = 1.66 nats. */
    double score[ROWS / 10], worse = 0, squares = 0, sum = 0;
    const float *x = test.x;
    ASSERT_OK(rheo_log_prob(c, x, test.n, 0, score, &err));
    for (uint32_t i = 0; i < test.n; i++) {
        const double d = true_log_density(x + COLUMNS * i) - score[i];
        sum += score[i] / test.n;
        worse += d / test.n;
        squares += d * d / test.n;
    }
    const double error = sqrt((squares - worse * worse) / test.n);
    cr_log_info("%.4f nats, %.4f +- %.4f above the entropy", -sum, worse, error);
    cr_assert(worse > -5 * error, "%g +- %g nats below the entropy", -worse, error);
    cr_assert(worse + 5 * error < -log(1 - RHO * RHO), "%g +- %g nats above the entropy: independent columns are as good", worse, error);
    /* One is of the text's doubles, the other of floats, whose ulp near 5e5 is 2^-5: up to 2^-6 / 1e4 deviations. The slope of log p in a deviation
     * is some 10 at 4 deviations out, and 1 / (1 - RHO^2) = 5 times that across the correlation. */
    const double nats = nats_on(c, NULL);
    cr_assert(fabs(nats + sum) < 50 * 0x1p-6 / 1e4, "%.9g and %.9g", nats, -sum);

    /* Samples are in units: a normal of KL divergence k has its mean within sqrt(2 k) deviations, and log(its deviation) within sqrt(k) + k of
     * the truth; and 5 standard errors of 2,000 samples. */
    float *y = malloc(SAMPLES * COLUMNS * sizeof *y), *codes = malloc(SAMPLES * COLUMNS * sizeof *codes), *back = malloc(SAMPLES * COLUMNS * sizeof *back);
    const double k = fmax(worse, 0) + 5 * error;
    ASSERT_OK(rheo_sample(c, SAMPLES, 1, 3, y, &err));
    for (int j = 0; j < COLUMNS; j++) {
        double m = 0, q = 0;
        for (int i = 0; i < SAMPLES; i++) m += y[COLUMNS * i + j] / (double)SAMPLES;
        for (int i = 0; i < SAMPLES; i++) q += pow(y[COLUMNS * i + j] - m, 2) / SAMPLES;
        cr_assert(fabs(m - mean[j]) < deviation[j] * (sqrt(2 * k) + 5 / sqrt(SAMPLES)), "column %d: mean %g", j, m);
        cr_assert(fabs(log(sqrt(q) / deviation[j])) < sqrt(k) + k + 5 / sqrt(2.0 * SAMPLES), "column %d: deviation %g", j, sqrt(q));
    }
    /* There and back, up to the round trip of float32: 1e-4 deviations, and an ulp. */
    ASSERT_OK(rheo_encode(c, y, SAMPLES, 0, codes, &err));
    ASSERT_OK(rheo_decode(c, codes, SAMPLES, back, &err));
    for (int i = 0; i < SAMPLES * COLUMNS; i++)
        cr_assert(fabs((double)y[i] - back[i]) < 1e-4 * deviation[i % COLUMNS] + 0x1p-4, "%d: %g and %g", i, (double)y[i], (double)back[i]);
    double square = 0;
    for (int i = 0; i < SAMPLES * COLUMNS; i++) square += (double)codes[i] * codes[i];
    /* Codes of samples are the normals they came from: chi square of 6,000, whose deviation is 110. */
    cr_assert(fabs(square - SAMPLES * COLUMNS) < 5 * 110, "%g", square);

    /* Other files: columns by name, whatever else is there. */
    put_table(&s, "turned.csv", ROWS, 1, true);
    cr_assert_eq(nats_on(c, scratch_file(&s, "turned.csv")), nats);
    free(y), free(codes), free(back);
    rheo_data_free(&test);
    rheo_checkpoint_close(c);
    clean(&s);
}

/* Standardised, a column times 1,000 is the same floats, and so is all that follows; what is left is log 1,000, in a few roundings of doubles: */
#define ROUNDINGS (16 * 0x1p-52 * 40)

Test(table_flow, a_column_times_1000_costs_log_1000_nats)
{
    for (int k = 0; k < device_count(); k++) {
        double nats[2];
        for (int times = 0; times < 2; times++) {
            scratch s = scratch_make();
            put_table(&s, "t.csv", 100, times ? 1000 : 1, false);
            rheo_checkpoint *c = train(&s, "t.csv", NULL, device_of(k), 3, "run");
            nats[times] = nats_on(c, NULL);
            rheo_checkpoint_close(c);
            clean(&s);
        }
        cr_assert(fabs(nats[1] - nats[0] - log(1000)) < ROUNDINGS, "%.15g - %.15g is not %.15g", nats[1], nats[0], log(1000));
    }
}

/* On a device: the host executor's doubles are saved as floats. */
Test(table_flow, a_resumed_run_needs_no_other_scale)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[2][sizeof s.folder + 8];
    put_table(&s, "t.csv", 100, 1, true);
    for (int k = 0; k < 2; k++) {
        snprintf(run[k], sizeof run[k], "%s/%d", s.folder, k);
        rheo_checkpoint_close(train(&s, "t.csv", "x,z", getenv("RHEO_TEST_DEVICE"), k ? 2 : 5, k ? "1" : "0"));
    }
    rheo_train_options o = small(run[1], getenv("RHEO_TEST_DEVICE"), 5);
    ASSERT_OK(rheo_resume(&o, &err));
    state a = read_state(run[0]), b = read_state(run[1]);
    expect_same(&a, &b);
    cr_assert(a.recipe.standard.columns == 2 && !memcmp(a.recipe.standard.column, b.recipe.standard.column, RHEO_COLUMN_NAME));
    cr_assert_eq(a.recipe.standard.column[1].deviation, b.recipe.standard.column[1].deviation);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

Test(table_flow, info_lists_the_columns)
{
    scratch s = scratch_make();
    char run[sizeof s.folder + 8], output[sizeof s.folder + 8], text[8192];
    snprintf(run, sizeof run, "%s/run", s.folder);
    snprintf(output, sizeof output, "%s/output", s.folder);
    put_table(&s, "t.csv", 100, 1, true);
    rheo_checkpoint_close(train(&s, "t.csv", "x,z", getenv("RHEO_TEST_DEVICE"), 1, "run"));
    state a = read_state(run);
    process c = { .args = { "info", run }, .output = output };
    cr_assert_eq(process_run(&c), 0);
    process_output(&c, text, sizeof text);
    cr_assert_eq(a.recipe.standard.columns, 2);
    for (int k = 0; k < 2; k++) {
        char line[128];
        const rheo_column *column = &a.recipe.standard.column[k];
        snprintf(line, sizeof line, "\n  %-14s %-12.6g %.6g\n", k ? "z" : "x", column->mean, column->deviation);
        cr_assert(strstr(text, line), "expected '%s' in: %s", line, text);
    }
    c.args[2] = "--json";
    cr_assert_eq(process_run(&c), 0);
    process_output(&c, text, sizeof text);
    cJSON *json = cJSON_Parse(text), *columns = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "data"), "columns");
    cr_assert_eq(cJSON_GetArraySize(columns), 2, "%s", text);
    const cJSON *z = cJSON_GetArrayItem(columns, 1);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(z, "name")), "z");
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(z, "mean")), a.recipe.standard.column[1].mean);
    cr_assert_eq(cJSON_GetNumberValue(cJSON_GetObjectItem(z, "deviation")), a.recipe.standard.column[1].deviation);
    cJSON_Delete(json);
    free_state(&a);
    clean(&s);
}

/* Squeezed as images are, in nats as vectors are. */
Test(table_flow, arrays)
{
    enum { N = 60, SIDE = 4, DIMS = SIDE * SIDE * 2 };
    for (int k = 0; k < device_count(); k++) {
        static float x[N][DIMS], back[N][DIMS], codes[N][DIMS];
        static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 4, 4, 2), }\n";
        scratch s = scratch_make();
        rheo_error err = RHEO_ERROR_INIT;
        rheo_checkpoint_facts f;
        double score[N], sum = 0;
        char run[100];
        for (int i = 0; i < N * DIMS; i++) x[i / DIMS][i % DIMS] = 500 * (i % 2) + (float)(i * 2654435761u % 1000) / 100;
        FILE *to = fopen(scratch_file(&s, "x.npy"), "wb");
        fwrite("\x93NUMPY\x01\0", 1, 8, to);
        fputc(sizeof header - 1, to);
        fputc(0, to);
        fwrite(header, 1, sizeof header - 1, to);
        fwrite(x, 1, sizeof x, to);
        fclose(to);
        char path[sizeof s.path];
        strcpy(path, scratch_file(&s, "x.npy"));
        snprintf(run, sizeof run, "%s/run", s.folder);
        rheo_train_options o = small(run, device_of(k), 2);
        rheo_checkpoint *c = NULL;
        o.data = path;
        o.model_config = "{\"levels\": 2, \"depth\": 1, \"width\": 4}";
        ASSERT_OK(rheo_train(&o, &err));
        ASSERT_OK(rheo_checkpoint_open(run, o.device, "raw", &c, &err));
        rheo_checkpoint_facts_of(c, &f);
        cr_assert(f.vectors && f.h == SIDE && f.w == SIDE && f.c == 2);
        ASSERT_OK(rheo_log_prob(c, x, N, 0, score, &err));
        ASSERT_OK(rheo_encode(c, x, N, 0, &codes[0][0], &err));
        ASSERT_OK(rheo_decode(c, &codes[0][0], N, &back[0][0], &err));
        /* Uniform on 10 in each of 32: near their entropy, of normals with that deviation ln sqrt(2 pi e 100 / 12) each. */
        for (int i = 0; i < N; i++) sum -= score[i] / N;
        const double normal = DIMS * 0.5 * (log(2 * PI * 100 / 12) + 1);
        cr_assert(fabs(sum - normal) < 0.1 * normal, "%g nats, %g of normals", sum, normal);
        for (int i = 0; i < N * DIMS; i++)
            cr_assert(fabs((double)x[i / DIMS][i % DIMS] - back[i / DIMS][i % DIMS]) < 1e-3, "%d: %g and %g", i, (double)x[i / DIMS][i % DIMS],
                      (double)back[i / DIMS][i % DIMS]);
        rheo_checkpoint_close(c);
        clean(&s);
    }
}

Test(table_flow, one_column_is_refused)
{
    scratch s = scratch_make();
    rheo_error err;
    char run[100], path[sizeof s.path];
    put_table(&s, "t.csv", 50, 1, false);
    strcpy(path, scratch_file(&s, "t.csv"));
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 2);
    o.data = path;
    o.columns = "y";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "glow: vectors of 1 number, expected at least 2");
    o.columns = NULL;
    o.size = 8;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "only folders of PNG and JPEG images are resized");
    cr_assert_eq(scratch_count(&s), 1, "nothing was made");
    clean(&s);
}
