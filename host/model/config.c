#include "model/config.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

rheo_status rheo_config_integer(cJSON *config, const char *name, int64_t fallback, int64_t least, int64_t most, int64_t *out,
                                rheo_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, name);
    if (!item) {
        *out = fallback;
        return cJSON_AddNumberToObject(config, name, (double)fallback) ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble))
        return rheo_fail(err, RHEO_EINVAL, "%s: expected a whole number", name);
    if (item->valuedouble < (double)least || item->valuedouble > (double)most)
        return rheo_fail(err, RHEO_EINVAL, "%s: found %.0f, expected %lld to %lld", name, item->valuedouble, (long long)least,
                         (long long)most);
    *out = (int64_t)item->valuedouble;
    return RHEO_OK;
}

rheo_status rheo_config_number(cJSON *config, const char *name, double fallback, double least, double most, double *out, rheo_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, name);
    if (!item) {
        *out = fallback;
        return cJSON_AddNumberToObject(config, name, fallback) ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    if (!cJSON_IsNumber(item)) return rheo_fail(err, RHEO_EINVAL, "%s: expected a number", name);
    *out = item->valuedouble;
    if (*out >= least && *out <= most) return RHEO_OK;
    return rheo_fail(err, RHEO_EINVAL, "%s: found %g, expected %g to %g", name, item->valuedouble, least, most);
}

rheo_status rheo_config_choice(cJSON *config, const char *name, const char *const *words, int fallback, int *out, rheo_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, name);
    if (!item) {
        *out = fallback;
        return cJSON_AddStringToObject(config, name, words[fallback]) ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "out of memory");
    }
    return rheo_choose(name, cJSON_IsString(item) ? item->valuestring : "", words, out, err);
}

rheo_status rheo_config_check(const cJSON *config, const char *model, const char *const *names, rheo_error *err)
{
    if (!cJSON_IsObject(config)) return rheo_fail(err, RHEO_EFORMAT, "%s: the configuration is not a JSON object", model);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, config)
    {
        bool known = false;
        for (int k = 0; names[k] && !known; k++) known = strcmp(item->string, names[k]) == 0;
        const char *near = known ? NULL : rheo_nearest_word(item->string, names);
        if (!known)
            return rheo_fail(err, RHEO_EINVAL, "%s: no option '%s'%s%s%s", model, item->string, near ? "; did you mean " : "", near ? near : "",
                             near ? "?" : "");
    }
    return RHEO_OK;
}
