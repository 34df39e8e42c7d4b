#include "model/model.h"

#include <string.h>

/* Add a model to both, in the same order. */
static const rheo_model_type *const models[] = { &rheo_model_glow, &rheo_model_ncsn };
static const char *const names[] = { "glow", "ncsn", NULL };
const char *const *rheo_model_names(void) { return names; }

const rheo_model_type *rheo_model_find(const char *name)
{
    for (size_t k = 0; k < sizeof models / sizeof *models; k++)
        if (strcmp(models[k]->name, name) == 0) return models[k];
    return NULL;
}
