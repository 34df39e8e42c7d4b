/* Reading a model's options from JSON: missing ones get their default and are written back, bad ones are named with
 * what was found and expected, unknown ones are refused. */
#ifndef RHEO_MODEL_CONFIG_H
#define RHEO_MODEL_CONFIG_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/error.h"

rheo_status rheo_config_integer(cJSON *config, const char *name, int64_t fallback, int64_t least, int64_t most, int64_t *out,
                                rheo_error *err);
rheo_status rheo_config_number(cJSON *config, const char *name, double fallback, double least, double most, double *out, rheo_error *err);
/* One of the NULL-terminated words; *out is its place. */
rheo_status rheo_config_choice(cJSON *config, const char *name, const char *const *words, int fallback, int *out, rheo_error *err);
/* Fails on a member that is not among the NULL-terminated names. */
rheo_status rheo_config_check(const cJSON *config, const char *model, const char *const *names, rheo_error *err);

#endif
