#include "base/philox.h"

#include <math.h>

void rheo_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rheo_philox_block(const rheo_address *at, uint32_t block, uint32_t out[4])
{
    const uint32_t counter[4] = { block, at->sample, at->step, (uint32_t)at->purpose << 24 | at->id };
    const uint32_t key[2] = { (uint32_t)at->seed, (uint32_t)(at->seed >> 32) };
    rheo_philox(counter, key, out);
}

double rheo_philox_uniform(uint32_t word)
{
    return (word >> 8) * 0x1p-24;
}

double rheo_philox_uniform_open(uint32_t word)
{
    return ((word >> 9) + 0.5) * 0x1p-23;
}

double rheo_philox_uniform16(uint32_t word)
{
    return (word >> 16) * 0x1p-16;
}

uint32_t rheo_philox_below(uint32_t word, uint32_t n)
{
    return (uint32_t)((uint64_t)word * n >> 32);
}

/* cos and sin of 2 pi (word >> 8) 2^-24. The quadrant comes off the integer, so both are exact at its ends. */
static void cos_sin(uint32_t word, double *cosine, double *sine)
{
    const double angle = ((word >> 8) & 0x3FFFFFu) * (6.283185307179586476925 * 0x1p-24);
    const double c = cos(angle), s = sin(angle);
    switch (word >> 30) {
    case 0: *cosine = c;  *sine = s;  break;
    case 1: *cosine = -s; *sine = c;  break;
    case 2: *cosine = -c; *sine = -s; break;
    default: *cosine = s; *sine = -c; break;
    }
}

void rheo_philox_normals(const uint32_t words[4], double z[4])
{
    for (int k = 0; k < 4; k += 2) {
        const double radius = sqrt(-2.0 * log(rheo_philox_uniform_open(words[k])));
        double c, s;
        cos_sin(words[k + 1], &c, &s);
        z[k] = radius * c;
        z[k + 1] = radius * s;
    }
}

void rheo_shuffle(uint32_t *index, uint32_t n, uint64_t seed, uint32_t epoch)
{
    const rheo_address at = { .seed = seed, .step = epoch, .purpose = RHEO_FOR_SHUFFLE };
    uint32_t words[4];
    if (n < 2) return;
    rheo_philox_block(&at, (n - 1) / 4, words);
    for (uint32_t i = n - 1; i > 0; i--) {
        if (i % 4 == 3) rheo_philox_block(&at, i / 4, words);
        const uint32_t j = rheo_philox_below(words[i % 4], i + 1);
        const uint32_t kept = index[i];
        index[i] = index[j];
        index[j] = kept;
    }
}
