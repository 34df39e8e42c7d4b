#include "data/split.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/philox.h"

#define TEST_SEED 0x7268656F74657374u
#define VALID_SEED 0x7268656F73706C74u
#define VALID_LIMIT 5000u

static rheo_status choose(uint32_t n, uint32_t held, uint64_t seed, uint8_t **chosen, rheo_error *err)
{
    uint32_t *order = malloc(((size_t)n + 1) * sizeof *order);
    uint8_t *marks = calloc((size_t)n + 1, 1);
    const bool ok = order && marks;
    for (uint32_t k = 0; ok && k < n; k++) order[k] = k;
    if (ok) rheo_shuffle(order, n, seed, 0);
    for (uint32_t k = 0; ok && k < held; k++) marks[order[k]] = 1;
    free(order);
    if (ok) {
        *chosen = marks;
        return RHEO_OK;
    }
    free(marks);
    return rheo_fail(err, RHEO_ENOMEM, "no memory for the order of %u rows", n);
}

rheo_status rheo_split_test(uint32_t n, uint8_t **chosen, rheo_error *err)
{
    return choose(n, n < 2 ? 0 : n < 20 ? 1 : n / 10, TEST_SEED, chosen, err);
}

rheo_status rheo_split_valid(uint32_t n, uint8_t **chosen, uint32_t *held, rheo_error *err)
{
    const uint32_t tenth = n / 10 ? n / 10 : n > 1, most = tenth < VALID_LIMIT ? tenth : VALID_LIMIT;
    if (held) *held = most;
    return choose(n, most, VALID_SEED, chosen, err);
}
