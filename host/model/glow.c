/* Glow (Kingma and Dhariwal 2018; flows 2): L levels of squeeze, K steps of [actnorm, permutation, coupling], and a split
 * whose second half gets a Gaussian prior predicted from the first; a learned Gaussian prior at the top, to whose mean and log
 * deviation each class may add its own.
 * Continuous data are not dequantised. Vectors are 1x1 images: one level, no squeeze, 1x1 conditioners. */
#include "model/glow.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"
#include "flow/flow.h"
#include "model/config.h"
#include "net/coupling_net.h"

enum { MAX_LEVELS = RHEO_GLOW_MAX_LEVELS, MAX_DEPTH = 256, LAYERS = 3 };
enum { CONV1X1, SHUFFLE, REVERSE };

typedef struct rheo_glow_level {
    int64_t h, w, c;                    /* inside the level, after its squeeze */
    rheo_flow *layer[MAX_DEPTH][LAYERS];
    rheo_conv_layer prior;              /* of the half split off; at the last level of the whole */
} rheo_glow_level;

typedef struct rheo_glow {
    rheo_model model;
    int64_t levels, depth, width, bits;
    int coupling, permutation, padding;
    bool spatial;                       /* images and arrays: squeezed, with 3x3 conditioners; else vectors */
    rheo_glow_level level[MAX_LEVELS];
    rheo_conv_layer class_prior, classifier;    /* of models of classes; the second with class_weight only */
    double class_weight;
} rheo_glow;

/* ---- creation ------------------------------------------------------------------------------------- */

static void glow_destroy(rheo_model *model)
{
    rheo_glow *m = (rheo_glow *)model;
    if (!m) return;
    for (int64_t i = 0; i < MAX_LEVELS; i++)
        for (int64_t k = 0; k < MAX_DEPTH; k++)
            for (int j = 0; j < LAYERS; j++) rheo_flow_destroy(m->level[i].layer[k][j]);
    rheo_params_destroy(m->model.params);
    free(m);
}

/* Levels that the images cannot have: each halves them. */
static rheo_status check_levels(const cJSON *config, const rheo_data_shape *d, int64_t most, rheo_error *err)
{
    const cJSON *asked = cJSON_GetObjectItemCaseSensitive(config, "levels");
    if (!cJSON_IsNumber(asked) || asked->valuedouble <= (double)most) return RHEO_OK;
    return rheo_fail(err, RHEO_EINVAL, "levels: found %g, expected at most %lld, as often as images of %lldx%lld can be halved", asked->valuedouble,
                     (long long)most, (long long)d->h, (long long)d->w);
}

static rheo_status read_classes(rheo_glow *m, cJSON *config, rheo_error *err)
{
    const bool weight = cJSON_GetObjectItemCaseSensitive(config, "class_weight") != NULL;
    if (!cJSON_GetObjectItemCaseSensitive(config, "classes"))
        return weight ? rheo_fail(err, RHEO_EINVAL, "class_weight: found a weight of the classes' loss, but no classes") : RHEO_OK;
    const rheo_status st = rheo_config_integer(config, "classes", 2, 2, 256, &m->model.classes, err);
    return st ? st : rheo_config_number(config, "class_weight", 0.01, 0, 1e3, &m->class_weight, err);
}

static rheo_status read_config(rheo_glow *m, cJSON *config, rheo_error *err)
{
    static const char *const names[] = { "levels", "depth", "width", "bits", "coupling", "permutation", "padding", "classes", "class_weight",
                                         NULL };
    static const char *const couplings[] = { "additive", "affine", NULL }, *const permutations[] = { "conv1x1", "shuffle", "reverse", NULL },
                      *const paddings[] = { "zero", "edge", NULL };
    const rheo_data_shape *d = &m->model.data;
    int64_t most = 1;
    while (m->spatial && most < MAX_LEVELS && d->h % (2 << most) == 0 && d->w % (2 << most) == 0) most++;
    if (m->spatial && (d->h % 2 || d->w % 2))
        return rheo_fail(err, RHEO_EINVAL, "glow: %s of %lldx%lld, expected even height and width", d->bytes ? "images" : "arrays", (long long)d->h, (long long)d->w);
    if (!m->spatial && d->c < 2) return rheo_fail(err, RHEO_EINVAL, "glow: vectors of 1 number, expected at least 2: a coupling changes one part given the other");
    rheo_status st = rheo_config_check(config, "glow", names, err);
    if (!st && m->spatial && most < MAX_LEVELS) st = check_levels(config, d, most, err);
    if (!st) st = rheo_config_integer(config, "levels", most < 3 ? most : 3, 1, most, &m->levels, err);
    if (!st) st = rheo_config_integer(config, "depth", m->spatial ? 8 : 12, 1, MAX_DEPTH, &m->depth, err);
    if (!st) st = rheo_config_integer(config, "width", m->spatial ? 128 : 64, 1, 4096, &m->width, err);
    if (!st) st = rheo_config_integer(config, "bits", 8, 1, 8, &m->bits, err);
    if (!st) st = rheo_config_choice(config, "coupling", couplings, 1, &m->coupling, err);
    if (!st) st = rheo_config_choice(config, "permutation", permutations, CONV1X1, &m->permutation, err);
    if (!st) st = rheo_config_choice(config, "padding", paddings, 0, &m->padding, err);
    return st ? st : read_classes(m, config, err);
}

static bool create_step(rheo_glow *m, rheo_glow_level *level, int64_t step, uint64_t seed)
{
    rheo_params *p = m->model.params;
    const rheo_coupling_options options = { .affine = m->coupling, .width = m->width, .kernel = m->spatial ? 3 : 1, .edge = m->padding };
    rheo_flow **layer = level->layer[step];
    rheo_params_enter(p, "step%lld", (long long)step);
    rheo_params_enter(p, "actnorm");
    layer[0] = rheo_actnorm_create(p, level->c);
    rheo_params_leave(p);
    rheo_params_enter(p, m->permutation == CONV1X1 ? "conv1x1" : "permutation");
    layer[1] = m->permutation == CONV1X1 ? rheo_conv1x1_create(p, level->c, seed)
                                         : rheo_permutation_create(p, level->c, m->permutation == SHUFFLE, seed);
    rheo_params_leave(p);
    rheo_params_enter(p, "coupling");
    layer[2] = rheo_coupling_create(p, level->c, &options);
    rheo_params_leave(p);
    rheo_params_leave(p);
    return layer[0] && layer[1] && layer[2];
}

static bool create_layers(rheo_glow *m, uint64_t seed)
{
    rheo_params *p = m->model.params;
    rheo_data_shape s = m->model.data;
    for (int64_t i = 0; i < m->levels; i++) {
        rheo_glow_level *level = &m->level[i];
        const bool last = i + 1 == m->levels;
        if (m->spatial) s = (rheo_data_shape){ s.h / 2, s.w / 2, 4 * s.c, s.bytes };
        level->h = s.h;
        level->w = s.w;
        level->c = s.c;
        rheo_params_enter(p, "level%lld", (long long)i);
        for (int64_t k = 0; k < m->depth; k++)
            if (!create_step(m, level, k, seed)) return false;
        if (!last) s.c /= 2;
        level->prior = rheo_conv_zero_create(p, "prior", last ? 2 * s.c : s.c, 2 * s.c, m->spatial ? 3 : 1, m->padding);
        if (last && m->model.classes) m->class_prior = rheo_conv_zero_create(p, "class_prior", m->model.classes, 2 * s.c, 1, false);
        if (last && m->class_weight > 0) m->classifier = rheo_conv_zero_create(p, "classifier", s.c, m->model.classes, 1, false);
        rheo_params_leave(p);
    }
    return rheo_params_ok(p);
}

static rheo_status glow_create(cJSON *config, rheo_data_shape data, uint64_t seed, rheo_model **out, rheo_error *err)
{
    rheo_glow *m = calloc(1, sizeof *m);
    if (!m) return rheo_fail(err, RHEO_ENOMEM, "glow: out of memory");
    m->model.type = &rheo_model_glow;
    m->model.data = data;
    m->spatial = data.bytes || data.h > 1 || data.w > 1;
    m->model.params = rheo_params_create();
    rheo_status st = m->model.params ? read_config(m, config, err) : rheo_fail(err, RHEO_ENOMEM, "glow: out of memory");
    if (!st && !create_layers(m, seed)) st = rheo_fail(err, RHEO_ENOMEM, "glow: out of memory");
    if (!st) {
        *out = &m->model;
        m = NULL;
    }
    if (m) glow_destroy(&m->model);
    return st;
}

/* ---- priors ------------------------------------------------------------------------------------------ */

typedef struct rheo_gaussian { rheo_value mean, log_deviation; } rheo_gaussian;

static rheo_value channels_from(rheo_graph *g, rheo_value x, int64_t first, int64_t count)
{
    const rheo_shape s = rheo_shape_of(g, x);
    return rheo_slice(g, x, RHEO_SHAPE(0, 0, 0, first), RHEO_SHAPE(s.n, s.h, s.w, count));
}

/* What classes add to the top's mean and log deviation, at every position alike; without classes the mean of what all add. */
static rheo_value of_classes(rheo_build *b, const rheo_glow *m, rheo_value classes)
{
    const int64_t count = m->model.classes;
    if (rheo_is_none(classes)) classes = rheo_constant(b->g, rheo_vector(count), 1 / (float)count);
    return rheo_conv_layer_apply(b, &m->class_prior, classes);
}

/* Of what is split off, from what stays: mean and log deviation interleaved. At the top (z1 none) from zeros and classes, in halves. */
static rheo_gaussian prior_of(rheo_build *b, const rheo_glow *m, int64_t i, rheo_value z1, rheo_value classes)
{
    rheo_graph *g = b->g;
    const rheo_glow_level *level = &m->level[i];
    char scope[32];
    snprintf(scope, sizeof scope, "level%lld.prior", (long long)i);
    rheo_name_scope(g, scope);
    if (i + 1 < m->levels) {
        const rheo_value h = rheo_conv_layer_apply(b, &level->prior, z1);
        return (rheo_gaussian){ rheo_every_second(g, h, 0), rheo_every_second(g, h, 1) };
    }
    rheo_value h = rheo_conv_layer_apply(b, &level->prior, rheo_constant(g, RHEO_SHAPE(1, level->h, level->w, 2 * level->c), 0));
    if (m->model.classes) h = rheo_add(g, h, of_classes(b, m, classes));
    return (rheo_gaussian){ channels_from(g, h, 0, level->c), channels_from(g, h, level->c, level->c) };
}

/* ---- encoding and decoding ------------------------------------------------------------------------------ */

/* Bytes to the continuous x in [-1/2, 1/2): (v' + u) / K - 1/2 with K = 2^bits, v' = floor(v / 2^(8 - bits)). */
static rheo_value dequantise(rheo_build *b, const rheo_glow *m, rheo_value v, rheo_value key)
{
    rheo_graph *g = b->g;
    const float step = (float)(1 << (8 - m->bits)), levels = (float)(1 << m->bits);
    rheo_name_scope(g, "dequantise");
    const rheo_value q = m->bits == 8 ? v : rheo_floor(g, rheo_affine(g, v, 1 / step, 0));
    const rheo_value u = rheo_uniform16(g, key, rheo_shape_of(g, v), RHEO_FOR_DEQUANTISE, 0);
    return rheo_affine(g, rheo_add(g, q, u), 1 / levels, -0.5f);
}

static rheo_value steps_forward(rheo_build *b, const rheo_glow *m, const rheo_glow_level *level, rheo_value z, rheo_value *logdet)
{
    for (int64_t k = 0; k < m->depth; k++)
        for (int j = 0; j < LAYERS; j++) rheo_flow_apply(b, level->layer[k][j], z, &z, logdet);
    return z;
}

static rheo_value whiten(rheo_graph *g, rheo_value z, rheo_gaussian p)
{
    return rheo_mul(g, rheo_sub(g, z, p.mean), rheo_exp(g, rheo_neg(g, p.log_deviation)));
}

/* All but the top's prior: x to the top's z, and log p of what was split off plus the log-determinant. */
static rheo_value encode_to_top(rheo_build *b, const rheo_glow *m, rheo_value x, rheo_value *codes, rheo_value *logp)
{
    rheo_graph *g = b->g;
    rheo_value z = x;
    *logp = rheo_constant(g, RHEO_SHAPE(rheo_shape_of(g, x).n, 1, 1, 1), 0);
    for (int64_t i = 0; i < m->levels; i++) {
        const rheo_glow_level *level = &m->level[i];
        if (m->spatial) z = rheo_squeeze(g, z);
        z = steps_forward(b, m, level, z, logp);
        if (i + 1 == m->levels) break;
        const rheo_value kept = channels_from(g, z, 0, level->c / 2), off = channels_from(g, z, level->c / 2, level->c / 2);
        const rheo_gaussian p = prior_of(b, m, i, kept, RHEO_NONE);
        *logp = rheo_add(g, *logp, rheo_gaussian_logp(g, off, p.mean, p.log_deviation));
        if (codes) codes[i] = whiten(g, off, p);
        z = kept;
    }
    return z;
}

/* Cross-entropy of a linear classifier of the top's mean over positions, weighted as one of bits beside bits/dim (flows 2.4). */
static rheo_value class_penalty(rheo_build *b, const rheo_glow *m, rheo_value z)
{
    rheo_graph *g = b->g;
    const rheo_data_shape *d = &m->model.data;
    rheo_name_scope(g, "classifier");
    const rheo_value logits = rheo_conv_layer_apply(b, &m->classifier, rheo_mean(g, z, RHEO_AXIS_H | RHEO_AXIS_W));
    const rheo_value own = rheo_sum(g, rheo_mul(g, logits, b->classes), RHEO_AXIS_C);
    return rheo_affine(g, rheo_sub(g, rheo_logsumexp(g, logits), own), m->class_weight * (double)(d->h * d->w * d->c), 0);
}

rheo_value rheo_glow_encode(rheo_build *b, const rheo_model *model, rheo_value x, rheo_value *codes)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_value logp;
    const rheo_value z = encode_to_top(b, m, x, codes, &logp);
    const rheo_gaussian p = prior_of(b, m, m->levels - 1, RHEO_NONE, b->classes);
    if (codes) codes[m->levels - 1] = whiten(b->g, z, p);
    if (m->class_weight > 0 && !rheo_is_none(b->classes)) b->penalty = class_penalty(b, m, z);
    return rheo_add(b->g, logp, rheo_gaussian_logp(b->g, z, p.mean, p.log_deviation));
}

rheo_value rheo_glow_decode(rheo_build *b, const rheo_model *model, const rheo_value *codes)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_graph *g = b->g;
    rheo_value z = RHEO_NONE;
    for (int64_t i = m->levels - 1; i >= 0; i--) {
        const rheo_glow_level *level = &m->level[i];
        const rheo_gaussian p = prior_of(b, m, i, z, b->classes);
        const rheo_value off = rheo_add(g, p.mean, rheo_mul(g, rheo_exp(g, p.log_deviation), codes[i]));
        z = i + 1 == m->levels ? off : rheo_concat(g, 3, 2, (const rheo_value[]){ z, off });
        for (int64_t k = m->depth - 1; k >= 0; k--)
            for (int j = LAYERS - 1; j >= 0; j--) z = rheo_flow_invert(b, level->layer[k][j], z);
        if (m->spatial) z = rheo_unsqueeze(g, z);
    }
    return z;
}

/* ---- what a model brings ----------------------------------------------------------------------------------- */

/* -log p of bytes from that of the continuous x: plus D ln K. */
static rheo_value to_loss(rheo_build *b, const rheo_glow *m, rheo_value logp)
{
    const rheo_data_shape *d = &m->model.data;
    const double constant = m->model.data.bytes ? (double)(d->h * d->w * d->c * m->bits) * log(2.0) : 0;
    return rheo_affine(b->g, logp, -1, (float)constant);
}

static rheo_value glow_loss(rheo_build *b, const rheo_model *model, rheo_value x, rheo_value key)
{
    const rheo_glow *m = (const rheo_glow *)model;
    return to_loss(b, m, rheo_glow_encode(b, model, m->model.data.bytes ? dequantise(b, m, x, key) : x, NULL));
}

/* log N(z; mean, deviation) of each class [N,1,1,K]. */
static rheo_value top_given_each(rheo_build *b, const rheo_glow *m, rheo_value z)
{
    rheo_graph *g = b->g;
    const rheo_shape s = rheo_shape_of(g, z);
    const int64_t k = m->model.classes, positions = s.h * s.w;
    const double constant = -0.5 * log(2 * acos(-1.0)) * (double)(positions * s.c);
    const rheo_value every = rheo_diagonal_matrix(g, rheo_constant(g, rheo_vector(k), 1));
    const rheo_gaussian p = prior_of(b, m, m->levels - 1, RHEO_NONE, rheo_reshape(g, every, RHEO_SHAPE(k, 1, 1, k)));
    const rheo_gaussian beside = { rheo_reshape(g, p.mean, RHEO_SHAPE(1, k, positions, s.c)),
                                   rheo_reshape(g, p.log_deviation, RHEO_SHAPE(1, k, positions, s.c)) };
    const rheo_value e = whiten(g, rheo_reshape(g, z, RHEO_SHAPE(s.n, 1, positions, s.c)), beside);
    const rheo_value squares = rheo_sum(g, rheo_square(g, e), RHEO_AXIS_W | RHEO_AXIS_C);
    const rheo_value volume = rheo_sum(g, beside.log_deviation, RHEO_AXIS_W | RHEO_AXIS_C);
    return rheo_reshape(g, rheo_sub(g, rheo_affine(g, squares, -0.5, constant), volume), RHEO_SHAPE(s.n, 1, 1, k));
}

/* Only the top's prior depends on the class: one pass for all of them. */
static rheo_value glow_class_loss(rheo_build *b, const rheo_model *model, rheo_value x, rheo_value key)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_value logp;
    const rheo_value z = encode_to_top(b, m, m->model.data.bytes ? dequantise(b, m, x, key) : x, NULL, &logp);
    return to_loss(b, m, rheo_add(b->g, logp, top_given_each(b, m, z)));
}

static rheo_value glow_round_trip(rheo_build *b, const rheo_model *model, rheo_value x, rheo_value key)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_value codes[MAX_LEVELS];
    if (model->data.bytes) x = dequantise(b, m, x, key);
    rheo_glow_encode(b, model, x, codes);
    const rheo_value difference = rheo_sub(b->g, x, rheo_glow_decode(b, model, codes));
    return rheo_max(b->g, rheo_abs(b->g, difference), RHEO_AXIS_H | RHEO_AXIS_W | RHEO_AXIS_C);
}

/* Of the latents that level i keeps for itself: what it splits off, at the top all of it. */
static rheo_shape code_shape(const rheo_glow *m, int64_t i, int64_t n)
{
    const rheo_glow_level *level = &m->level[i];
    return RHEO_SHAPE(n, level->h, level->w, i + 1 == m->levels ? level->c : level->c / 2);
}

/* Samples in data units. */
static rheo_value samples_of(rheo_build *b, const rheo_glow *m, const rheo_value *codes)
{
    const rheo_value x = rheo_glow_decode(b, &m->model, codes);
    return m->model.data.bytes ? rheo_affine(b->g, x, 256, 128) : x;
}

static rheo_value glow_sample(rheo_build *b, const rheo_model *model, int64_t n, rheo_value key, rheo_value temperature)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_value codes[MAX_LEVELS];
    for (int64_t i = 0; i < m->levels; i++)
        codes[i] = rheo_mul(b->g, rheo_normal(b->g, key, code_shape(m, i, n), RHEO_FOR_START, (uint32_t)i), temperature);
    return samples_of(b, m, codes);
}

/* All splits' codes, then the top's (flows 2.5). */
static rheo_value glow_encode(rheo_build *b, const rheo_model *model, rheo_value x, rheo_value key)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_graph *g = b->g;
    rheo_value codes[MAX_LEVELS];
    rheo_glow_encode(b, model, model->data.bytes ? dequantise(b, m, x, key) : x, codes);
    for (int64_t i = 0; i < m->levels; i++) {
        const rheo_shape s = rheo_shape_of(g, codes[i]);
        codes[i] = rheo_reshape(g, codes[i], RHEO_SHAPE(s.n, 1, 1, s.h * s.w * s.c));
    }
    return m->levels == 1 ? codes[0] : rheo_concat(g, 3, (int)m->levels, codes);
}

static rheo_value glow_decode(rheo_build *b, const rheo_model *model, rheo_value all)
{
    const rheo_glow *m = (const rheo_glow *)model;
    rheo_graph *g = b->g;
    rheo_value codes[MAX_LEVELS];
    for (int64_t i = 0, first = 0; i < m->levels; i++) {
        const rheo_shape s = code_shape(m, i, rheo_shape_of(g, all).n);
        codes[i] = rheo_reshape(g, channels_from(g, all, first, s.h * s.w * s.c), s);
        first += s.h * s.w * s.c;
    }
    return samples_of(b, m, codes);
}

static rheo_training_defaults glow_defaults(const rheo_model *m)
{
    return (rheo_training_defaults){ .batch = ((const rheo_glow *)m)->spatial ? 32 : 256, .lr = 2e-3, .warmup = 100, .ema = 0.999, .clip = 50, .falling = true };
}

const rheo_model_type rheo_model_glow = {
    .name = "glow", .likelihood = true, .data_initialised = true, .create = glow_create, .destroy = glow_destroy, .defaults = glow_defaults,
    .loss = glow_loss, .round_trip = glow_round_trip, .sample = glow_sample, .encode = glow_encode, .decode = glow_decode,
    .class_loss = glow_class_loss,
};
