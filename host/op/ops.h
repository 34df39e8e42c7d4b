/* Constructors of all operations: each adds a node (or merges with an equal one) and returns its value.
 * Shapes are [N, H, W, C]; "broadcasts" means every dimension is equal or 1. Errors stay in the graph. */
#ifndef RHEO_OP_OPS_H
#define RHEO_OP_OPS_H

#include "graph/graph.h"

typedef rheo_graph G_;      /* keeps the declarations below readable; not for use outside this header */
typedef rheo_value V_;

extern const rheo_arithmetic rheo_op_arithmetic;            /* for rheo_graph_create */

/* ---- constants ---------------------------------------------------------------------------- */
V_ rheo_constant(G_ *g, rheo_shape shape, float value);                     /* every element = value */
V_ rheo_table_f32(G_ *g, rheo_shape shape, const float *data);              /* literal contents (copied) */
V_ rheo_table_u32(G_ *g, rheo_shape shape, const uint32_t *data);

/* ---- pointwise, one input (unary.c) --------------------------------------------------------- */
V_ rheo_neg(G_ *g, V_ x);
V_ rheo_exp(G_ *g, V_ x);
V_ rheo_log(G_ *g, V_ x);
V_ rheo_sqrt(G_ *g, V_ x);
V_ rheo_reciprocal(G_ *g, V_ x);
V_ rheo_square(G_ *g, V_ x);
V_ rheo_abs(G_ *g, V_ x);
V_ rheo_sign(G_ *g, V_ x);            /* -1, 0, 1 */
V_ rheo_step(G_ *g, V_ x);            /* x > 0 ? 1 : 0 */
V_ rheo_relu(G_ *g, V_ x);
V_ rheo_elu(G_ *g, V_ x);             /* x > 0 ? x : exp(x) - 1 */
V_ rheo_tanh(G_ *g, V_ x);
V_ rheo_sigmoid(G_ *g, V_ x);
V_ rheo_softplus(G_ *g, V_ x);        /* max(x,0) + log1p(exp(-|x|)) */
V_ rheo_log_sigmoid(G_ *g, V_ x);     /* -softplus(-x) */
V_ rheo_isfinite(G_ *g, V_ x);        /* finite ? 1 : 0, no gradient */
V_ rheo_floor(G_ *g, V_ x);           /* gradient 0 */
V_ rheo_affine(G_ *g, V_ x, double scale, double shift);    /* scale x + shift (affine.c) */
V_ rheo_to_float(G_ *g, V_ x);        /* u32 -> f32 (convert.c), no gradient */

/* ---- pointwise, two inputs, broadcasting both ways (binary.c) ---------------------------------- */
V_ rheo_add(G_ *g, V_ a, V_ b);
V_ rheo_sub(G_ *g, V_ a, V_ b);
V_ rheo_mul(G_ *g, V_ a, V_ b);
V_ rheo_div(G_ *g, V_ a, V_ b);
V_ rheo_minimum(G_ *g, V_ a, V_ b);
V_ rheo_maximum(G_ *g, V_ a, V_ b);
V_ rheo_add_u32(G_ *g, V_ counter, uint32_t increment);     /* device-side counters (counter.c), no gradient */

/* y = act((x + b) exp(factor l)), b and l [1,1,1,C]: actnorm and what follows a convolution (affine_act.c). logdet [N,1,1,1] may be
 * RHEO_NONE; else output 1 is logdet + H W factor sum(l). */
typedef struct rheo_affine_attr {
    int32_t relu;            /* act: 0 none, 1 max(., 0) */
    float factor;            /* multiplies l, and so its learning rate (flows 1.1) */
} rheo_affine_attr;
V_ rheo_affine_act(G_ *g, V_ x, V_ b, V_ l, V_ logdet, rheo_affine_attr attr);
/* x = y exp(-factor l) - b, undoing it where there is no activation (affine_inverse.c) */
V_ rheo_affine_inverse(G_ *g, V_ y, V_ b, V_ l, float factor);
/* Its gradient from its output: outputs dx [y's], db and dl [1,1,1,C]; dlogdet may be RHEO_NONE (affine_backward.c) */
V_ rheo_affine_act_backward(G_ *g, V_ dy, V_ y, V_ l, V_ dlogdet, rheo_affine_attr attr);

/* ---- reductions (reduce.c) ----------------------------------------------------------------------- */
enum { RHEO_AXIS_N = 1, RHEO_AXIS_H = 2, RHEO_AXIS_W = 4, RHEO_AXIS_C = 8 };
V_ rheo_sum(G_ *g, V_ x, int axes);                     /* keeps dimensions as 1; fixed order */
V_ rheo_max(G_ *g, V_ x, int axes);                     /* gradient to the (first) maximum only */
V_ rheo_mean(G_ *g, V_ x, int axes);                    /* sum and affine */
V_ rheo_broadcast(G_ *g, V_ x, rheo_shape shape);
V_ rheo_sum_to(G_ *g, V_ x, rheo_shape shape);          /* sums the axes in which shape is 1: broadcast's transpose */
V_ rheo_square_sums(G_ *g, V_ x, V_ shift);             /* of (x + shift)^2, shift [1,1,1,C], over blocks of positions: [blocks,1,1,C], no
                                                         * gradient (square_sums.c) */
V_ rheo_softmax(G_ *g, V_ x);                           /* over C */
V_ rheo_logsumexp(G_ *g, V_ x);                         /* over C, max subtracted; [N,H,W,1] */

/* ---- linear ------------------------------------------------------------------------------------------ */
/* y[n,p,q,o] = sum x[n, p + r d - pad, q + s d - pad, i] w[r,s,i,o]; stride 1; out of range reads 0 (conv2d.c) */
V_ rheo_conv2d(G_ *g, V_ x, V_ w, int pad, int dilation);
V_ rheo_conv2d_dx(G_ *g, V_ dy, V_ w, rheo_shape x, int pad, int dilation);
V_ rheo_conv2d_dw(G_ *g, V_ x, V_ dy, rheo_shape w, int pad, int dilation);
/* [n,B,M,K] x [n,B,K,N] -> [n,B,M,N]; either factor transposed in its last two dimensions (matmul.c) */
V_ rheo_matmul(G_ *g, V_ a, V_ b, bool transpose_a, bool transpose_b);
/* Each row r of x [N,H,W,C] solves  y T = x  (row vectors), T [1,1,C,C]: its lower or upper triangle is read, the
 * rest ignored; unit: ones on the diagonal; transpose: solves y T^T = x (triangular.c) */
V_ rheo_solve_triangular(G_ *g, V_ x, V_ t, bool lower, bool unit, bool transpose);
/* Keeps the strict lower (-1) or strict upper (+1) triangle of [n,B,M,M], zero elsewhere (triangle.c) */
V_ rheo_triangle(G_ *g, V_ x, int which);
V_ rheo_diagonal(G_ *g, V_ x);                          /* [n,B,M,M] -> [n,B,1,M] */
V_ rheo_diagonal_matrix(G_ *g, V_ x);                   /* [n,B,1,M] -> [n,B,M,M] */

/* ---- index maps (all launch cl/copy.cl) ------------------------------------------------------------------ */
V_ rheo_slice(G_ *g, V_ x, rheo_shape from, rheo_shape size);           /* slice(concat) is simplified as it is built */
V_ rheo_every_second(G_ *g, V_ x, int which);            /* channels 2k + which of interleaved ones */
V_ rheo_pad(G_ *g, V_ x, rheo_shape before, rheo_shape size);           /* x placed at `before` in zeros of `size` */
V_ rheo_concat(G_ *g, int axis, int n, const V_ *x);                    /* axis 0..3 */
/* a + b where both are pads whose contents adjoin, as the pad of their concat: what gradients of the slices of one value
 * sum to. RHEO_NONE otherwise (slice.c) */
V_ rheo_join_pads(G_ *g, V_ a, V_ b);
V_ rheo_transpose(G_ *g, V_ x, int d0, int d1, int d2, int d3);         /* out dimension k is input dimension dk */
V_ rheo_squeeze(G_ *g, V_ x);           /* [N,H,W,C] -> [N,H/2,W/2,4C]; out channel 4c + 2i + j (flows 0.8) */
V_ rheo_unsqueeze(G_ *g, V_ x);
V_ rheo_gather(G_ *g, V_ x, V_ index, int axis);        /* out[.., k, ..] = x[.., index[k], ..]; index u32 [1,1,1,K] */
V_ rheo_scatter_add(G_ *g, V_ dy, V_ index, int axis, int64_t size);    /* gather's transpose, fixed order */
V_ rheo_pack(G_ *g, int n, const V_ *x, const int64_t *offset, int64_t count);  /* [1,1,1,count]: x[k] from offset[k]
                                            on, zeros between; the planner lets producers write there (pack.c) */

/* ---- densities -------------------------------------------------------------------------------------------- */
/* sum over h,w,c of log N(z; m, exp(r)) per sample -> [N,1,1,1]; m and r broadcast to z (gaussian.c) */
V_ rheo_gaussian_logp(G_ *g, V_ z, V_ m, V_ r);

/* ---- flow layers' own ------------------------------------------------------------------------------------ */
/* The first C/2 channels of x pass, the others become y2 = (x2 + t) sigmoid(r + 2), h [N,H,W,2 C2] = t, r interleaved, output 1 the
 * log-determinant so far [N,1,1,1] plus its own; or y2 = x2 + h, h [N,H,W,C2], logdet RHEO_NONE, one output (coupling.c) */
V_ rheo_coupling(G_ *g, V_ x, V_ h, V_ logdet, bool affine);
V_ rheo_coupling_inverse(G_ *g, V_ y, V_ h, bool affine);
V_ rheo_coupling_condition(G_ *g, V_ x);                /* the passing channels, seen through an inverse */
/* Factors P, lower, upper [1,1,C,C], s, sign [1,1,1,C] of W = P L (U + diag(sign exp(s))): outputs W and logdet [N,1,1,1]
 * + positions sum(s); and y W^{-1} per position (lu.c) */
V_ rheo_lu_matrix(G_ *g, const V_ factors[5], V_ logdet, int64_t positions);
V_ rheo_lu_solve(G_ *g, V_ y, const V_ factors[5]);
/* With actnorm undone after it, what fusing makes: x exp(-factor l) - b; and with an affine coupling undone before it, unless h is RHEO_NONE */
V_ rheo_lu_solve_actnorm(G_ *g, V_ y, const V_ factors[5], V_ b, V_ l, float factor, V_ h);
/* With actnorm before it, what fusing makes: (x + b) exp(factor l) W = x W' + b', outputs W', logdet and b' [1,1,1,C] (lu_actnorm.c) */
V_ rheo_lu_actnorm(G_ *g, const V_ factors[5], V_ logdet, V_ b, V_ l, int64_t positions, double factor);

/* ---- score networks (score 3.1, 3.2) ----------------------------------------------------------------------- */
/* InstanceNorm++: x by its mean and deviation over the positions of a sample, h; c, the same of those means over the channels;
 * row [N or 1,1,1,3C] = gamma | alpha | beta (plain: 2C, gamma | beta). Output 1: mean | 1 / deviation (instance_norm.c) */
enum { RHEO_NORM_REFERENCE, RHEO_NORM_PAPER, RHEO_NORM_PLAIN };    /* gamma (h + alpha c) + beta; gamma h + alpha c + beta; no c */
typedef struct rheo_norm_attr { int32_t form, elu; } rheo_norm_attr;
V_ rheo_instance_norm(G_ *g, V_ x, V_ row, rheo_norm_attr attr);
/* Outputs dx and, a sample each, drow [N,1,1,..] (instance_norm_backward.c) */
V_ rheo_instance_norm_backward(G_ *g, V_ dy, V_ x, V_ statistics, V_ row, rheo_norm_attr attr);
V_ rheo_mean_pool2(G_ *g, V_ x);                        /* means of 2x2, stride 2; even sizes (pool.c) */
V_ rheo_mean_pool2_transpose(G_ *g, V_ dy);
V_ rheo_avg_pool5(G_ *g, V_ x);                         /* sums of 5x5, padding 2 of zeros, over 25; stride 1 */
V_ rheo_max_pool5(G_ *g, V_ x);                         /* same windows, no padding seen; output 1: place in the window, u32 (max_pool.c) */
V_ rheo_resize(G_ *g, V_ x, int64_t h, int64_t w);      /* bilinear, corners aligned (resize.c) */
V_ rheo_select(G_ *g, V_ mask, V_ a, V_ b);             /* mask != 0 ? a : b bit for bit; mask [1 or N,H,W,C] (select.c) */

/* ---- random numbers (score 9): functions of (key, purpose, id, sample, element), no gradient ------------------ */
/* key: u32 [1,1,1,4] = seed low, seed high, step t, first sample n0. Sample of element [n,h,w,c] is n0 + n, its
 * element index (h W + w) C + c; s = purpose << 24 | id (random.c) */
V_ rheo_uniform(G_ *g, V_ key, rheo_shape shape, uint32_t purpose, uint32_t id);     /* [0,1), 24 bits */
V_ rheo_uniform16(G_ *g, V_ key, rheo_shape shape, uint32_t purpose, uint32_t id);   /* (word >> 16) 2^-16: v + u exact for bytes v */
V_ rheo_normal(G_ *g, V_ key, rheo_shape shape, uint32_t purpose, uint32_t id);
V_ rheo_rademacher(G_ *g, V_ key, rheo_shape shape, uint32_t purpose, uint32_t id);  /* 1 where bit 31 is set, else -1 */
V_ rheo_random_index(G_ *g, V_ key, rheo_shape shape, uint32_t below, uint32_t purpose, uint32_t id);    /* u32 in [0, below) */
/* x + eta s + noise z, z the rheo_normal of the address; eta and noise scalars. With a mask [1 or N,H,W,C] (else RHEO_NONE) known
 * where it is not 0, bit for bit (langevin.c) */
V_ rheo_langevin(G_ *g, V_ x, V_ s, V_ eta, V_ noise, V_ mask, V_ known, V_ key, uint32_t purpose, uint32_t id);

/* ---- optimizers: flat arrays, one launch (optimizer.c), no gradient --------------------------------------------- */
/* Inputs flat [1,1,1,P]: theta, m, v, grad; scalars lr, scale (from clipping), gate (0: outputs = inputs), t (float, 1, 2, ..).
 * Outputs: theta', m', v'. Formulas: score 8; Glow's Adamax flows 0.9 (u without epsilon, step with sqrt(1 - beta2^t)). */
enum { RHEO_ADAM, RHEO_ADAMAX, RHEO_ADAMW, RHEO_ADAMAX_GLOW };
typedef struct rheo_adam_attr { int32_t kind; double beta1, beta2, epsilon, weight_decay; } rheo_adam_attr;
V_ rheo_adam(G_ *g, V_ theta, V_ m, V_ v, V_ grad, V_ lr, V_ scale, V_ gate, V_ t, const rheo_adam_attr *attr);
/* ema' = gate ? decay ema + (1 - decay) theta : ema; decay scalar */
V_ rheo_ema(G_ *g, V_ ema, V_ theta, V_ decay, V_ gate);
/* [1,1,1,2]: sum of squares (compensated), and count of non-finite elements; scalars are cut from it by slice (norm.c) */
V_ rheo_norm2(G_ *g, V_ x);

#endif
