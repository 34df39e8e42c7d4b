/* The examples that end each command's --help run, over small data in place of large; what they draw tells how it was made. */
#define _DEFAULT_SOURCE 1       /* setgroups */
#include <cjson/cJSON.h>
#include <sys/stat.h>

#include "data/png.h"
#include "process.h"
#include "runs.h"

enum { COMMANDS = 40, WORDS = 40, TEXT = 1 << 15, SIDE = 8, TRAIN = 120, HELD_OUT = 80 };

/* These measure a device for minutes: test_help.c parses their examples. */
static const char *const not_run[] = { "doctor", "plan", "toy", "tune", NULL };

/* What stands for a word, and for the one behind it, in small. */
static const struct {
    const char *word, *small, *behind;
} smaller[] = {
    { "fashion-mnist", "images", NULL }, { "--minutes", "--iters", "2" }, { "--limit", "--limit", "20" }, { "--n", "--n", "70" },
};
static const char *const small_glow[] = { "--levels", "1", "--depth", "1", "--width", "4", "--batch", "8", NULL };

typedef struct example {
    char command[32], text[TEXT];       /* cut at spaces into */
    const char *word[WORDS];
    int words;
    bool takes_device;
} example;

static int run(const char *const *words, const char *const *more, char *said)
{
    process p = { .output = "said" };
    int n = 0;
    for (; *words; words++) p.args[n++] = *words;
    for (; more && *more; more++) p.args[n++] = *more;
    cr_assert_lt(n, PROCESS_ARGS);
    const int code = process_run(&p);
    process_output(&p, said, TEXT);
    return code;
}

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names)) names++;
    return *names != NULL;
}

static void read_example(const char *command, example *e)
{
    static char help[TEXT];
    snprintf(e->command, sizeof e->command, "%s", command);
    cr_assert_eq(run((const char *const[]){ command, "--help", NULL }, NULL, help), 0, "%s", help);
    e->takes_device = strstr(help, "--device") != NULL;
    const char *begin = strstr(help, "\nExample: rheo ");
    cr_assert(begin, "rheo %s --help has no example", command);
    strcpy(e->text, begin + strlen("\nExample: rheo "));
    e->words = 0;
    for (char *at = strtok(e->text, " \n"); at; at = strtok(NULL, " \n")) e->word[e->words++] = at;
    e->word[e->words] = NULL;
    cr_assert_str_eq(e->word[0], command, "it ends with an example of itself");
}

static int read_commands(char (*name)[32])
{
    static char help[TEXT];
    int n = 0;
    cr_assert_eq(run((const char *const[]){ "--help", NULL }, NULL, help), 0);
    for (const char *at = strstr(help, "commands:\n"); at && (at = strstr(at, "\n  ")) != NULL; at += 3) n += sscanf(at, "\n  %31s", name[n]) == 1;
    cr_assert(n > 15 && n < COMMANDS, "%d", n);
    return n;
}

static void put_labels(const char *path, unsigned char n)
{
    const unsigned char header[8] = { 0, 0, 8, 1, 0, 0, 0, n };
    FILE *f = fopen(path, "wb");
    fwrite(header, 1, sizeof header, f);
    for (int k = 0; k < n; k++) fputc(k % 10, f);
    fclose(f);
}

static int slope(int image, int y, int x) { return (image * 5 + y * 11 + x * 23) % 256; }
static int other(int image, int y, int x) { return (image * 3 + y * y * 7 + x * 2) % 256; }

/* All that examples name, in a folder that becomes the process's own. */
static scratch furnish(void)
{
    scratch s = scratch_make();
    static const char *const folders[] = { "images", "other-images", "photos", "runs" };
    rheo_error err = RHEO_ERROR_INIT;
    uint8_t pixels[40 * 30];
    char name[32];
    cr_assert_eq(chdir(s.folder), 0);
    for (int k = 0; k < 4; k++) cr_assert_eq(mkdir(folders[k], 0777), 0);
    make_images_of("images", SIDE, TRAIN, HELD_OUT, slope);
    make_images_of("other-images", SIDE, TRAIN, HELD_OUT, other);
    put_labels("images/train-labels-idx1-ubyte", TRAIN);
    put_labels("images/t10k-labels-idx1-ubyte", HELD_OUT);
    for (int k = 0; k < 12; k++) {
        memset(pixels, 20 * k, sizeof pixels);
        snprintf(name, sizeof name, "photos/%d.png", k);
        ASSERT_OK(rheo_png_write(name, pixels, 30, 40, 1, NULL, 0, &err));
    }
    return s;
}

/* The picture names the command, the run and the options, and no folder. */
static void expect_origin(const example *e, const char *path, const scratch *s)
{
    rheo_error err = RHEO_ERROR_INIT;
    char *json = NULL;
    ASSERT_OK(rheo_describe(path, &json, &err));
    cJSON *o = cJSON_Parse(json), *text = cJSON_GetObjectItem(o, "text"), *made_by = cJSON_GetObjectItem(text, "rheo");
    cJSON *options = cJSON_GetObjectItem(made_by, "options");
    char *all = cJSON_PrintUnformatted(text);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(made_by, "command")), e->command, "%s", all);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(made_by, "from")), strcmp(e->command, "inpaint") ? "demo" : "score", "%s", all);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(made_by, "data")), "images", "%s", all);
    cr_assert(cJSON_IsNumber(cJSON_GetObjectItem(made_by, "step")) && cJSON_GetObjectItem(options, "weights"), "%s", all);
    cr_assert(!strcmp(e->command, "decode") || cJSON_IsNumber(cJSON_GetObjectItem(options, "seed")), "%s", all);
    if (!strcmp(e->command, "inpaint"))
        cr_assert(cJSON_GetObjectItem(options, "steps")->valueint > 0 && cJSON_GetObjectItem(options, "epsilon")->valuedouble > 0,
                  "the model's own, as they were used: %s", all);
    cr_assert(!strstr(all, s->folder) && !strstr(all, "runs/"), "%s", all);
    cJSON_free(all);
    cJSON_Delete(o);
    rheo_free(json);
}

static void run_example(example *e, const scratch *s)
{
    static const char *const on_host[] = { "--device", "host", NULL };
    static char said[TEXT];
    const char *picture = NULL, *more[16];
    int n = 0;
    for (int k = 0; k < e->words; k++)
        for (size_t j = 0; j < sizeof smaller / sizeof *smaller; j++) {
            if (strcmp(e->word[k], smaller[j].word)) continue;
            e->word[k] = smaller[j].small;
            if (smaller[j].behind) e->word[++k] = smaller[j].behind;
            break;
        }
    for (int k = 0; k + 1 < e->words; k++)
        if (!strcmp(e->word[k], "--out")) picture = e->word[k + 1];
    for (int k = 0; e->takes_device && on_host[k]; k++) more[n++] = on_host[k];
    for (int k = 0; !strcmp(e->command, "train") && small_glow[k]; k++) more[n++] = small_glow[k];
    more[n] = NULL;
    cr_assert_eq(run(e->word, more, said), 0, "rheo %s: %s", e->command, said);
    static const char *const draws[] = { "sample", "decode", "edit", "inpaint", "interpolate", NULL };
    if (!is_among(e->command, draws)) return;
    expect_origin(e, picture, s);
    rheo_error err = RHEO_ERROR_INIT;
    float *x = NULL;
    uint32_t size[4];
    more[n++] = "--out";
    more[n++] = "floats.npy";
    more[n] = NULL;
    cr_assert_eq(run(e->word, more, said), 0, "rheo %s: %s", e->command, said);
    ASSERT_OK(rheo_npy_read("floats.npy", &x, &size[0], &size[1], &size[2], &size[3], &err));
    cr_assert(size[0] > 0 && size[1] == SIDE && size[2] == SIDE && size[3] == 1);
    rheo_free(x);
}

Test(examples, run)
{
    static char said[TEXT], name[COMMANDS][32];
    static example e;
    static const char *const score[] = { "train", "ncsn", "--data", "images", "--out", "runs/score", "--width", "4", "--levels", "3", "--steps", "2",
                                         "--iters", "1", "--batch", "4", "--device", "host", NULL };
    scratch s = furnish();
    cr_assert_eq(run(score, NULL, said), 0, "%s", said);
    const int n = read_commands(name);
    for (int k = 0; k < n; k++) {
        read_example(name[k], &e);
        if (!is_among(e.command, not_run)) run_example(&e, &s);
    }
    cr_assert_eq(chdir("/"), 0);
    clean(&s);
}

Test(examples, the_nearest_name_is_suggested)
{
    static const struct {
        const char *args[8], *words;
    } cases[] = {
        { { "sampel" }, "rheo: unknown command \"sampel\", did you mean sample; see rheo --help" },
        { { "sample", "x", "--temprature", "1" }, "rheo sample: unknown option \"--temprature\", did you mean --temperature; see rheo sample --help" },
        { { "sample", "x", "--sed=1" }, "unknown option \"--sed\", did you mean --seed;" },
        { { "sample", "x", "--out", "x.jpg" }, "rheo sample: x.jpg: pictures are written as .png; see rheo sample --help" },
        { { "sample", "x", "--nothing-like-it" }, "unknown option \"--nothing-like-it\"; see" },
        { { "train", "glow", "--data", "--out", "x", "--bach", "1" }, "unknown option \"--bach\", did you mean --batch" },   /* --out is a value */
        { { "train", "gloww", "--data", "toy:moons", "--out", "run", "--iters", "1" }, "model: found 'gloww', expected glow or ncsn; did you mean glow?" },
    };
    static const struct {
        const char *option, *value, *words;
    } values[] = {
        { "--coupling", "afine", "did you mean affine?" }, { "--permutation", "shufle", "did you mean shuffle?" },
        { "--optimizer", "adamm", "did you mean adam?" }, { "--schedule", "liner", "did you mean linear?" },
        { "--memory", "stroe", "did you mean store?" }, { "--winograd", "f4", "did you mean f43?" }, { "--padding", "zeros", "did you mean zero?" }, { "--padding", "mirrored", "expected zero or edge" },
    };
    static char said[TEXT];
    scratch s = scratch_make();
    cr_assert_eq(chdir(s.folder), 0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        cr_assert_neq(run(cases[k].args, NULL, said), 0);
        cr_assert(strstr(said, cases[k].words) && strchr(said, '\n') == said + strlen(said) - 1, "found '%s', expected '%s'", said, cases[k].words);
    }
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        const char *const args[] = { "train", "glow", "--data", "toy:moons", "--out", "run", "--iters", "1", "--device", "host",
                                     values[k].option, values[k].value, NULL };
        cr_assert_eq(run(args, NULL, said), 1);
        cr_assert(strstr(said, values[k].words), "found '%s', expected '%s'", said, values[k].words);
        cr_assert(access("run", F_OK), "nothing is made");
    }
    cr_assert_eq(chdir("/"), 0);
    clean(&s);
}
