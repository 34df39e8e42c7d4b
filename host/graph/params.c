#include "graph/params.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "graph/internal.h"

enum { PATH_BYTES = 256, ALIGN_ELEMENTS = 128, CHUNK = 1 << 16 };

struct rheo_params {
    rheo_param *at;
    int n, capacity;
    int64_t used[2];            /* elements of "fixed" and "theta" */
    char path[PATH_BYTES];
    bool failed;
};

rheo_params *rheo_params_create(void) { return calloc(1, sizeof(rheo_params)); }

void rheo_params_destroy(rheo_params *p)
{
    if (!p) return;
    for (int k = 0; k < p->n; k++) {
        free(p->at[k].name);
        free(p->at[k].values);
    }
    free(p->at);
    free(p);
}

void rheo_params_enter(rheo_params *p, const char *format, ...)
{
    const size_t length = strlen(p->path);
    va_list args;
    va_start(args, format);
    const int more = vsnprintf(p->path + length, PATH_BYTES - length, format, args);
    va_end(args);
    if (more < 0 || length + (size_t)more + 2 > PATH_BYTES) p->failed = true;
    else strcat(p->path, ".");
}

void rheo_params_leave(rheo_params *p)
{
    const size_t length = strlen(p->path);
    if (length == 0) return;
    p->path[length - 1] = '\0';
    char *dot = strrchr(p->path, '.');
    if (dot) dot[1] = '\0';
    else p->path[0] = '\0';
}

const char *rheo_params_path(const rheo_params *p) { return p->path; }

static int add(rheo_params *p, const char *name, rheo_shape shape, bool trained)
{
    char *full = malloc(strlen(p->path) + strlen(name) + 1);
    if (!full || p->failed || !rheo_grow((void **)&p->at, &p->capacity, p->n + 1, sizeof *p->at)) {
        free(full);
        p->failed = true;
        return -1;
    }
    strcat(strcpy(full, p->path), name);
    p->at[p->n] = (rheo_param){ .name = full, .shape = shape, .trained = trained, .offset = p->used[trained],
                                  .numbers = rheo_count(shape) };
    p->used[trained] += (rheo_count(shape) + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    return p->n++;
}

int rheo_params_add(rheo_params *p, const char *name, rheo_shape shape, rheo_param_init init, float scale)
{
    const int k = add(p, name, shape, true);
    if (k < 0) return k;
    p->at[k].init = init;
    p->at[k].scale = scale;
    return k;
}

int rheo_params_add_convolution(rheo_params *p, const char *name, rheo_shape shape, rheo_param_init init, float scale)
{
    const int k = rheo_params_add(p, name, shape, init, scale);
    if (k >= 0) p->at[k].convolution = true;
    return k;
}

int rheo_params_add_values(rheo_params *p, const char *name, rheo_shape shape, bool trained, const float *values)
{
    const size_t bytes = (size_t)rheo_count(shape) * sizeof *values;
    float *copy = malloc(bytes);
    const int k = copy ? add(p, name, shape, trained) : -1;
    if (k < 0) {
        free(copy);
        p->failed = true;
        return -1;
    }
    memcpy(copy, values, bytes);
    p->at[k].init = RHEO_INIT_VALUES;
    p->at[k].values = copy;
    return k;
}

void rheo_params_set_numbers(rheo_params *p, int k, int64_t numbers)
{
    if (k >= 0 && k < p->n) p->at[k].numbers = numbers;
}

bool rheo_params_ok(const rheo_params *p) { return !p->failed; }
int rheo_params_count(const rheo_params *p) { return p->n; }
const rheo_param *rheo_params_at(const rheo_params *p, int k) { return &p->at[k]; }

int rheo_params_find(const rheo_params *p, const char *name)
{
    for (int k = 0; k < p->n; k++)
        if (strcmp(p->at[k].name, name) == 0) return k;
    return -1;
}

int64_t rheo_params_numbers(const rheo_params *p)
{
    int64_t count = 0;
    for (int k = 0; k < p->n; k++)
        if (p->at[k].trained) count += p->at[k].numbers;
    return count;
}

int64_t rheo_params_flat(const rheo_params *p, bool trained) { return p->used[trained] ? p->used[trained] : 1; }

/* ---- storages --------------------------------------------------------------------------------- */

rheo_status rheo_params_declare(const rheo_params *p, rheo_state *s, int *theta, int *fixed, rheo_error *err)
{
    *theta = rheo_storage_add(s, "theta", RHEO_F32, rheo_params_flat(p, true));
    *fixed = rheo_storage_add(s, "fixed", RHEO_F32, rheo_params_flat(p, false));
    return *theta >= 0 && *fixed >= 0 ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "parameters: out of memory");
}

static void initial_values(const rheo_param *q, uint32_t id, uint64_t seed, float *out)
{
    const int64_t count = rheo_count(q->shape);
    const rheo_address at = { .seed = seed, .purpose = RHEO_FOR_INIT, .id = id };
    uint32_t words[4];
    double normal[4];
    for (int64_t i = 0; i < count; i++) {
        const int lane = (int)(i % 4);
        if (lane == 0 && (q->init == RHEO_INIT_NORMAL || q->init == RHEO_INIT_UNIFORM || q->init == RHEO_INIT_GAINS)) {
            rheo_philox_block(&at, (uint32_t)(i / 4), words);
            rheo_philox_normals(words, normal);
        }
        switch (q->init) {
        case RHEO_INIT_CONSTANT: out[i] = q->scale; break;
        case RHEO_INIT_NORMAL: out[i] = (float)(q->scale * normal[lane]); break;
        case RHEO_INIT_UNIFORM: out[i] = (float)(q->scale * (2 * rheo_philox_uniform(words[lane]) - 1)); break;
        case RHEO_INIT_GAINS: out[i] = i % q->shape.c < q->shape.c / 3 * 2 ? (float)(1 + q->scale * normal[lane]) : 0; break;
        case RHEO_INIT_VALUES: out[i] = q->values[i]; break;
        }
    }
}

rheo_status rheo_params_write_initial(const rheo_params *p, rheo_state *s, int theta, int fixed, uint64_t seed, rheo_error *err)
{
    const int storage[2] = { fixed, theta };
    float *flat[2] = { NULL, NULL };
    rheo_status st = RHEO_OK;
    for (int t = 0; t < 2; t++)
        if (!(flat[t] = calloc((size_t)rheo_params_flat(p, t), sizeof **flat))) st = rheo_fail(err, RHEO_ENOMEM, "parameters: out of memory");
    for (int k = 0; k < p->n && !st; k++) initial_values(&p->at[k], (uint32_t)k, seed, flat[p->at[k].trained] + p->at[k].offset);
    for (int t = 0; t < 2 && !st; t++) st = rheo_state_write(s, storage[t], 0, rheo_params_flat(p, t), flat[t], err);
    free(flat[0]);
    free(flat[1]);
    return st;
}

/* ---- in a graph ---------------------------------------------------------------------------------- */

rheo_status rheo_build_init(rheo_build *b, rheo_graph *g, const rheo_params *params, int theta, int fixed, rheo_error *err)
{
    *b = (rheo_build){ .g = g, .params = params, .theta = theta, .fixed = fixed, .classes = RHEO_NONE, .penalty = RHEO_NONE };
    b->value = malloc(((size_t)params->n + 1) * sizeof *b->value);
    if (!b->value) return rheo_fail(err, RHEO_ENOMEM, "parameters: out of memory");
    for (int k = 0; k < params->n; k++) b->value[k] = RHEO_NONE;
    return RHEO_OK;
}

void rheo_build_finish(rheo_build *b) { free(b->value); }

void *rheo_build_alloc(rheo_build *b, size_t bytes) { return rheo_graph_alloc(b->g, bytes); }

static rheo_value window_of(const rheo_build *b, int param)
{
    const rheo_param *q = &b->params->at[param];
    return rheo_window(b->g, q->trained ? b->theta : b->fixed, q->offset, q->shape);
}

rheo_value rheo_param_value(rheo_build *b, int param)
{
    if (param < 0 || param >= b->params->n) return rheo_graph_fail(b->g, "no parameter %d", param);
    if (rheo_is_none(b->value[param])) b->value[param] = window_of(b, param);
    return b->value[param];
}

void rheo_param_set(rheo_build *b, int param, rheo_value v)
{
    const rheo_value w = window_of(b, param);
    rheo_assign(b->g, w, v);
    b->value[param] = rheo_reshape(b->g, v, b->params->at[param].shape);
}
