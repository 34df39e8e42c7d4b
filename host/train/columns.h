/* Columns of tables and what they are standardised by, as JSON: a checkpoint needs no other file. */
#ifndef RHEO_TRAIN_COLUMNS_H
#define RHEO_TRAIN_COLUMNS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "data/standard.h"

/* Adds "columns": [{ "name", "mean", "deviation" }] to data. False when out of memory. */
bool rheo_columns_to_json(const rheo_standard *s, cJSON *data);
/* From an untrusted one, whose file begins messages; `count` of them. */
rheo_status rheo_columns_from_json(const cJSON *json, const char *where, uint32_t count, rheo_standard *out, rheo_error *err);

#endif
