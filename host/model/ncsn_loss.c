/* Score matching over all noise levels (score 1.3, 1.4). */
#include <math.h>
#include <stdlib.h>

#include "base/philox.h"
#include "model/ncsn.h"
#include "model/score_matching.h"

/* Bytes v to (v + u) / 256 or v / 255 (score 10.7); vectors as they are. */
static rheo_value to_unit(rheo_graph *g, const rheo_ncsn *m, rheo_value v, rheo_value key)
{
    if (!m->model.data.bytes) return v;
    if (!m->dequantise) return rheo_affine(g, v, 1.0 / 255, 0);
    return rheo_affine(g, rheo_add(g, v, rheo_uniform16(g, key, rheo_shape_of(g, v), RHEO_FOR_DEQUANTISE, 0)), 1.0 / 256, 0);
}

/* sigma^power for each level, as a table over axis N */
static rheo_value power_table(rheo_graph *g, const rheo_ncsn *m, double power)
{
    float *values = malloc((size_t)m->levels * sizeof *values);
    if (!values) return rheo_graph_fail(g, "ncsn: out of memory");
    for (int64_t i = 0; i < m->levels; i++) values[i] = m->sigma[i] > 0 ? (float)pow(m->sigma[i], power) : 1;
    const rheo_value table = rheo_table_f32(g, RHEO_SHAPE(m->levels, 1, 1, 1), values);
    free(values);
    return table;
}

rheo_value rheo_ncsn_loss(rheo_build *b, const rheo_model *model, rheo_value v, rheo_value key)
{
    const rheo_ncsn *m = (const rheo_ncsn *)model;
    rheo_graph *g = b->g;
    const rheo_shape shape = rheo_shape_of(g, v);
    rheo_name_scope(g, "noise");
    rheo_value x = to_unit(g, m, v, key), z = RHEO_NONE;
    const rheo_value drawn = rheo_random_index(g, key, RHEO_SHAPE(shape.n, 1, 1, 1), (uint32_t)m->levels, RHEO_FOR_LEVEL_LABEL, 0);
    const rheo_value labels = rheo_reshape(g, drawn, rheo_vector(shape.n)), sigma = rheo_gather(g, power_table(g, m, 1), labels, 0);
    if (m->sigma[0] > 0) {
        z = rheo_normal(g, key, shape, RHEO_FOR_DSM_NOISE, 0);
        x = rheo_add(g, x, rheo_mul(g, sigma, z));
    }
    const rheo_value s = rheo_ncsn_score(b, m, x, labels, sigma);
    rheo_name_scope(g, "score_matching");
    const double power = m->objective == RHEO_DSM ? m->anneal_power - 2 : m->anneal_power;
    const rheo_value weight = rheo_gather(g, power_table(g, m, power), labels, 0);
    if (m->objective == RHEO_DSM) return rheo_mul(g, weight, rheo_denoising(g, s, z, sigma));
    const rheo_value probe =
        m->rademacher ? rheo_rademacher(g, key, shape, RHEO_FOR_PROJECTION, 0) : rheo_normal(g, key, shape, RHEO_FOR_PROJECTION, 0);
    return rheo_mul(g, weight, rheo_sliced(g, s, x, probe, m->objective == RHEO_SSM_VR));
}

uint32_t rheo_ncsn_label(const rheo_ncsn *m, uint64_t seed, uint32_t step, uint32_t sample)
{
    const rheo_address at = { .seed = seed, .sample = sample, .step = step, .purpose = RHEO_FOR_LEVEL_LABEL };
    uint32_t words[4];
    rheo_philox_block(&at, 0, words);
    return rheo_philox_below(words[0], (uint32_t)m->levels);
}
