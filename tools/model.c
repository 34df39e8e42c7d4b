#include <cjson/cJSON.h>

#include "tool.h"

/* Those that were given; the model knows which it has. */
char *tool_model_config(const tool_model *m)
{
    const struct {
        const char *name, *text;
        long long number;
    } given[] = {
        { "levels", NULL, m->levels },  { "depth", NULL, m->depth },          { "width", NULL, m->width },  { "bits", NULL, m->bits },
        { "coupling", m->coupling, 0 }, { "permutation", m->permutation, 0 }, { "padding", m->padding, 0 },
    };
    cJSON *json = cJSON_CreateObject();
    bool ok = json != NULL;
    for (size_t k = 0; k < sizeof given / sizeof *given && ok; ++k) {
        if (given[k].text)
            ok = cJSON_AddStringToObject(json, given[k].name, given[k].text) != NULL;
        else if (given[k].number)
            ok = cJSON_AddNumberToObject(json, given[k].name, (double)given[k].number) != NULL;
    }
    char *text = ok ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return text;
}
