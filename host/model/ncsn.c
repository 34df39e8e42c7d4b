#include "model/ncsn.h"

#include <stdlib.h>

#include "model/config.h"
#include "net/refinenet.h"
#include "net/softplus_net.h"

enum { V1, BASELINE, V2, MLP };

struct rheo_ncsn {
    rheo_params *params;
    int network;
    rheo_refinenet refine; /* all but MLP */
    rheo_softplus_net mlp;
};

static rheo_status read_config(rheo_ncsn *m, cJSON *config, rheo_data_shape d, int64_t *width, rheo_error *err)
{
    static const char *const names[] = { "network", "width", "levels", "innorm_form", "range", NULL };
    static const char *const networks[] = { "v1", "baseline", "v2", "mlp", NULL }, *const forms[] = { "reference", "paper", NULL },
                             *const ranges[] = { "unit", "logit", NULL };
    int form = 0, range = 0;
    int64_t levels = 0;
    rheo_status st = rheo_config_check(config, "ncsn", names, err);
    if (!st) st = rheo_config_choice(config, "network", networks, d.bytes ? V2 : MLP, &m->network, err);
    if (!st && m->network != MLP && (d.h % 2 || d.w % 2 || d.h < 2 || d.w < 2))
        st = rheo_fail(err, RHEO_EINVAL, "ncsn: images of %lldx%lld, expected even height and width", (long long)d.h, (long long)d.w);
    if (!st && m->network == MLP && (d.h != 1 || d.w != 1))
        st = rheo_fail(err, RHEO_EINVAL, "ncsn: network mlp is for vectors, the data are images of %lldx%lld", (long long)d.h,
                       (long long)d.w);
    if (!st) st = rheo_config_integer(config, "width", m->network == MLP ? 128 : 32, 2, 4096, width, err);
    if (!st && m->network == V1) st = rheo_config_integer(config, "levels", 10, 1, 1 << 20, &levels, err);
    if (!st && m->network != MLP) st = rheo_config_choice(config, "innorm_form", forms, 0, &form, err);
    if (!st && m->network != MLP) st = rheo_config_choice(config, "range", ranges, 0, &range, err);
    m->refine = (rheo_refinenet){ .channels = d.c,
                                  .width = *width,
                                  .levels = levels,
                                  .second = m->network == V2,
                                  .centre = range == 0,
                                  .form = form == 0 ? RHEO_NORM_REFERENCE : RHEO_NORM_PAPER };
    return st;
}

rheo_status rheo_ncsn_create(cJSON *config, rheo_data_shape data, rheo_ncsn **out, rheo_error *err)
{
    rheo_ncsn *m = calloc(1, sizeof *m);
    int64_t width = 0;
    if (!m) return rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    m->params = rheo_params_create();
    rheo_status st = m->params ? read_config(m, config, data, &width, err) : rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    if (!st && m->network == MLP) m->mlp = rheo_softplus_net_create(m->params, data.c, width, data.c);
    if (!st && m->network != MLP) rheo_refinenet_create(m->params, &m->refine);
    if (!st && !rheo_params_ok(m->params)) st = rheo_fail(err, RHEO_ENOMEM, "ncsn: out of memory");
    if (!st) {
        *out = m;
        m = NULL;
    }
    rheo_ncsn_destroy(m);
    return st;
}

void rheo_ncsn_destroy(rheo_ncsn *m)
{
    if (!m) return;
    rheo_params_destroy(m->params);
    free(m);
}

rheo_params *rheo_ncsn_params(const rheo_ncsn *m)
{
    return m->params;
}

rheo_value rheo_ncsn_score(rheo_build *b, const rheo_ncsn *m, rheo_value x, rheo_value labels, rheo_value sigma)
{
    if (m->network == MLP) return rheo_softplus_net_apply(b, &m->mlp, x);
    const rheo_value s = rheo_refinenet_apply(b, &m->refine, x, m->network == V1 ? labels : RHEO_NONE);
    return m->network == V2 ? rheo_div(b->g, s, sigma) : s;
}
