/* Philox4x32-10 (Salmon et al. 2011), addressed as score 9 says: every number is a pure function of where it is
 * used, so values do not depend on batch size, device or order. The device's twin is cl/philox.cl. */
#ifndef RHEO_BASE_PHILOX_H
#define RHEO_BASE_PHILOX_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are for; the top byte of the counter's fourth word. Never renumbered: checkpoints rest on it. */
typedef enum rheo_purpose {
    RHEO_FOR_INIT = 1,
    RHEO_FOR_SHUFFLE,
    RHEO_FOR_FLIP,
    RHEO_FOR_DEQUANTISE,
    RHEO_FOR_LEVEL_LABEL,
    RHEO_FOR_DSM_NOISE,
    RHEO_FOR_PROJECTION,
    RHEO_FOR_LANGEVIN_NOISE,
    RHEO_FOR_START,
    RHEO_FOR_INPAINT,
    RHEO_FOR_METRIC,
    RHEO_FOR_TRACE_PROBE,
    RHEO_FOR_SYNTHETIC_DATA
} rheo_purpose;

/* Ten rounds on a counter under a key. */
void rheo_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Everything of an address but the element. Element e of a sample is lane e % 4 of block e / 4. */
typedef struct rheo_address {
    uint64_t seed;
    uint32_t sample;         /* global index; 0 for parameter tensors */
    uint32_t step;           /* training iteration, epoch or global sampler step */
    rheo_purpose purpose;
    uint32_t id;             /* level or tensor, below 2^24 */
} rheo_address;

void rheo_philox_block(const rheo_address *at, uint32_t block, uint32_t out[4]);

/* From words to numbers. Uniforms are exact in float32. */
double rheo_philox_uniform(uint32_t word);              /* [0,1): (word >> 8) 2^-24 */
double rheo_philox_uniform_open(uint32_t word);         /* (0,1): ((word >> 9) + 1/2) 2^-23 */
double rheo_philox_uniform16(uint32_t word);            /* [0,1): (word >> 16) 2^-16; added to a byte it stays exact */
uint32_t rheo_philox_below(uint32_t word, uint32_t n);  /* [0,n), bias at most n 2^-32 */

/* Box-Muller: words (0,1) give z[0], z[1] and (2,3) give z[2], z[3]; |z| <= 5.7682. */
void rheo_philox_normals(const uint32_t words[4], double z[4]);

/* Fisher-Yates in place, i from n - 1 down, j in [0, i] drawn at element i of (seed, step = epoch). */
void rheo_shuffle(uint32_t *index, uint32_t n, uint64_t seed, uint32_t epoch);

#endif
