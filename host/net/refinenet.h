/* The networks of NCSN: a RefineNet with dilated stages, InstanceNorm++ and ELU (Song and Ermon 2019, 2020; score 3.3 to 3.6).
 * Four stages of two residual blocks, then four refine blocks from the last stage back to the first. Parameters have the names of the
 * published code: "res1.0.conv1.weight", "refine4.output_convs.3_2_norm.embed.weight". */
#ifndef RHEO_NET_REFINENET_H
#define RHEO_NET_REFINENET_H

#include "graph/params.h"
#include "op/ops.h"

typedef struct rheo_refinenet {
    int64_t channels, width; /* of the image; F */
    int64_t levels;          /* rows of each normalisation, one a noise level; 0: unconditional, one row */
    bool second;             /* NCSNv2: no normalisation in refine blocks, maximum pools in place of means */
    bool centre;             /* begins with 2 x - 1 */
    int form;                /* RHEO_NORM_REFERENCE or RHEO_NORM_PAPER */
    int first;               /* its parameters lie side by side from here */
} rheo_refinenet;

/* Adds the parameters of a network whose other members are set. */
void rheo_refinenet_create(rheo_params *p, rheo_refinenet *net);
/* x [N,H,W,channels], H and W even -> the same shape. labels: u32 [1,1,1,N] below `levels`; RHEO_NONE where unconditional. */
rheo_value rheo_refinenet_apply(rheo_build *b, const rheo_refinenet *net, rheo_value x, rheo_value labels);

#endif
