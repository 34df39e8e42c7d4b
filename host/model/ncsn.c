#include "model/ncsn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "sample/ladder.h"

/* ---- options ---------------------------------------------------------------------------------------------- */

static rheo_status check_size(const rheo_ncsn *m, rheo_data_shape d, rheo_error *err)
{
    if (m->network == RHEO_NCSN_MLP && (d.h != 1 || d.w != 1))
        return rheo_fail(err, RHEO_EINVAL, "ncsn: network mlp is for vectors, the data are images of %lldx%lld", (long long)d.h,
                         (long long)d.w);
    if (m->network != RHEO_NCSN_MLP && (d.h % 2 || d.w % 2 || d.h < 2 || d.w < 2))
        return rheo_fail(err, RHEO_EINVAL, "ncsn: images of %lldx%lld, expected even height and width", (long long)d.h, (long long)d.w);
    return RHEO_OK;
}

static rheo_status read_network(rheo_ncsn *m, cJSON *config, rheo_data_shape d, int64_t *width, rheo_error *err)
{
    static const char *const networks[] = { "v1", "baseline", "v2", "mlp", NULL }, *const forms[] = { "reference", "paper", NULL },
                             *const ranges[] = { "unit", "logit", NULL };
    int network = 0, form = 0, range = 0;
    rheo_status st = rheo_config_choice(config, "network", networks, d.bytes ? RHEO_NCSN_V2 : RHEO_NCSN_MLP, &network, err);
    m->network = (rheo_score_network)network;
    const bool mlp = m->network == RHEO_NCSN_MLP;
    if (!st) st = check_size(m, d, err);
    if (!st) st = rheo_config_integer(config, "width", mlp ? 128 : 32, 2, 4096, width, err);
    if (!st && !mlp) st = rheo_config_choice(config, "innorm_form", forms, 0, &form, err);
    if (!st && !mlp) st = rheo_config_choice(config, "range", ranges, 0, &range, err);
    m->refine = (rheo_refinenet){ .channels = d.c,
                                  .width = *width,
                                  .second = m->network == RHEO_NCSN_V2,
                                  .centre = range == 0,
                                  .form = form == 0 ? RHEO_NORM_REFERENCE : RHEO_NORM_PAPER };
    return st;
}

/* The published ladders; v2's first level is the largest distance in Fashion-MNIST, and its steps follow from it (score 4, 6). */
static rheo_status read_noise(rheo_ncsn *m, cJSON *config, rheo_error *err)
{
    static const char *const spacings[] = { "geometric", "uniform", NULL };
    const bool v2 = m->network == RHEO_NCSN_V2, one = m->network == RHEO_NCSN_BASELINE, mlp = m->network == RHEO_NCSN_MLP;
    double first = 0, last = 0;
    int uniform = 0;
    rheo_status st = rheo_config_number(config, "sigma_begin", v2 ? 22.5 : one ? 0.01 : mlp ? 0 : 1, 0, 1e6, &first, err);
    if (!st) st = rheo_config_integer(config, "levels", v2 ? 99 : one || mlp ? 1 : 10, 1, 10000, &m->levels, err);
    if (!st) st = rheo_config_number(config, "sigma_end", m->levels == 1 ? first : 0.01, 0, 1e6, &last, err);
    if (!st) st = rheo_config_choice(config, "sigma_dist", spacings, 0, &uniform, err);
    if (st) return st;
    if (last > first || (m->levels > 1 && !(first > last && last > 0)))
        return rheo_fail(err, RHEO_EINVAL, "ncsn: noise from %g to %g in %lld levels, expected falling levels above 0", first, last,
                         (long long)m->levels);
    if (m->levels > 1 && (one || mlp))
        return rheo_fail(err, RHEO_EINVAL, "levels: found %lld, but this network is not told which", (long long)m->levels);
    if (first <= 0 && !mlp) return rheo_fail(err, RHEO_EINVAL, "sigma_begin: found %g, expected above 0", first);
    m->sigma = malloc((size_t)m->levels * sizeof *m->sigma);
    if (!m->sigma) return rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    rheo_ladder(first, last, (int)m->levels, !uniform, m->sigma);
    m->refine.levels = m->network == RHEO_NCSN_V1 ? m->levels : 0;
    return RHEO_OK;
}

static rheo_status read_training(rheo_ncsn *m, cJSON *config, rheo_error *err)
{
    static const char *const objectives[] = { "dsm", "ssm", "ssm-vr", NULL }, *const projections[] = { "gaussian", "rademacher", NULL },
                             *const noises[] = { "none", "uniform", NULL };
    int objective = 0;
    const bool clean = m->sigma[0] <= 0;
    rheo_status st = rheo_config_choice(config, "objective", objectives, clean ? RHEO_SSM_VR : RHEO_DSM, &objective, err);
    m->objective = (rheo_score_objective)objective;
    if (!st && clean && m->objective == RHEO_DSM)
        st = rheo_fail(err, RHEO_EINVAL, "objective: dsm needs noise, sigma_begin is 0; expected ssm or ssm-vr");
    if (!st) st = rheo_config_choice(config, "projection", projections, 0, &m->rademacher, err);
    if (!st)
        st = rheo_config_number(config, "anneal_power", m->network == RHEO_NCSN_BASELINE || clean ? 0 : 2, 0, 10, &m->anneal_power, err);
    if (!st) st = rheo_config_choice(config, "dequantise", noises, m->network != RHEO_NCSN_V2, &m->dequantise, err);
    return st;
}

static rheo_status read_sampling(rheo_ncsn *m, cJSON *config, rheo_error *err)
{
    static const char *const conventions[] = { "eta", "alpha", NULL }, *const switches[] = { "off", "on", NULL };
    const bool v2 = m->network == RHEO_NCSN_V2, mlp = m->network == RHEO_NCSN_MLP;
    const double last = m->sigma[m->levels - 1];
    int alpha = 0;
    rheo_status st = rheo_config_integer(config, "steps", v2 ? 5 : m->levels == 1 ? 1000 : 100, 0, 1000000, &m->steps, err);
    if (!st) st = rheo_config_choice(config, "step_convention", conventions, 0, &alpha, err);
    /* The published number, whatever the convention; v2's comes from a rule for eta. */
    double rule = 2e-5;
    if (v2 && m->levels > 1 && m->steps > 0)
        rule = (alpha ? 2 : 1) * rheo_ladder_step(m->sigma[0] / m->sigma[1], last, (int)m->steps);
    if (!st) st = rheo_config_number(config, "epsilon", mlp ? 0.05 : rule, 1e-12, 1e6, &m->epsilon, err);
    if (!st) st = rheo_config_choice(config, "denoise", switches, v2, &m->denoise, err);
    if (alpha) m->epsilon /= 2;
    if (!st && last > 0 && m->epsilon >= 2 * last * last)
        st = rheo_fail(err, RHEO_EINVAL, "epsilon: found %g, expected below 2 sigma_end^2 = %g: chains would diverge", m->epsilon,
                       2 * last * last);
    return st;
}

static rheo_status read_config(rheo_ncsn *m, cJSON *config, int64_t *width, rheo_error *err)
{
    static const char *const names[] = { "network",      "width",      "innorm_form", "range",     "sigma_begin",
                                         "sigma_end",    "levels",     "sigma_dist",  "objective", "projection",
                                         "anneal_power", "dequantise", "steps",       "epsilon",   "step_convention",
                                         "denoise",      NULL };
    rheo_status st = rheo_config_check(config, "ncsn", names, err);
    if (!st) st = read_network(m, config, m->model.data, width, err);
    if (!st) st = read_noise(m, config, err);
    if (!st) st = read_training(m, config, err);
    return st ? st : read_sampling(m, config, err);
}

/* ---- creation ----------------------------------------------------------------------------------------------- */

static void ncsn_destroy(rheo_model *model)
{
    rheo_ncsn *m = (rheo_ncsn *)model;
    if (!m) return;
    rheo_params_destroy(m->model.params);
    free(m->sigma);
    free(m);
}

static rheo_status ncsn_create(cJSON *config, rheo_data_shape data, uint64_t seed, rheo_model **out, rheo_error *err)
{
    rheo_ncsn *m = calloc(1, sizeof *m);
    int64_t width = 0;
    (void)seed;
    if (!m) return rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    m->model = (rheo_model){ .type = &rheo_model_ncsn, .data = data, .params = rheo_params_create() };
    rheo_status st = m->model.params ? read_config(m, config, &width, err) : rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    if (!st && m->network == RHEO_NCSN_MLP) m->mlp = rheo_softplus_net_create(m->model.params, data.c, width, data.c);
    if (!st && m->network != RHEO_NCSN_MLP) rheo_refinenet_create(m->model.params, &m->refine);
    if (!st && !rheo_params_ok(m->model.params)) st = rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    if (st)
        ncsn_destroy(&m->model);
    else
        *out = &m->model;
    return st;
}

rheo_value rheo_ncsn_score(rheo_build *b, const rheo_ncsn *m, rheo_value x, rheo_value labels, rheo_value sigma)
{
    if (m->network == RHEO_NCSN_MLP) return rheo_softplus_net_apply(b, &m->mlp, x);
    const rheo_value s = rheo_refinenet_apply(b, &m->refine, x, m->network == RHEO_NCSN_V1 ? labels : RHEO_NONE);
    return m->network == RHEO_NCSN_V2 ? rheo_div(b->g, s, sigma) : s;
}

/* Score 4. */
static rheo_training_defaults ncsn_defaults(const rheo_model *model)
{
    const rheo_ncsn *m = (const rheo_ncsn *)model;
    return (rheo_training_defaults){ .batch = model->data.bytes ? 32 : 128, .lr = m->network == RHEO_NCSN_V2 ? 1e-4 : 1e-3, .ema = 0.999 };
}

static int64_t level_count(const rheo_model *m) { return ((const rheo_ncsn *)m)->levels; }
static double level_deviation(const rheo_model *m, int64_t level) { return ((const rheo_ncsn *)m)->sigma[level]; }
static uint32_t level_drawn(const rheo_model *m, uint64_t seed, uint32_t step, uint32_t sample)
{
    return rheo_ncsn_label((const rheo_ncsn *)m, seed, step, sample);
}

static const rheo_loss_levels levels_of_loss = { .count = level_count, .drawn = level_drawn, .deviation = level_deviation };

const rheo_model_type rheo_model_ncsn = {
    .name = "ncsn", .create = ncsn_create, .destroy = ncsn_destroy, .defaults = ncsn_defaults, .choose = rheo_ncsn_choose,
    .levels = &levels_of_loss, .loss = rheo_ncsn_loss,
};
