/* Random tensors as pure functions of a device-side key and an address (score 9). Nodes merge only when all of shape,
 * purpose, id and key are equal, which is when their numbers are. */
#include "base/philox.h"
#include "op/common.h"
#include "op/ops.h"

#include <string.h>

enum { UNIFORM, UNIFORM16, NORMAL };        /* as in cl/random.cl */

typedef struct random_attr { rheo_shape shape; uint32_t purpose, id; } random_attr;

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
    n->n_out = 1;
    n->out[0] = (rheo_spec){ a->shape, RHEO_F32 };
    return true;
}

static rheo_status launch(rheo_launcher *l, const rheo_node *n, int kind, rheo_error *err)
{
    const random_attr *a = n->attr;
    const int64_t d = a->shape.h * a->shape.w * a->shape.c, blocks = a->shape.n * ((d + 3) / 4);
    const bool cpu = rheo_launcher_facts(l)->kind == RHEO_CPU;
    /* A CPU's item is heavy: some hundred cycles for VEC blocks. */
    return RHEO_EMIT(l, err, "index", "random", rheo_grid_items(l, cpu ? blocks : rheo_vectors(l, blocks)), RHEO_BUF(rheo_in(l, 0)),
                     RHEO_BUF(rheo_out(l, 0)), RHEO_INT(a->shape.n), RHEO_INT(d), RHEO_UINT(a->purpose << 24 | a->id), RHEO_INT(kind));
}

static rheo_status uniform_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err) { return launch(l, n, UNIFORM, err); }
static rheo_status uniform16_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err) { return launch(l, n, UNIFORM16, err); }
static rheo_status normal_launch(rheo_launcher *l, const rheo_node *n, rheo_error *err) { return launch(l, n, NORMAL, err); }

static void reference(const rheo_node *n, const double *key, double *y, int kind)
{
    const random_attr *a = n->attr;
    const int64_t d = a->shape.h * a->shape.w * a->shape.c;
    rheo_address at = { .seed = (uint64_t)key[1] << 32 | (uint64_t)key[0], .step = (uint32_t)key[2], .purpose = (rheo_purpose)a->purpose,
                        .id = a->id };
    for (int64_t k = 0; k < a->shape.n; k++)
        for (int64_t e = 0; e < d; e += 4) {
            uint32_t words[4];
            double z[4];
            at.sample = (uint32_t)key[3] + (uint32_t)k;
            rheo_philox_block(&at, (uint32_t)(e / 4), words);
            if (kind == NORMAL) rheo_philox_normals(words, z);
            for (int64_t i = 0; i < 4 && e + i < d; i++)
                y[k * d + e + i] = kind == NORMAL ? z[i]
                                 : kind == UNIFORM ? rheo_philox_uniform(words[i]) : rheo_philox_uniform16(words[i]);
        }
}

static void uniform_reference(const rheo_node *n, const double *const *in, double *const *out) { reference(n, in[0], out[0], UNIFORM); }
static void uniform16_reference(const rheo_node *n, const double *const *in, double *const *out) { reference(n, in[0], out[0], UNIFORM16); }
static void normal_reference(const rheo_node *n, const double *const *in, double *const *out) { reference(n, in[0], out[0], NORMAL); }

static rheo_cost random_cost(const rheo_node *n)
{
    const double count = (double)rheo_count(n->out[0].shape);
    return (rheo_cost){ 40 * count, 4 * count };        /* ten rounds of twelve operations and what follows, for four elements */
}

static const random_attr samples_attr[] = {
    { { 3, 4, 5, 3 }, RHEO_FOR_DEQUANTISE, 0 }, { { 1, 1, 1, 1 }, RHEO_FOR_START, 7 }, { { 33, 1, 1, 2 }, RHEO_FOR_SYNTHETIC_DATA, 1 },
    { { 5, 1, 1, 17 }, RHEO_FOR_LANGEVIN_NOISE, 0xffffff }, { { 2, 16, 16, 3 }, RHEO_FOR_DSM_NOISE, 2 }, { { 9, 1, 3, 67 }, 255, 3 },
};
#define SAMPLE(k)                                                                                                   \
    { .n_in = 1, .in = { RHEO_SPEC_U32(1, 1, 1, 4) }, .fill = { { .below = 0xffffffffu } }, .attr = &samples_attr[k], \
      .attr_bytes = sizeof(random_attr) }
static const rheo_op_sample random_samples[] = { SAMPLE(0), SAMPLE(1), SAMPLE(2), SAMPLE(3), SAMPLE(4), SAMPLE(5) };

/* Tolerance 0: integers and powers of two. */
const rheo_op rheo_op_uniform = {
    .name = "uniform", .flags = RHEO_OP_NO_GRADIENT, .infer = random_infer, .launch = uniform_launch, .cost = random_cost,
    .reference = uniform_reference, RHEO_SAMPLES(random_samples),
};
const rheo_op rheo_op_uniform16 = {
    .name = "uniform16", .flags = RHEO_OP_NO_GRADIENT, .infer = random_infer, .launch = uniform16_launch, .cost = random_cost,
    .reference = uniform16_reference, RHEO_SAMPLES(random_samples),
};
/* 7: log 3 ulp and sqrt 3 (log's halved by it), sine or cosine 1 and the product; scaled by the largest, at most 5.77. */
const rheo_op rheo_op_normal = {
    .name = "normal", .flags = RHEO_OP_NO_GRADIENT, .infer = random_infer, .launch = normal_launch, .cost = random_cost,
    .reference = normal_reference, RHEO_SAMPLES(random_samples), .tolerance = 7,
};

static rheo_value random_node(rheo_graph *g, const rheo_op *op, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    random_attr a;
    memset(&a, 0, sizeof a);
    a.shape = shape, a.purpose = purpose, a.id = id;
    return rheo_apply(g, op, 1, &key, &a, sizeof a);
}

rheo_value rheo_uniform(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_uniform, key, shape, purpose, id);
}

rheo_value rheo_uniform16(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_uniform16, key, shape, purpose, id);
}

rheo_value rheo_normal(rheo_graph *g, rheo_value key, rheo_shape shape, uint32_t purpose, uint32_t id)
{
    return random_node(g, &rheo_op_normal, key, shape, purpose, id);
}
