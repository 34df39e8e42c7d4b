#include <cjson/cJSON.h>

#include "tool.h"

/* Those that were given; the model knows which it has. */
char *tool_model_config(const tool_model *m)
{
    const struct {
        const char *name;
        long long number;
    } counts[] = { { "levels", m->levels }, { "depth", m->depth }, { "width", m->width }, { "bits", m->bits } };
    const struct {
        const char *name, *text;
    } words[] = {
        { "coupling", m->coupling }, { "permutation", m->permutation }, { "padding", m->padding }, { "network", m->network },
        { "sigma_dist", m->spacing }, { "objective", m->objective }, { "projection", m->projection }, { "dequantise", m->dequantise },
        { "step_convention", m->convention }, { "denoise", m->denoise }, { "innorm_form", m->form },
    };
    const struct {
        const char *name;
        double number;
    } numbers[] = {
        { "sigma_begin", m->first }, { "sigma_end", m->last }, { "anneal_power", m->power }, { "epsilon", m->epsilon },
        { "class_weight", m->class_weight },
        { "steps", m->steps >= 0 ? (double)m->steps : NAN },
    };
    cJSON *json = cJSON_CreateObject();
    bool ok = json != NULL;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; ++k)
        if (counts[k].number) ok = ok && cJSON_AddNumberToObject(json, counts[k].name, (double)counts[k].number);
    for (size_t k = 0; k < sizeof words / sizeof *words; ++k)
        if (words[k].text) ok = ok && cJSON_AddStringToObject(json, words[k].name, words[k].text);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; ++k)
        if (!isnan(numbers[k].number)) ok = ok && cJSON_AddNumberToObject(json, numbers[k].name, numbers[k].number);
    if (m->classes) ok = ok && cJSON_AddTrueToObject(json, "classes");
    if (m->choose) ok = ok && cJSON_AddTrueToObject(json, "auto");
    char *text = ok ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return text;
}
