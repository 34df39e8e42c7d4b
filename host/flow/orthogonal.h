/* Random orthogonal matrices and their LU factors, in double on the host: where 1x1 convolutions start. */
#ifndef RHEO_FLOW_ORTHOGONAL_H
#define RHEO_FLOW_ORTHOGONAL_H

#include <stdbool.h>
#include <stdint.h>

/* W = P L U: `factors` [c, c] holds L below the diagonal (unit diagonal not stored) and U from it on; row r of P has its 1 in
 * column[r], so that W[r, :] = (L U)[column[r], :]. */
typedef struct rheo_lu {
    double *factors;
    int64_t *column;
} rheo_lu;

/* The Q of the QR factors of a Gaussian matrix drawn by (seed, purpose init, id), factored with partial pivoting. False when out
 * of memory. */
bool rheo_lu_random_orthogonal(int64_t c, uint64_t seed, uint32_t id, rheo_lu *out);
void rheo_lu_finish(rheo_lu *lu);

/* Only Q, row-major [c, c]. */
void rheo_random_orthogonal(int64_t c, uint64_t seed, uint32_t id, double *q);

#endif
