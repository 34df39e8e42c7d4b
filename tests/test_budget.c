/* The largest published Glow's training step (K = 32, L = 3, width 512, 32x32x3; flows 2) stays within its budget of launches. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "expect.h"
#include "train/step.h"

enum { MOST_LAUNCHES = 2500 };

/* Loss, all gradients, their norm, Adam and the moving average, at the batch that such a model is trained with here. */
Test(budget, launches_of_the_published_glow)
{
    rheo_error err = RHEO_ERROR_INIT;
    rheo_recipe recipe = { .model = "glow", .shape = { 32, 32, 3, true }, .seed = 1, .batch = 8, .accumulate = 1, .lr = 1e-3, .warmup = 100,
                           .ema = 0.999, .clip = 50, .memory = RHEO_MEMORY_STORE,
                           .optimizer = { .kind = RHEO_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 } };
    recipe.config = cJSON_Parse("{\"levels\":3,\"depth\":32,\"width\":512}");
    rheo_model *model = NULL;
    rheo_instance in;
    rheo_trainstep step;
    ASSERT_OK(rheo_recipe_model(&recipe, &model, &err));
    ASSERT_OK(rheo_instance_create(model, getenv("RHEO_TEST_DEVICE"), &in, &err));
    ASSERT_OK(rheo_trainstep_create(&in, &recipe, &step, &err));
    const rheo_plan_stats stats = rheo_plan_stats_of(step.apply);
    cr_log_info("%d nodes, %d launches, %zu bytes of arena", stats.nodes, stats.launches, stats.arena_bytes);
    cr_expect_leq(stats.launches, MOST_LAUNCHES, "%d launches, at most %d", stats.launches, MOST_LAUNCHES);
    rheo_trainstep_free(&step);
    rheo_instance_free(&in);
    rheo_recipe_free(&recipe);
}
