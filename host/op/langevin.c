/* One step of Langevin dynamics with its noise: x + eta s + noise z, z the numbers that rheo_normal gives under the same key and
 * address (score 0, 5). With a mask, elements where it is not 0 become those of `known`, bit for bit (inpainting, score 5.4). eta and
 * noise are read from the device: they change from replay to replay. */
#include "base/philox.h"
#include "op/common.h"
#include "op/ops.h"

enum { X, S, ETA, NOISE, KEY, MASK, KNOWN };

typedef struct langevin_attr {
    uint32_t purpose, id;
} langevin_attr;

static bool is_masked(const rheo_node *n)
{
    return n->n_in > MASK;
}

static bool langevin_infer(rheo_graph *g, rheo_node *n)
{
    const langevin_attr *a = n->attr;
    const rheo_shape x = n->in_spec[X].shape;
    bool fits = rheo_same_shape(n->in_spec[S].shape, x) && rheo_count(n->in_spec[ETA].shape) == 1
                && rheo_count(n->in_spec[NOISE].shape) == 1 && rheo_count(n->in_spec[KEY].shape) == 4 && a->purpose < 256
                && a->id < 1u << 24;
    if (fits && is_masked(n)) {
        rheo_shape mask = n->in_spec[MASK].shape;
        if (mask.n == 1) mask.n = x.n;
        fits = rheo_same_shape(mask, x) && rheo_same_shape(n->in_spec[KNOWN].shape, x);
    }
    for (int i = 0; i < n->n_in; i++)
        if (!rheo_check_type(g, n, i, i == KEY ? RHEO_U32 : RHEO_F32)) return false;
    n->n_out = 1;
    n->out[0] = n->in_spec[X];
    if (!fits)
        rheo_graph_fail(g,
                        "langevin: x is " RHEO_SHAPE_TEXT ", the score " RHEO_SHAPE_TEXT ", a mask and what is known must fit, eta "
                        "and noise be scalars, the key four numbers",
                        RHEO_SHAPE_LIST(x), RHEO_SHAPE_LIST(n->in_spec[S].shape));
    return fits;
}

static rheo_status langevin_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const langevin_attr *a = n->attr;
    const rheo_shape x = n->out[0].shape;
    const int64_t d = x.h * x.w * x.c, blocks = x.n * ((d + 3) / 4);
    const bool cpu = rheo_launcher_facts(l)->kind == RHEO_CPU, masked = is_masked(n);
    return RHEO_EMIT(l, err, "index", "langevin", rheo_grid_items(l, cpu ? blocks : rheo_vectors(l, blocks)), RHEO_BUF(rheo_in(l, X)),
                     RHEO_BUF(rheo_in(l, S)), RHEO_BUF(rheo_in(l, ETA)), RHEO_BUF(rheo_in(l, NOISE)), RHEO_BUF(rheo_in(l, KEY)),
                     RHEO_BUF(rheo_in(l, masked ? MASK : S)), RHEO_BUF(rheo_in(l, masked ? KNOWN : S)), RHEO_BUF(rheo_out(l, 0)),
                     RHEO_INT(x.n), RHEO_INT(d), RHEO_UINT(a->purpose << 24 | a->id), RHEO_INT(masked),
                     RHEO_INT(masked && n->in_spec[MASK].shape.n > 1 ? d : 0));
}

static void langevin_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const langevin_attr *a = n->attr;
    const rheo_shape x = n->out[0].shape;
    const int64_t d = x.h * x.w * x.c, in_mask = is_masked(n) ? rheo_count(n->in_spec[MASK].shape) : 1;
    const double *key = in[KEY];
    rheo_address at = {
        .seed = (uint64_t)key[1] << 32 | (uint64_t)key[0], .step = (uint32_t)key[2], .purpose = (rheo_purpose)a->purpose, .id = a->id
    };
    for (int64_t e = 0; e < x.n * d; e++) {
        uint32_t words[4];
        double z[4];
        at.sample = (uint32_t)key[3] + (uint32_t)(e / d);
        rheo_philox_block(&at, (uint32_t)(e % d / 4), words);
        rheo_philox_normals(words, z);
        out[0][e] = in[X][e] + in[ETA][0] * in[S][e] + in[NOISE][0] * z[e % d % 4];
        if (is_masked(n) && in[MASK][e % in_mask] != 0) out[0][e] = in[KNOWN][e];
    }
}

static rheo_cost langevin_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 44 * count, (is_masked(n) ? 20 : 12) * count };
}

static const langevin_attr step = { RHEO_FOR_LANGEVIN_NOISE, 3 };
#define SAMPLE(inputs, n, h, w, c, masks)                                                                                                  \
    {                                                                                                                                      \
        .n_in = inputs,                                                                                                                    \
        .in = { RHEO_SPEC_F32(n, h, w, c), RHEO_SPEC_F32(n, h, w, c),     RHEO_SPEC_F32(1, 1, 1, 1), RHEO_SPEC_F32(1, 1, 1, 1),            \
                RHEO_SPEC_U32(1, 1, 1, 4), RHEO_SPEC_F32(masks, h, w, c), RHEO_SPEC_F32(n, h, w, c) },                                     \
        .fill = { { 0 }, { 0 }, { 0 }, { 0 }, { .below = 0xffffffffu }, { .below = 2 } }, .attr = &step, .attr_bytes = sizeof step         \
    }
static const rheo_op_sample langevin_samples[] = {
    SAMPLE(5, 1, 1, 1, 1, 1), SAMPLE(5, 33, 1, 1, 2, 1), SAMPLE(5, 3, 8, 8, 1, 1), SAMPLE(5, 2, 7, 5, 3, 1),
    SAMPLE(7, 3, 7, 5, 3, 1), SAMPLE(7, 3, 7, 5, 3, 3),  SAMPLE(7, 5, 4, 4, 3, 1), SAMPLE(7, 5, 4, 4, 3, 5),
};

/* 20: 7 of noise z as in normal and half an ulp for each of two sums, of terms below 2.5 times the largest result. */
const rheo_op rheo_op_langevin = {
    .name = "langevin",
    .flags = RHEO_OP_NO_GRADIENT | RHEO_OP_INPLACE,
    .infer = langevin_infer,
    .launch = langevin_launch,
    .cost = langevin_cost,
    .reference = langevin_reference,
    RHEO_SAMPLES(langevin_samples),
    .tolerance = 20,
};

rheo_value rheo_langevin(rheo_graph *g, rheo_value x, rheo_value s, rheo_value eta, rheo_value noise, rheo_value mask, rheo_value known,
                         rheo_value key, uint32_t purpose, uint32_t id)
{
    const langevin_attr a = { purpose, id };
    const rheo_value in[] = { x, s, eta, noise, key, mask, known };
    return rheo_apply(g, &rheo_op_langevin, rheo_is_none(mask) ? 5 : 7, in, &a, sizeof a);
}
