/* From a caller's options to noise levels, steps and their size. */
#include <math.h>

#include "base/text.h"
#include "sample/draw_score.h"

rheo_status rheo_score_choose(const char *what, const char *found, const char *first, const char *second, int *out, rheo_error *err)
{
    const char *const words[] = { first, second, NULL };
    *out = 0;
    return found ? rheo_choose(what, found, words, out, err) : RHEO_OK;
}

/* The model's own number and convention stand for those not given; score 5.3 for those of a single level among several. */
static rheo_status choose_step(const rheo_ncsn *m, const cJSON *config, const rheo_langevin_options *o, bool single, double *out,
                               rheo_error *err)
{
    const cJSON *epsilon = cJSON_GetObjectItemCaseSensitive(config, "epsilon");
    const char *convention = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, "step_convention"));
    const double last = m->sigma[m->levels - 1], own = cJSON_IsNumber(epsilon) ? epsilon->valuedouble : m->epsilon;
    const double number = o->epsilon > 0 ? o->epsilon : single && m->levels > 1 ? 2e-5 : own;
    int alpha = 0;
    if (!(o->epsilon >= 0 && o->epsilon <= 1e6)) return rheo_fail(err, RHEO_EINVAL, "epsilon: found %g, expected above 0", o->epsilon);
    if (o->step_convention) convention = o->step_convention;
    const rheo_status st = rheo_score_choose("step convention", convention, "eta", "alpha", &alpha, err);
    if (st) return st;
    *out = alpha ? number / 2 : number;
    if (last > 0 && *out >= 2 * last * last)
        return rheo_fail(err, RHEO_EINVAL, "epsilon: steps of %g, expected below 2 sigma^2 = %g of the last level: chains would diverge",
                         *out, 2 * last * last);
    return RHEO_OK;
}

rheo_status rheo_score_schedule_from(const rheo_ncsn *m, const cJSON *config, const rheo_langevin_options *o, rheo_score_schedule *out,
                                     rheo_error *err)
{
    double epsilon = 0;
    int single = 0, denoise = m->denoise;
    rheo_status st = rheo_score_choose("method", o->method, "annealed", "langevin", &single, err);
    if (!st && o->denoise) st = rheo_score_choose("denoise", o->denoise, "off", "on", &denoise, err);
    if (!st && (o->steps < 0 || o->steps > 1000000))
        st = rheo_fail(err, RHEO_EINVAL, "steps: found %lld, expected 1 to 1000000", (long long)o->steps);
    if (!st) st = choose_step(m, config, o, single, &epsilon, err);
    if (st) return st;
    const int64_t steps = o->steps ? o->steps : single && m->levels > 1 ? 1000 : m->steps;
    *out = (rheo_score_schedule){ { (int)m->levels, m->sigma, (int)steps, epsilon, denoise }, single ? (int)m->levels - 1 : 0 };
    return RHEO_OK;
}
