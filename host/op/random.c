/* Random tensors as pure functions of a device-side key and an address (score 9). Nodes merge only when all of shape,
 * purpose, id and key are equal, which is when their numbers are. */
#include "base/philox.h"
#include "op/common.h"
#include "op/ops.h"

#include <string.h>

enum { UNIFORM, UNIFORM16, NORMAL, RADEMACHER, INDEX }; /* as in cl/random.cl */

typedef struct random_attr {
    rheo_shape shape;
    uint32_t purpose, id;
    uint32_t below, zero; /* of integers */
} random_attr;

extern const rheo_op rheo_op_uniform, rheo_op_uniform16, rheo_op_normal, rheo_op_rademacher, rheo_op_random_index;

static int kind_of(const rheo_op *op)
{
    static const rheo_op *const kinds[] = { &rheo_op_uniform, &rheo_op_uniform16, &rheo_op_normal, &rheo_op_rademacher };
    int k = 0;
    while (k < INDEX && op != kinds[k]) k++;
    return k;
}

static bool random_infer(rheo_graph *g, rheo_node *n)
{
    const random_attr *a = n->attr;
    if (!rheo_check_type(g, n, 0, RHEO_U32)) return false;
    if (rheo_count(n->in_spec[0].shape) != 4) {
        rheo_graph_fail(g, "%s: a key " RHEO_SHAPE_TEXT ", expected four numbers", n->op->name, RHEO_SHAPE_LIST(n->in_spec[0].shape));
        return false;
    }
    if (a->purpose > 0xff || a->id >= 1u << 24 || rheo_count(a->shape) < 1) {
        rheo_graph_fail(g, "%s: purpose %u below 256, id %u below 2^24, shape " RHEO_SHAPE_TEXT, n->op->name, a->purpose, a->id,
                        RHEO_SHAPE_LIST(a->shape));
        return false;
    }
    if (kind_of(n->op) == INDEX && a->below < 1) {
        rheo_graph_fail(g, "%s: integers below 0", n->op->name);
        return false;
    }
    n->n_out = 1;
    n->out[0] = (rheo_spec){ a->shape, kind_of(n->op) == INDEX ? RHEO_U32 : RHEO_F32 };
    return true;
}

static rheo_status random_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err)
{
    const random_attr *a = n->attr;
    const int64_t d = a->shape.h * a->shape.w * a->shape.c, blocks = a->shape.n * ((d + 3) / 4);
    const bool cpu = rheo_launcher_facts(l)->kind == RHEO_CPU;
    /* A CPU's item is heavy: some hundred cycles for VEC blocks. */
    return RHEO_EMIT(l, err, "index", "random", rheo_grid_items(l, cpu ? blocks : rheo_vectors(l, blocks)), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_INT(a->shape.n), RHEO_INT(d), RHEO_UINT(a->purpose << 24 | a->id),
                     RHEO_INT(kind_of(n->op)), RHEO_UINT(a->below));
}

static double number_of(int kind, uint32_t word, uint32_t below)
{
    switch (kind) {
    case UNIFORM:
        return rheo_philox_uniform(word);
    case UNIFORM16:
        return rheo_philox_uniform16(word);
    case INDEX:
        return rheo_philox_below(word, below);
    default:
        return word >> 31 ? 1 : -1;
    }
}

static void random_reference(const rheo_node *n, const double *const *in, double *const *out)
{
    const random_attr *a = n->attr;
    const double *key = in[0];
    const int kind = kind_of(n->op);
    const int64_t d = a->shape.h * a->shape.w * a->shape.c;
    rheo_address at = {
        .seed = (uint64_t)key[1] << 32 | (uint64_t)key[0], .step = (uint32_t)key[2], .purpose = (rheo_purpose)a->purpose, .id = a->id
    };
    for (int64_t k = 0; k < a->shape.n; k++)
        for (int64_t e = 0; e < d; e += 4) {
            uint32_t words[4];
            double z[4];
            at.sample = (uint32_t)key[3] + (uint32_t)k;
            rheo_philox_block(&at, (uint32_t)(e / 4), words);
            if (kind == NORMAL) rheo_philox_normals(words, z);
            for (int64_t i = 0; i < 4 && e + i < d; i++)
                out[0][k * d + e + i] = kind == NORMAL ? z[i] : number_of(kind, words[i], a->below);
        }
}

static rheo_cost random_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 40 * count, 4 * count }; /* ten rounds of twelve operations and what follows, for four elements */
}

static const random_attr samples_attr[] = {
    { { 3, 4, 5, 3 }, RHEO_FOR_DEQUANTISE, 0, 0, 0 },      { { 1, 1, 1, 1 }, RHEO_FOR_START, 7, 0, 0 },
    { { 33, 1, 1, 2 }, RHEO_FOR_SYNTHETIC_DATA, 1, 0, 0 }, { { 5, 1, 1, 17 }, RHEO_FOR_LANGEVIN_NOISE, 0xffffff, 0, 0 },
    { { 2, 16, 16, 3 }, RHEO_FOR_DSM_NOISE, 2, 0, 0 },     { { 9, 1, 3, 67 }, 255, 3, 0, 0 },
};
static const random_attr integers_attr[] = {
    { { 33, 1, 1, 1 }, RHEO_FOR_LEVEL_LABEL, 0, 10, 0 },
    { { 1, 1, 1, 130 }, RHEO_FOR_LEVEL_LABEL, 0, 0xffffffffu, 0 },
    { { 3, 2, 1, 3 }, 13, 2, 1, 0 },
};
#define SAMPLE(of)                                                                                                                         \
    {                                                                                                                                      \
        .n_in = 1, .in = { RHEO_SPEC_U32(1, 1, 1, 4) }, .fill = { { .below = 0xffffffffu } }, .attr = &(of),                               \
        .attr_bytes = sizeof(random_attr)                                                                                                  \
    }
static const rheo_op_sample samples[] = {
    SAMPLE(samples_attr[0]), SAMPLE(samples_attr[1]), SAMPLE(samples_attr[2]),
    SAMPLE(samples_attr[3]), SAMPLE(samples_attr[4]), SAMPLE(samples_attr[5]),
};
static const rheo_op_sample integers[] = { SAMPLE(integers_attr[0]), SAMPLE(integers_attr[1]), SAMPLE(integers_attr[2]) };

#define RANDOM_OP(NAME, SAMPLES, TOLERANCE)                                                                                                \
    const rheo_op rheo_op_##NAME = {                                                                                                       \
        .name = #NAME, .flags = RHEO_OP_NO_GRADIENT, .infer = random_infer, .launch = random_launch, .cost = random_cost,                  \
        .reference = random_reference, RHEO_SAMPLES(SAMPLES), .tolerance = TOLERANCE                                                       \
    }
/* Tolerance 0: integers and powers of two. 7: log 3 ulp and sqrt 3 (log's halved by it), sine or cosine 1 and the product; scaled by
 * the largest, at most 5.77. */
RANDOM_OP(uniform, samples, 0);
RANDOM_OP(uniform16, samples, 0);
RANDOM_OP(normal, samples, 7);
RANDOM_OP(rademacher, samples, 0);
RANDOM_OP(random_index, integers, 0);

static rheo_value random_node(rheo_graph *g, const rheo_op *op, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id,
                              uint32_t below)
{
    random_attr a;
    memset(&a, 0, sizeof a);
    a.shape = shape, a.purpose = purpose, a.id = id, a.below = below;
    return rheo_apply(g, op, 1, &key, &a, sizeof a);
}

rheo_value rheo_uniform(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_uniform, key, shape, purpose, id, 0);
}

rheo_value rheo_uniform16(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_uniform16, key, shape, purpose, id, 0);
}

rheo_value rheo_normal(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_normal, key, shape, purpose, id, 0);
}

rheo_value rheo_rademacher(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_rademacher, key, shape, purpose, id, 0);
}

rheo_value rheo_random_index(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t below, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_random_index, key, shape, purpose, id, below);
}
