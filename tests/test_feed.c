/* Which rows a step sees, and how they are flipped and shifted. */
#include <criterion/criterion.h>
#include <string.h>

#include "expect.h"
#include "train/feed.h"

Test(feed, every_epoch_has_every_row_once)
{
    float values[7];
    const rheo_rows rows = { .count = 7, .vectors = values };
    rheo_feed f, again;
    rheo_error err = RHEO_ERROR_INIT;
    float seen[28], one;
    for (int i = 0; i < 7; i++) values[i] = (float)i;
    ASSERT_OK(rheo_feed_create(&rows, 1, 3, &f, &err));
    for (int k = 0; k < 7; k++) rheo_feed_fill(&f, (uint64_t)(4 * k), 4, seen + 4 * k);
    for (int epoch = 0; epoch < 4; epoch++) {
        unsigned bits = 0;
        for (int i = 0; i < 7; i++) bits |= 1u << (int)seen[7 * epoch + i];
        cr_assert_eq(bits, 127);
    }
    cr_assert(memcmp(seen, seen + 7, 7 * sizeof *seen), "epochs have orders of their own");
    ASSERT_OK(rheo_feed_create(&rows, 1, 3, &again, &err));
    rheo_feed_fill(&again, 23, 1, &one);
    cr_assert_eq(one, seen[23], "row 23 does not depend on what was read before");
    rheo_feed_free(&f);
    rheo_feed_free(&again);
}

enum { ROWS = 64, H = 3, W = 5, C = 2, DIMS = H * W * C };

/* The one change that makes `out` of row i of `rows`, whose pixels all differ: flip, down and across as 0 to 1, -2 to 2, -2 to 2. */
static int find_change(const uint8_t *x, const float *out)
{
    int found = -1;
    for (int change = 0; change < 50; change++) {
        const int flip = change / 25, down = change / 5 % 5 - 2, across = change % 5 - 2;
        bool same = true;
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                for (int k = 0; k < C; k++) {
                    const int y = i - down < 0 ? 0 : i - down >= H ? H - 1 : i - down;
                    const int b = j - across < 0 ? 0 : j - across >= W ? W - 1 : j - across;
                    same = same && out[(i * W + j) * C + k] == x[(y * W + (flip ? W - 1 - b : b)) * C + k];
                }
        if (!same) continue;
        cr_assert_eq(found, -1, "changes %d and %d look alike", found, change);
        found = change;
    }
    return found;
}

Test(feed, flips_and_shifts)
{
    static uint8_t x[ROWS * DIMS];
    static float seen[8 * ROWS * DIMS], one[DIMS], plain[ROWS * DIMS];
    const rheo_rows rows = { .count = ROWS, .images = x };
    rheo_feed f, again;
    rheo_error err = RHEO_ERROR_INIT;
    int of_change[50] = { 0 };
    for (int i = 0; i < ROWS * DIMS; i++) x[i] = (uint8_t)(i / DIMS + 6 * (i % DIMS));     /* row i begins with i, and keeps it in sight */
    ASSERT_OK(rheo_feed_create(&rows, DIMS, 3, &f, &err));
    cr_assert(!rheo_augments(&f.augment), "none unless asked for");
    rheo_feed_fill(&f, 0, ROWS, plain);
    for (int n = 0; n < ROWS; n++) cr_assert_eq(find_change(x + f.order[n] * DIMS, plain + n * DIMS), 12, "as it is");
    f.augment = (rheo_augment){ true, 2, H, W, C };
    int differs = 0;
    for (int epoch = 0; epoch < 8; epoch++) {
        rheo_feed_fill(&f, (uint64_t)(epoch * ROWS), ROWS, seen + epoch * ROWS * DIMS);
        for (int n = 0; n < ROWS; n++) {
            const int change = find_change(x + f.order[n] * DIMS, seen + (epoch * ROWS + n) * DIMS);
            cr_assert(change >= 0, "epoch %d, row %d: is no flip and shift of its image", epoch, n);
            of_change[change]++;
        }
    }
    /* 512 draws of 50 changes: about 10 each; none in 512 has probability 3e-5 a change. */
    for (int k = 0; k < 50; k++) cr_expect(of_change[k] > 0, "change %d never occurs", k);

    ASSERT_OK(rheo_feed_create(&rows, DIMS, 3, &again, &err));
    again.augment = f.augment;
    for (int at = 500; at > 0; at -= 83) {
        rheo_feed_fill(&again, (uint64_t)at, 1, one);
        cr_assert_arr_eq(one, seen + at * DIMS, sizeof one, "row %d does not depend on what was read before", at);
    }
    for (int n = 0; n < ROWS; n++) {
        rheo_augment_image(&f.augment, 3, (uint32_t)n, 0, x, one);
        const int first = find_change(x, one);
        rheo_augment_image(&f.augment, 3, (uint32_t)n, 1, x, one);
        differs += first != find_change(x, one);
    }
    cr_expect(differs > ROWS / 2, "epochs have changes of their own: %d of %d differ", differs, ROWS);
    rheo_feed_free(&f);
    rheo_feed_free(&again);
}
