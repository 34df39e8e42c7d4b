/* Checkpoint files: what they keep, and what is refused. */
#include "runs.h"
#include "train/safetensors.h"

Test(checkpoint, keeps_everything_in_the_order_of_pytorch)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *file = NULL;
    char run[100], path[160];
    int found = 0;
    make_images(s.folder);
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 2);
    o.data = s.folder;
    ASSERT_OK(rheo_train(&o, &err));
    state a = read_state(run);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    ASSERT_OK(rheo_safetensors_open(path, &file, &err));
    for (int k = 0; k < rheo_params_count(a.model->params); k++) {
        const rheo_param *p = rheo_params_at(a.model->params, k);
        const rheo_shape q = p->shape;
        if (!p->convolution || q.n != 3) continue;
        const uint64_t shape[4] = { (uint64_t)q.c, (uint64_t)q.w, 3, 3 };
        float *w = malloc((size_t)rheo_count(q) * sizeof *w);
        ASSERT_OK(rheo_safetensors_read(file, p->name, RHEO_DTYPE_F32, 4, shape, w, &err));
        for (int64_t i = 0; i < rheo_count(q); i++) {
            const int64_t c = i % q.c, in = i / q.c % q.w, y = i / q.c / q.w % 3, x = i / q.c / q.w / 3;
            cr_assert_eq(w[((c * q.w + in) * 3 + x) * 3 + y], a.shot.flat[RHEO_FLAT_THETA][p->offset + i]);
        }
        free(w);
        found++;
    }
    cr_assert(found > 0);
    rheo_safetensors_close(file);
    a.shot.best = 1.25;
    a.shot.rate = 0.1f;
    ASSERT_OK(rheo_checkpoint_write(path, &a.recipe, a.model->params, &a.shot, &err));
    state b = read_state(run);
    expect_same(&a, &b);
    cr_assert(b.shot.best == 1.25 && b.shot.rate == (double)0.1f && b.shot.seconds == a.shot.seconds);
    free_state(&a);
    free_state(&b);
    clean(&s);
}

/* The rows of a conditional network's normalisations are those of an embedding. */
Test(checkpoint, a_table_has_two_dimensions)
{
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    rheo_safetensors *file = NULL;
    char run[100], path[160];
    make_images(s.folder);
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options o = small(run, "host", 1);
    o.model = "ncsn";
    o.data = s.folder;
    o.batch = 1;
    o.model_config = "{\"network\": \"v1\", \"width\": 2, \"levels\": 3}";
    ASSERT_OK(rheo_train(&o, &err));
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    ASSERT_OK(rheo_safetensors_open(path, &file, &err));
    const rheo_tensor *rows = rheo_safetensors_find(file, "ema.normalizer.embed.weight"), *w = rheo_safetensors_find(file, "begin_conv.weight");
    cr_assert(rows && rows->rank == 2 && rows->shape[0] == 3 && rows->shape[1] == 6);
    cr_assert(w && w->rank == 4 && w->shape[0] == 2 && w->shape[1] == 1 && w->shape[2] == 3);
    rheo_safetensors_close(file);
    state a = read_state(run);
    free_state(&a);
    clean(&s);
}

/* The file with `from` in its header replaced by `to`, of the same length. */
static void damage(const char *path, const char *from, const char *to)
{
    char *data;
    FILE *f = fopen(path, "rb+");
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    data = malloc(n);
    rewind(f);
    cr_assert_eq(fread(data, 1, n, f), n);
    size_t at = 8;
    while (at + strlen(from) <= n && memcmp(data + at, from, strlen(from))) at++;
    cr_assert(at + strlen(from) <= n, "'%s' is not in the file", from);
    cr_assert_eq(strlen(from), strlen(to));
    fseek(f, (long)at, SEEK_SET);
    fwrite(to, 1, strlen(to), f);
    fclose(f);
    free(data);
}

Test(checkpoint, hostile_ones_are_refused_in_one_line)
{
    static const struct {
        const char *from, *to, *words;
    } cases[] = {
        { "checkpoint 1", "checkpoint 7", "found format 'checkpoint 7'" },
        { "\\\"width\\\":8", "\\\"width\\\":9", "by its config" },
        { "\\\"width\\\":8", "\\\"width\\\":0", "width" },
        { "\\\"depth\\\":2", "\\\"depth\\\":9", "no tensor" },
        { "\\\"depth\\\":2", "\\\"depht\\\":2", "depht" },
        { "\\\"model\\\":\\\"glow", "\\\"model\\\":\\\"flow", "flow" },
        { "\\\"shape\\\":[1", "\\\"shape\\\":[0", "data.shape" },
        { "\\\"batch\\\":16", "\\\"batch\\\":-6", "training.batch" },
        { "\\\"variants\\\":{", "\\\"variants\\\":[", "JSON" },
        { "\\\"lr\\\":0.001", "\\\"lr\\\":\\\"bad", "JSON" },
        { "\\\"step\\\":2", "\\\"step\\\":x", "JSON" },
        { "\\\"applied\\\":2", "\\\"applied\\\":-", "JSON" },
        { "adam.m.level0", "adam.x.level0", "no tensor 'adam.m.level0" },
        { "\"F32\"", "\"U32\"", "float32" },
    };
    scratch s = scratch_make();
    rheo_error err = RHEO_ERROR_INIT;
    char run[100], path[160], copy[160], command[400];
    snprintf(run, sizeof run, "%s/run", s.folder);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    snprintf(copy, sizeof copy, "%s/damaged", s.folder);
    rheo_train_options o = small(run, "host", 2);
    ASSERT_OK(rheo_train(&o, &err));
    snprintf(command, sizeof command, "cp '%s' '%s'", path, copy);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        state b;
        cr_assert_eq(system(command), 0);
        damage(copy, cases[k].from, cases[k].to);
        ASSERT_FAILS(rheo_checkpoint_read(copy, ALL, &b.recipe, &b.model, &b.shot, &err), RHEO_EFORMAT, cases[k].words);
        cr_assert(!strchr(err.text, '\n') && strstr(err.text, copy), "%s", err.text);
    }
    clean(&s);
}
