/* Names of classes, from folders to checkpoints, and what cannot be a run on classes. */
#include <math.h>

#include "classes.h"
#include "train/classes.h"

/* ---- names -------------------------------------------------------------------------------------------------------- */

/* n grey images of a class in folder/part/name. */
static void put_class(scratch *s, const char *folder, const char *part, const char *name, int class, int n)
{
    char path[200];
    rheo_error err = RHEO_ERROR_INIT;
    unsigned char x[DIMS];
    snprintf(path, sizeof path, "mkdir -p '%s/%s/%s/%s'", s->folder, folder, part, name);
    cr_assert_eq(system(path), 0);
    for (int i = 0; i < n; i++) {
        for (int e = 0; e < DIMS; e++) x[e] = (unsigned char)pixel(i * CLASSES + class, e / SIDE, e % SIDE);
        snprintf(path, sizeof path, "%s/%s/%s/%s/%02d.png", s->folder, folder, part, name, i);
        ASSERT_OK(rheo_grid_write(path, x, 1, SIDE, SIDE, 1, 1, NULL, &err));
    }
}

static void put_names(scratch *s, const char *folder, int n, const char *const *names, const int *class)
{
    for (int k = 0; k < n; k++) {
        put_class(s, folder, "train", names[k], class[k], 20);
        put_class(s, folder, "test", names[k], class[k], 30);
    }
}

Test(class_names, folders_name_them)
{
    static const char *const names[] = { "left", "right", "upper half" }, *const some[] = { "right" }, *const others[] = { "left", "lower half" };
    static const int all[] = { 0, 1, 2 };
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = scratch_make();
    char data[80], run[80];
    uint32_t k = 0;
    put_names(&s, "data", 3, names, all);
    put_names(&s, "some", 1, some, all + 1);
    put_names(&s, "others", 2, others, all);
    snprintf(data, sizeof data, "%s/data", s.folder);
    snprintf(run, sizeof run, "%s/run", s.folder);
    rheo_train_options t = options_for(data, run, device_count() - 1, 100);
    t.lr = 5e-3;
    ASSERT_OK(rheo_train(&t, &err));
    rheo_checkpoint *c = NULL;
    rheo_evaluate_options o;
    rheo_evaluation whole, part;
    ASSERT_OK(rheo_checkpoint_open(run, t.device, "raw", &c, &err));
    for (int i = 0; i < 3; i++) cr_assert_str_eq(rheo_checkpoint_class_name(c, (uint32_t)i), names[i]);
    ASSERT_OK(rheo_checkpoint_class_number(c, "upper half", &k, &err));
    cr_assert_eq(k, 2);
    ASSERT_OK(rheo_checkpoint_class_number(c, "1", &k, &err));
    cr_assert_eq(k, 1);
    ASSERT_FAILS(rheo_checkpoint_class_number(c, "lower half", &k, &err), RHEO_EINVAL, "expected 0 to 2 or a name: left, right, upper half");
    ASSERT_FAILS(rheo_checkpoint_class_number(c, "3", &k, &err), RHEO_EINVAL, "found '3', expected 0 to 2");

    /* Another folder's class 0 is this model's class 1, as its name says. */
    rheo_evaluate_defaults(&o);
    ASSERT_OK(rheo_evaluate(c, &o, &whole, &err));
    cr_assert(whole.accuracy > beyond_chance(90), "%g", whole.accuracy);
    snprintf(data, sizeof data, "%s/some", s.folder);
    o.data = data;
    ASSERT_OK(rheo_evaluate(c, &o, &part, &err));
    cr_assert(part.images == 30 && part.accuracy > beyond_chance(30), "%g", part.accuracy);
    snprintf(data, sizeof data, "%s/others", s.folder);
    ASSERT_FAILS(rheo_evaluate(c, &o, &part, &err), RHEO_EFORMAT, "row 30 of test: found class 1, lower half, expected one of the model's 3");
    rheo_checkpoint_close(c);
    clean(&s);
}

/* A checkpoint's config is not to be trusted. */
Test(class_names, names_from_a_config_are_checked)
{
    static const char *const bad[] = { "[\"a\", \"b\"]", "[\"a\", \"b\", 3]", "[\"a\", \"b\", \"\"]", "{}", "\"a\"" };
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = make_data(CLASSES);
    rheo_checkpoint_close(open_trained(&s, 0, 1));
    state a = read_state(strcat(strcpy(s.path, s.folder), "/run"));
    cJSON *json = rheo_recipe_to_json(&a.recipe), *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    rheo_recipe r;
    cr_assert(!a.recipe.class_names && !cJSON_GetObjectItemCaseSensitive(data, "classes"), "IDX files name nothing");
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        cJSON_DeleteItemFromObjectCaseSensitive(data, "classes");
        cJSON_AddItemToObject(data, "classes", cJSON_Parse(bad[k]));
        ASSERT_FAILS(rheo_recipe_from_json(json, "file", &r, &err), RHEO_EFORMAT, "file: config: data.classes: expected names, as many as");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(data, "classes");
    cJSON_AddItemToObject(data, "classes", cJSON_Parse("[\"a\", \"b\", \"c\"]"));
    ASSERT_OK(rheo_recipe_from_json(json, "file", &r, &err));
    cr_assert_str_eq(rheo_class_name(&r, 2), "c");
    cr_assert(!rheo_class_name(&r, 3));
    rheo_recipe_free(&r);
    cJSON_Delete(json);
    free_state(&a);
    clean(&s);
}

/* ---- what cannot be --------------------------------------------------------------------------------------------------- */

Test(class_names, refusals_leave_everything_as_it_was)
{
    rheo_error err = RHEO_ERROR_INIT;
    scratch s = make_data(CLASSES), more = make_data(5), bare = scratch_make(), one = make_data(1);
    char run[100];
    snprintf(run, sizeof run, "%s/refused", s.folder);
    rheo_train_options o = options_for("toy:moons", run, 0, 1);
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EFORMAT, "toy:moons: found no labels, expected the class of each vector");
    make_images(bare.folder);
    o.data = bare.folder;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EFORMAT, "found no labels, expected the class of each image (IDX labels, CIFAR-10, or a subfolder");
    o.data = one.folder;
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "all of one class, expected two");
    o.data = more.folder;
    o.model_config = "{\"classes\": 3}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EFORMAT, "found class 3, expected one of the model's 3");
    o.model_config = "{\"classes\": 1}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "classes: found 1, expected 2 to 256");
    o.model_config = "{\"class_weight\": 0.01}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "class_weight: found a weight of the classes' loss, but no classes");
    o.model = "ncsn";
    o.model_config = "{\"classes\": true}";
    ASSERT_FAILS(rheo_train(&o, &err), RHEO_EINVAL, "ncsn: no option 'classes'");
    cr_assert(access(run, F_OK), "no folder is made for a run that is refused");

    rheo_checkpoint *c = open_trained(&s, 0, 1);
    rheo_evaluate_options e;
    rheo_evaluation out;
    double p[CLASSES];
    unsigned char x[DIMS] = { 0 }, label = 0;
    rheo_evaluate_defaults(&e);
    e.data = more.folder;
    ASSERT_FAILS(rheo_evaluate(c, &e, &out, &err), RHEO_EFORMAT, "row 3 of test: found class 3, expected one of the model's 3");
    e.data = bare.folder;
    ASSERT_FAILS(rheo_evaluate(c, &e, &out, &err), RHEO_EFORMAT, "found no labels");
    rheo_checkpoint_close(c);

    snprintf(run, sizeof run, "%s/plain", s.folder);
    o = options_for(s.folder, run, 0, 1);
    o.model_config = "{\"levels\": 1, \"depth\": 1, \"width\": 4}";
    ASSERT_OK(rheo_train(&o, &err));
    ASSERT_OK(rheo_checkpoint_open(run, "host", NULL, &c, &err));
    rheo_checkpoint_facts f;
    uint32_t k = 0;
    rheo_checkpoint_facts_of(c, &f);
    cr_assert(f.classes == 0 && !rheo_checkpoint_class_name(c, 0));
    ASSERT_FAILS(rheo_log_prob_classes(c, x, 1, 0, p, &err), RHEO_EINVAL, "not conditional on classes");
    ASSERT_FAILS(rheo_sample_classes(c, &label, 1, 1, 0, x, &err), RHEO_EINVAL, "not conditional on classes");
    ASSERT_FAILS(rheo_checkpoint_class_number(c, "0", &k, &err), RHEO_EINVAL, "not conditional on classes");
    e.data = NULL;
    ASSERT_OK(rheo_evaluate(c, &e, &out, &err));
    cr_assert(isnan(out.accuracy) && isnan(out.without_labels));
    rheo_checkpoint_close(c);
    clean(&s);
    clean(&more);
    clean(&bare);
    clean(&one);
}
