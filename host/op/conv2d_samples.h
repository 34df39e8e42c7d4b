/* What conv2d and its gradients are tested at; their three files only. */
#ifndef RHEO_OP_CONV2D_SAMPLES_H
#define RHEO_OP_CONV2D_SAMPLES_H

#include "op/common.h"

/* Channels, positions and windows on both sides of the kernels' tiles. */
/*    N  H   W  C of which I   O   kh kw pad dilation */
#define CONV2D_SHAPES(X)                                                                                                                   \
    X(1, 1, 1, 1, 1, 1, 1, 1, 0, 1)                                                                                                        \
    X(3, 5, 7, 2, 2, 33, 3, 3, 1, 1)                                                                                                       \
    X(2, 7, 5, 7, 7, 5, 3, 3, 1, 1)                                                                                                        \
    X(1, 13, 11, 12, 12, 12, 1, 1, 0, 1)                                                                                                   \
    X(2, 6, 9, 33, 33, 65, 1, 1, 0, 1)                                                                                                     \
    X(1, 5, 6, 65, 65, 31, 3, 3, 1, 1)                                                                                                     \
    X(3, 3, 4, 64, 64, 4, 3, 3, 1, 1)                                                                                                      \
    X(1, 4, 4, 64, 64, 7, 3, 3, 1, 1)                                                                                                      \
    X(2, 4, 3, 5, 5, 64, 3, 3, 1, 1)                                                                                                       \
    X(1, 9, 8, 3, 3, 12, 3, 3, 2, 2)                                                                                                       \
    X(2, 6, 7, 12, 12, 3, 3, 3, 0, 1)                                                                                                      \
    X(1, 8, 7, 32, 32, 2, 5, 5, 2, 1)                                                                                                      \
    X(1, 7, 8, 3, 3, 6, 3, 2, 2, 1)                                                                                                        \
    X(1, 3, 3, 2, 2, 3, 1, 1, 1, 1)                                                                                                        \
    X(1, 1, 7, 520, 520, 33, 1, 1, 0, 1)                                                                                                   \
    X(1, 20, 30, 4, 4, 5, 1, 1, 0, 1)                                                                                                      \
    X(2, 5, 7, 12, 6, 33, 3, 3, 1, 1)                                                                                                      \
    X(1, 6, 5, 24, 12, 64, 3, 3, 1, 1)                                                                                                     \
    X(1, 5, 6, 72, 64, 6, 3, 3, 1, 1)                                                                                                      \
    X(2, 4, 4, 9, 4, 65, 1, 1, 0, 1)                                                                                                       \
    X(2, 6, 9, 33, 16, 12, 1, 1, 0, 1)                                                                                                     \
    X(2, 3, 4, 70, 33, 20, 1, 1, 0, 1)                                                                                                     \
    X(1, 4, 5, 150, 65, 7, 1, 1, 0, 1)                                                                                                     \
    X(1, 7, 6, 3, 1, 5, 3, 3, 2, 2)                                                                                                        \
    X(1, 20, 30, 8, 4, 12, 3, 3, 1, 1)                                                                                                     \
    X(4, 9, 14, 32, 32, 49, 3, 3, 1, 1)                                                                                                    \
    X(2, 15, 17, 48, 48, 32, 3, 3, 2, 2)                                                                                                   \
    X(3, 14, 14, 64, 32, 64, 3, 3, 4, 4)                                                                                                   \
    X(5, 12, 13, 32, 32, 32, 3, 3, 0, 1)                                                                                                   \
    X(2, 21, 24, 72, 64, 9, 3, 3, 1, 1)                                                                                                    \
    X(3, 15, 16, 11, 5, 64, 3, 3, 1, 1)                                                                                                    \
    X(1, 32, 31, 80, 80, 13, 3, 3, 2, 2)                                                                                                   \
    X(3, 16, 16, 4, 2, 128, 3, 3, 1, 1)                                                                                                    \
    X(2, 9, 8, 6, 3, 70, 5, 5, 4, 2)

/* The attribute where I channels of C take part. */
#define CONV2D_PREFIX(c, i) ((c) == (i) ? 0 : (i))
#define CONV2D_OUT(size, k, pad, dilation) ((size) + 2 * (pad) - (dilation) * ((k)-1))
#define CONV2D_X(n, h, w, i) RHEO_SPEC_F32(n, h, w, i)
#define CONV2D_Y(n, h, w, o, kh, kw, pad, dilation) RHEO_SPEC_F32(n, CONV2D_OUT(h, kh, pad, dilation), CONV2D_OUT(w, kw, pad, dilation), o)

/* 16: each of K additions rounds a partial sum of size about sqrt(k) by half an ulp at most, together 0.2 K eps in the
 * root mean square, five times that in the worst of many; results themselves reach 4 sqrt(K), so K eps is
 * sqrt(K) / 4 eps of them, and K is at most 4096 here. Winograd's form adds I numbers at each of 16 points, products of a transformed
 * x of variance 4 (sums of 2 x 2) and a transformed w of variance a b, (a, b) from (1, 3/4, 3/4, 1); nine points make an output, and
 * the variances of three of those rows are 5/2 together: 0.2 I eps sqrt(4 (5/2)^2) = 0.2 (5 I) eps, where K = 9 I. dw's comes to
 * K eps by the same count. */
enum { CONV2D_TOLERANCE = 16 };

#endif
