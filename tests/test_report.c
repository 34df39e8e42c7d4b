/* Pictures and the page of a run, from its folder. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include <sys/stat.h>

#include "process.h"
#include "runs.h"

typedef struct fixture {
    scratch s;
    char run[96], output[96], text[1 << 14];
} fixture;

/* A run of some steps on the host executor. */
static void make_run(fixture *x, const char *data, int64_t iterations)
{
    rheo_error err = RHEO_ERROR_INIT;
    x->s = scratch_make();
    snprintf(x->run, sizeof x->run, "%s/run <&>", x->s.folder);
    snprintf(x->output, sizeof x->output, "%s/output", x->s.folder);
    if (!data) make_images(x->s.folder);
    rheo_train_options o = small(x->run, "host", iterations);
    o.data = data ? data : x->s.folder;
    if (!data) o.model_config = "{\"levels\": 1, \"depth\": 1, \"width\": 4}";
    ASSERT_OK(rheo_train(&o, &err));
}

static void expect_exit(fixture *x, process c, int want)
{
    c.output = x->output;
    const int code = process_run(&c);
    process_output(&c, x->text, sizeof x->text);
    cr_assert_eq(code, want, "exit %d, expected %d: %s", code, want, x->text);
}

/* The whole file as text; "" where it is not there. The caller frees it. */
static char *read_text(const fixture *x, const char *name)
{
    char path[200], *text = calloc(1, 1 << 22);
    snprintf(path, sizeof path, "%s/%s", x->run, name);
    FILE *f = fopen(path, "rb");
    if (f) {
        cr_assert_lt(fread(text, 1, (1 << 22) - 1, f), (1 << 22) - 1);
        fclose(f);
    }
    return text;
}

static bool is_png(const fixture *x, const char *name)
{
    char *text = read_text(x, name);
    const bool is = !memcmp(text, "\x89PNG\r\n\x1a\n", 8);
    free(text);
    return is;
}

static void write_log(const fixture *x, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/log.jsonl", x->run);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

/* ---- the log ------------------------------------------------------------------------------------------------------------ */

/* Numbers by hand: a step done twice, one that is not finite, a damaged line in the middle and half a line at the end. */
Test(report, reads_the_log_as_it_is_found)
{
    static const char *const log =
        "{\"parameters\":3,\"launches\":1}\n"
        "{\"step\":10,\"seconds\":1,\"loss\":5,\"gradient_norm\":2,\"rate\":0.001,\"images_per_second\":100,\"skipped\":0}\n"
        "{\"step\":20,\"seconds\":2,\"loss\":4,\"gradient_norm\":1,\"rate\":0.001,\"images_per_second\":100,\"skipped\":0}\n"
        "{\"step\":30,\"seconds\":3,\"lo\n"
        "{\"step\":20,\"seconds\":2,\"loss\":3.5,\"gradient_norm\":null,\"rate\":0.001,\"images_per_second\":100,\"skipped\":1}\n"
        "{\"step\":20,\"seconds\":2,\"event\":\"step 15: not finite (<b>)\"}\n"
        "{\"step\":20,\"seconds\":2,\"valid\":3.25,\"standard_error\":0.5,\"images\":7}\n"
        "{\"step\":30,\"seconds\":3,\"loss\":1e999,\"gradient_norm\":1,\"rate\":0.001,\"images_per_second\":100,\"skipped\":1}\n"
        "{\"step\":40,\"seconds\":4,\"loss\":1,\"grad";
    static const char *const want = "\n 10 1 5 2 0.001 100\n 20 2 3.5 NaN 0.001 100\n 30 3 NaN 1 0.001 100\n\n";
    fixture x;
    make_run(&x, "toy:moons", 2);
    write_log(&x, log);
    expect_exit(&x, (process){ .args = { "plot", x.run, "--log-only" } }, 0);
    cr_assert(strstr(x.text, "log.jsonl: line 4 is damaged"), "%s", x.text);
    cr_assert_not(strstr(x.text, "line 9"), "half a line at the end is no damage: %s", x.text);
    char *data = read_text(&x, "plots/curves.dat");
    cr_assert(strstr(data, want), "%s", data);
    cr_assert(strstr(data, "\n 20 2 3.25 0.5\n"), "%s", data);
    free(data);
    expect_exit(&x, (process){ .args = { "report", x.run, "--device", "host" } }, 0);
    char *page = read_text(&x, "report.html");
    cr_assert(strstr(page, "3.2500 +- 0.5000 nats at step 20"), "%s", page);
    cr_assert(strstr(page, "<li>step 15: not finite (&lt;b&gt;)</li>"), "escaped");
    free(page);
    clean(&x.s);
}

Test(report, a_log_without_steps_and_no_run_are_refused)
{
    fixture x;
    make_run(&x, "toy:moons", 2);
    write_log(&x, "{\"parameters\":3,\"launches\":1}\n");
    expect_exit(&x, (process){ .args = { "plot", x.run, "--log-only" } }, 1);
    cr_assert(strstr(x.text, "log.jsonl: found no step"), "%s", x.text);
    expect_exit(&x, (process){ .args = { "report", x.s.folder } }, 1);
    cr_assert(strstr(x.text, "config.json: cannot be opened"), "%s", x.text);
    clean(&x.s);
}

/* ---- pictures and page --------------------------------------------------------------------------------------------------- */

static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

Test(report, images)
{
    fixture x;
    make_run(&x, NULL, 12);
    const bool gnuplot = !system("command -v gnuplot > /dev/null");
    expect_exit(&x, (process){ .args = { "plot", x.run, "--device", "host" } }, 0);
    cr_assert(is_png(&x, "plots/temperatures.png"));
    cr_assert_eq(is_png(&x, "plots/loss.png"), gnuplot);
    cr_assert_eq(is_png(&x, "plots/gradient_norm.png"), gnuplot);
    cr_assert_eq(is_png(&x, "plots/images_per_second.png"), gnuplot);
    cr_assert_not(is_png(&x, "plots/noise_levels.png"), "a flow has none");
    expect_exit(&x, (process){ .args = { "report", x.run, "--device", "host" } }, 0);
    char *page = read_text(&x, "report.html");
    cr_assert(strstr(page, "<title>run &lt;&amp;&gt;</title>"), "escaped");
    cr_assert_not(strstr(page, "<script"));
    cr_assert_not(strstr(page, "http"), "it opens offline");
    cr_assert(strstr(page, "largest |x - f^-1(f(x))|"), "the round trip");
    cr_assert(strstr(page, "Samples by temperature"));
    cr_assert(strstr(page, "Samples over time"));
    cr_assert_eq(count(page, "src=\"data:image/png;base64,iVBORw0KGgo"), 2 + 4 * gnuplot, "a sheet, a sample and the curves");
    cr_assert(strstr(page, "</html>"));
    free(page);
    clean(&x.s);
}

Test(report, without_gnuplot)
{
    fixture x;
    make_run(&x, "toy:moons", 8);
    expect_exit(&x, (process){ .args = { "plot", x.run, "--device", "host" }, .set = { "PATH=/nonexistent" } }, 0);
    cr_assert(strstr(x.text, "gnuplot is not installed"), "%s", x.text);
    char *script = read_text(&x, "plots/curves.gp");
    cr_assert(strstr(script, "set output 'loss.png'"), "it stays, to be drawn later");
    cr_assert_not(is_png(&x, "plots/loss.png"));
    expect_exit(&x, (process){ .args = { "report", x.run, "--device", "host" }, .set = { "PATH=/nonexistent" } }, 0);
    char *page = read_text(&x, "report.html");
    cr_assert(strstr(page, "Not drawn: gnuplot"), "%s", page);
    free(page);
    free(script);
    clean(&x.s);
}

Test(report, without_a_checkpoint)
{
    fixture x;
    char command[240];
    make_run(&x, "toy:moons", 2);
    snprintf(command, sizeof command, "rm '%s'/*.safetensors", x.run);
    cr_assert_eq(system(command), 0);
    expect_exit(&x, (process){ .args = { "report", x.run, "--device", "host" } }, 0);
    char *page = read_text(&x, "report.html");
    cr_assert(strstr(page, "without best.safetensors or last.safetensors"), "%s", page);
    free(page);
    clean(&x.s);
}

/* A loss that is never finite beside a validation that is, and the other way round; a band that no image drew. */
Test(report, curves_without_a_number_are_left_out)
{
    static const char *const logs[] = {
        "{\"step\":1,\"seconds\":1,\"loss\":null,\"gradient_norm\":2,\"rate\":0}\n{\"step\":1,\"seconds\":1,\"valid\":4,\"standard_error\":1}\n",
        "{\"step\":1,\"seconds\":1,\"loss\":5,\"rate\":0}\n{\"step\":1,\"seconds\":1,\"valid\":null,\"bands\":[[4,3,1,1,1],[2,1,null,1,0]]}\n",
    };
    if (system("command -v gnuplot > /dev/null")) cr_skip_test("no gnuplot");
    for (int k = 0; k < 2; k++) {
        fixture x;
        make_run(&x, "toy:moons", 2);
        write_log(&x, logs[k]);
        expect_exit(&x, (process){ .args = { "plot", x.run, "--log-only" } }, 0);
        cr_assert_not(strstr(x.text, ": warning") || strstr(x.text, "Warning") || strstr(x.text, "gnuplot"), "%s", x.text);
        cr_assert(is_png(&x, "plots/loss.png") && is_png(&x, "plots/learning_rate.png") && !is_png(&x, "plots/images_per_second.png"));
        cr_assert(is_png(&x, "plots/gradient_norm.png") == !k && is_png(&x, "plots/noise_levels.png") == k);
        clean(&x.s);
    }
}

/* Pictures of more and more pixels end in every one of base64's three ways. */
Test(report, pictures_are_inside_byte_by_byte)
{
    enum { MOST = 30 };
    fixture x;
    rheo_error err = RHEO_ERROR_INIT;
    uint8_t pixels[MOST];
    char path[200], command[400];
    bool seen[3] = { false };
    make_run(&x, "toy:moons", 2);
    snprintf(path, sizeof path, "%s/samples/step-00000001.png", x.run);
    for (uint32_t w = 1; w < MOST && !(seen[0] && seen[1] && seen[2]); w++) {
        struct stat file;
        for (uint32_t k = 0; k < w; k++) pixels[k] = (uint8_t)(97 * k * k + w);
        ASSERT_OK(rheo_grid_write(path, pixels, 1, 1, w, 1, 0, NULL, &err));
        cr_assert(!stat(path, &file));
        if (seen[file.st_size % 3]) continue;
        seen[file.st_size % 3] = true;
        expect_exit(&x, (process){ .args = { "report", x.run, "--device", "host" }, .set = { "PATH=/nonexistent" } }, 0);
        snprintf(command, sizeof command, "cd '%s' && sed -n 's/.*base64,\\([^\"]*\\)\".*/\\1/p' report.html | base64 -d | cmp - samples/step-00000001.png",
                 x.run);
        cr_assert_eq(system(command), 0, "%u pixels", w);
    }
    cr_assert(seen[0] && seen[1] && seen[2]);
    clean(&x.s);
}
