/* What a checkpoint says of its model and its training: the input is the notes `config` and `progress`, a line each. They come with the
 * tensors of a small model, which is the seed's: other models find none of theirs. */
#include "train/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"

enum { ALL = (1 << RHEO_FLATS) - 1 };

static cJSON *header;           /* of the seed */
static char *data;
static size_t data_bytes;

static void train(const char *model, const char *config, const char *run)
{
    rheo_train_options o;
    rheo_error err = RHEO_ERROR_INIT;
    rheo_train_defaults(&o);
    o.model = model;
    o.data = "toy:moons";
    o.run = run;
    o.device = "host";
    o.iterations = 1;
    o.batch = 2;
    o.model_config = config;
    if (!rheo_train(&o, &err)) return;
    fprintf(stderr, "no seed: %s\n", err.text);
    abort();
}

static void remove_run(const char *run)
{
    static const char *const names[] = { "config.json", "last.safetensors", "best.safetensors", "log.jsonl", "samples" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *path = rheo_path_join(run, names[k]);
        remove(path);
        free(path);
    }
    rmdir(run);
}

static cJSON *read_header(const char *path)
{
    uint64_t n = 0;
    void *file = NULL;
    size_t bytes = 0;
    if (rheo_file_read(path, 1 << 24, &file, &bytes, NULL)) abort();
    memcpy(&n, file, 8);
    free(data);
    data_bytes = bytes - 8 - n;
    data = malloc(data_bytes);
    memcpy(data, (char *)file + 8 + n, data_bytes);
    cJSON *json = cJSON_ParseWithLength((char *)file + 8, n);
    free(file);
    if (!json) abort();
    return json;
}

static const char *note(const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(header, "__metadata__"), key));
}

void fuzz_seeds(void)
{
    static const struct { const char *model, *config; } seed[] = {
        { "ncsn", "{\"width\": 2, \"sigma_begin\": 0.5}" }, { "glow", "{\"depth\": 1, \"width\": 2}" },
    };
    char run[100], path[160], text[1 << 14];
    snprintf(run, sizeof run, "%s/run", fuzz_folder());
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    for (size_t k = 0; k < sizeof seed / sizeof *seed; k++) {
        train(seed[k].model, seed[k].config, run);
        cJSON_Delete(header);
        header = read_header(path);
        remove_run(run);
        const int n = snprintf(text, sizeof text, "%s\n%s", note("config"), note("progress"));
        if (n < 0 || (size_t)n >= sizeof text) abort();
        fuzz_seed(text, (size_t)n);
    }
}

static void replace(const char *key, const char *value)
{
    cJSON_ReplaceItemInObjectCaseSensitive(cJSON_GetObjectItem(header, "__metadata__"), key, cJSON_CreateString(value));
}

/* The file as it came, put into the place of the notes. */
static void wrap(const char *path)
{
    void *input = NULL;
    size_t bytes = 0;
    if (rheo_file_read(path, 1 << 24, &input, &bytes, NULL)) abort();
    char *second = memchr(input, '\n', bytes);
    if (second) *second++ = '\0';
    replace("config", input);
    replace("progress", second ? second : "");
    free(input);
    char *text = cJSON_PrintUnformatted(header);
    const uint64_t n = strlen(text);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(&n, 8, 1, f) != 1 || fwrite(text, 1, n, f) != n || fwrite(data, 1, data_bytes, f) != data_bytes || fclose(f)) abort();
    cJSON_free(text);
}

void fuzz_parse(const char *path)
{
    rheo_recipe recipe = { .config = NULL };
    rheo_model *model = NULL;
    rheo_snapshot shot = { .fixed = NULL };
    rheo_error err = RHEO_ERROR_INIT;
    wrap(path);
    const rheo_status st = rheo_checkpoint_read(path, ALL, &recipe, &model, &shot, &err);
    fuzz_check(st, &err);
    if (st) return;
    rheo_recipe_free(&recipe);
    rheo_model_destroy(model);
    rheo_snapshot_free(&shot);
}
