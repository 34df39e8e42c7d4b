/* Which rows a step sees. */
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
