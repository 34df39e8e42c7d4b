/* Noise levels from the data (Song and Ermon 2020, techniques 1, 2 and 4; score 6). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/png.h"
#include "model/ncsn.h"
#include "sample/ladder.h"

typedef struct choosing {
    cJSON *config;
    rheo_chosen chosen;
    void *user;
} choosing;

static const char *text(const cJSON *config, const char *name, const char *fallback)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, name));
    return value ? value : fallback;
}

static double number(const cJSON *config, const char *name, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, name);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

static rheo_status set(const choosing *c, const char *name, double value, const char *why, rheo_error *err)
{
    if (!cJSON_AddNumberToObject(c->config, name, value)) return rheo_fail(err, RHEO_ENOMEM, "out of memory");
    return c->chosen(c->user, name, value, why, err);
}

/* As the network sees them, without dequantisation. */
static rheo_status largest_distance(const rheo_rows *rows, int64_t dims, double *out, rheo_error *err)
{
    const int64_t count = rows->count * dims;
    if (rows->vectors) return rheo_largest_distance(rows->vectors, rows->count, dims, out, err);
    float *x = malloc((size_t)count * sizeof *x + 1);
    if (!x) return rheo_fail(err, RHEO_ENOMEM, "no memory for %u images", rows->count);
    rheo_from_bytes(rows->images, (size_t)count, x);
    const rheo_status st = rheo_largest_distance(x, rows->count, dims, out, err);
    free(x);
    return st;
}

static rheo_status choose_ladder(const choosing *c, const rheo_rows *rows, int64_t dims, double last, double *first, double *levels,
                                 rheo_error *err)
{
    char why[120];
    rheo_status st = RHEO_OK;
    *first = number(c->config, "sigma_begin", NAN);
    *levels = number(c->config, "levels", NAN);
    if (isnan(*first)) {
        snprintf(why, sizeof why, "the largest distance of two of %u training images", rows->count);
        st = largest_distance(rows, dims, first, err);
        if (!st && *first <= last) st = rheo_fail(err, RHEO_EINVAL, "auto: no two training images are farther apart than sigma_end, %g", last);
        if (!st) st = set(c, "sigma_begin", *first, why, err);
    }
    if (!st && !(*first > last)) st = rheo_fail(err, RHEO_EINVAL, "auto: noise from %g to %g, expected it to fall", *first, last);
    if (!st && isnan(*levels)) {
        const double ratio = rheo_ladder_ratio(dims, 0.5);
        *levels = rheo_ladder_length(*first, last, ratio);
        snprintf(why, sizeof why, "neighbouring levels overlap by half in %lld dimensions, a ratio of %.4g", (long long)dims, ratio);
        st = set(c, "levels", *levels, why, err);
    }
    if (!st && !(*levels >= 2)) st = rheo_fail(err, RHEO_EINVAL, "auto: levels: found %g, expected at least 2", *levels);
    return st;
}

static rheo_status choose_step(const choosing *c, double first, double last, double levels, double steps, bool by_sight, rheo_error *err)
{
    char why[160];
    if (cJSON_GetObjectItemCaseSensitive(c->config, "epsilon")) return RHEO_OK;
    if (!(steps >= 1 && steps <= 1000000)) return rheo_fail(err, RHEO_EINVAL, "auto: steps: found %g, expected 1 to 1000000", steps);
    const double ratio = pow(first / last, 1 / (levels - 1)), rule = rheo_ladder_step(ratio, last, (int)steps);
    const bool alpha = !strcmp(text(c->config, "step_convention", "eta"), "alpha");
    double epsilon = rule;
    snprintf(why, sizeof why, "%g steps a level leave the variance off by a factor of %.3g", steps,
             rheo_ladder_excess(ratio, last, (int)steps, epsilon));
    if (by_sight && isinf(rheo_ladder_lag(ratio, last, (int)steps, rule))) {
        const double least = rheo_ladder_least_lag(ratio, last, (int)steps);
        epsilon = least > 0 ? least : rule;
        if (least > 0)
            snprintf(why, sizeof why, "with %g steps a level of %.4g, the rule's, noise would outgrow the levels; of this it stays at %.3g times theirs",
                     steps, rule, rheo_ladder_lag(ratio, last, (int)steps, epsilon));
        else
            snprintf(why, sizeof why, "but noise will outgrow the levels: %g steps a level are too few, or the levels", steps);
    }
    return set(c, "epsilon", alpha ? 2 * epsilon : epsilon, why, err);
}

rheo_status rheo_ncsn_choose(cJSON *config, rheo_data_shape data, const rheo_rows *rows, rheo_chosen chosen, void *user, rheo_error *err)
{
    const choosing c = { config, chosen, user };
    const char *network = text(config, "network", data.bytes ? "v2" : "mlp");
    const double last = number(config, "sigma_end", 0.01);
    const bool off = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(config, "auto"));
    double first = NAN, levels = NAN;
    cJSON_DeleteItemFromObjectCaseSensitive(config, "auto");
    if (off) return RHEO_OK;
    if (!strcmp(network, "mlp") || !strcmp(network, "baseline"))
        return rheo_fail(err, RHEO_EINVAL, "auto: network %s has one noise level, there are none to choose", network);
    if (strcmp(text(config, "sigma_dist", "geometric"), "geometric"))
        return rheo_fail(err, RHEO_EINVAL, "auto: its rules are for geometric levels, found sigma_dist %s", text(config, "sigma_dist", ""));
    if (!(last > 0)) return rheo_fail(err, RHEO_EINVAL, "sigma_end: found %g, expected above 0", last);
    const rheo_status st = choose_ladder(&c, rows, data.h * data.w * data.c, last, &first, &levels, err);
    return st ? st : choose_step(&c, first, last, levels, number(config, "steps", strcmp(network, "v2") ? 100 : 5), !strcmp(network, "v2"), err);
}
