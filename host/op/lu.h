/* What lu_matrix, lu_actnorm and lu_solve share. */
#ifndef RHEO_OP_LU_H
#define RHEO_OP_LU_H

#include "graph/op.h"

enum { P, LOWER, UPPER, LOG_S, SIGN, FACTORS }; /* inputs, in this order wherever they stand together */

/* Inputs of lu_solve: these or as many of them as end before B or H. */
enum { RHEO_SOLVE_Y, RHEO_SOLVE_FACTORS, RHEO_SOLVE_B = RHEO_SOLVE_FACTORS + FACTORS, RHEO_SOLVE_L, RHEO_SOLVE_H, RHEO_SOLVE_INPUTS };

/* Whether inputs from `first` on are the factors of one matrix; false after rheo_graph_fail. */
bool rheo_lu_check_factors(rheo_graph *g, const rheo_node *n, int first);
/* U + diag(sign exp(s)) and L of factors as nodes; their elements, and the column of the 1 in row r of P, in double. */
rheo_value rheo_lu_upper(rheo_graph *g, const rheo_value *factors);
rheo_value rheo_lu_lower(rheo_graph *g, const rheo_value *factors);
double rheo_lu_upper_at(const double *const *factors, int64_t m, int64_t k, int64_t c);
double rheo_lu_lower_at(const double *const *factors, int64_t j, int64_t m, int64_t c);
int64_t rheo_lu_column_at(const double *p, int64_t r, int64_t c);
/* W (output 0) and the log-determinant (output 1) of a node that begins with an `int64_t` of positions. */
void rheo_lu_matrix_reference(const rheo_node *n, const double *const *in, double *const *out);
/* Launches for both; with b and log_scale, W' and shift = b W' of x -> (x + b) exp(factor log_scale) W. */
rheo_status rheo_emit_lu_matrix(rheo_launcher *l, const rheo_node *n, int64_t positions, cl_mem b, cl_mem log_scale, cl_mem shift,
                                double factor, rheo_error *err);

/* Of samples. Off-diagonal factors are kept small so that solves are well conditioned. */
#define RHEO_LU_SPECS(c) \
    RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, c, c), RHEO_SPEC_F32(1, 1, 1, c), RHEO_SPEC_F32(1, 1, 1, c)
#define RHEO_LU_FILLS { .permutation = true }, { .scale = 0.1 }, { .scale = 0.1 }, { .scale = 0.1 }, { .scale = 1e-30, .shift = 1, .fixed = true }

#endif
