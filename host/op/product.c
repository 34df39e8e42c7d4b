#include "op/product.h"

#ifdef RHEO_HAVE_CLBLAST
#include <clblast_c.h>
#endif

const char *const rheo_product_variants[] = {
    [RHEO_PRODUCT_OWN] = "own",
    [RHEO_PRODUCT_DIRECT] = "direct",
    [RHEO_PRODUCT_F43] = "f43",
#ifdef RHEO_HAVE_CLBLAST
    [RHEO_PRODUCT_CLBLAST] = "clblast",
#endif
    NULL,
};

/* F(4x4, 3x3) after the count of conv2d_samples.h: at the points 0, +-3/4, +-3/2 and infinity the squares of a row of B add up to b, those of
 * G's to g, b g = 6.6, 4.9, 4.9, 0.62, 0.62 and 10.5, and the squares of a row of A take at most 26.3 of those together (94 at the points 0,
 * +-1, +-2): 0.2 (26.3 I) eps, where the direct form has 0.2 (9 I) eps. Of dw a column of G takes at most 28.7 of what B and A have together,
 * for the 16 positions of a tile: 0.2 (1.8 P) eps of P positions, where the direct form has 0.2 P eps. */
const double rheo_product_looseness[] = {
    [RHEO_PRODUCT_OWN] = 1,
    [RHEO_PRODUCT_DIRECT] = 1,
    [RHEO_PRODUCT_F43] = 3,
    [RHEO_PRODUCT_CLBLAST] = 1,
};

static bool dense(const rheo_conv *c)
{
    return c->s_in == c->o && c->s_out == 1;
}
static bool dense_transposed(const rheo_conv *c)
{
    return c->s_in == 1 && c->s_out == c->i;
}

bool rheo_is_matrix_product(const rheo_conv *c)
{
    return c->kh == 1 && c->kw == 1 && c->pad_h == 0 && c->pad_w == 0 && c->x_c == c->i && c->y_c == c->o && c->base == 0
           && (dense(c) || dense_transposed(c));
}

/* ---- CLBlast ------------------------------------------------------------------------------------------------- */

/* c = op(a) op(b), row by row: op(a) [m,k], op(b) [k,n], c [m,n]; `batch` of each, one after another. */
typedef struct gemm {
    bool transpose_a, transpose_b;
    size_t batch, m, n, k;
    cl_mem a, b, c;
} gemm;

static rheo_status call_gemm(rheo_device *dev, const void *data, rheo_error *err)
{
#ifdef RHEO_HAVE_CLBLAST
    const gemm *g = data;
    cl_command_queue queue = rheo_device_queue(dev);
    const CLBlastTranspose ta = g->transpose_a ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose tb = g->transpose_b ? CLBlastTransposeYes : CLBlastTransposeNo;
    const size_t lda = g->transpose_a ? g->m : g->k, ldb = g->transpose_b ? g->k : g->n, ldc = g->n;
    /* For one product too: the same kernels as CLBlastSgemm's, which would be compiled once more. */
    const CLBlastStatusCode code =
        CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, 1, g->a, 0, lda, g->m * g->k, g->b, 0, ldb, g->k * g->n,
                                   0, g->c, 0, ldc, g->m * g->n, g->batch, &queue, NULL);
    if (code == CLBlastSuccess) return RHEO_OK;
    return rheo_fail(err, RHEO_EDEVICE, "CLBlast: status %d of a product [%zu %zu] [%zu %zu]", (int)code, g->m, g->k, g->k, g->n);
#else
    (void)dev, (void)data;
    return rheo_fail(err, RHEO_EINVAL, "built without CLBlast");
#endif
}

/* ---- launches -------------------------------------------------------------------------------------------------- */

rheo_conv_way rheo_product_way(const rheo_node *n)
{
    return n->variant == RHEO_PRODUCT_DIRECT ? RHEO_CONV_DIRECT : n->variant == RHEO_PRODUCT_F43 ? RHEO_CONV_F43 : RHEO_CONV_F23;
}

bool rheo_product_prefer_f43(rheo_choices *c)
{
    static const char *const ops[] = { "conv2d", "conv2d_act", "conv2d_dx", "conv2d_dx_act", "conv2d_dw" };
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        if (!rheo_choices_set(c, ops[k], rheo_product_variants[RHEO_PRODUCT_F43], true)) return false;
    return true;
}

static rheo_conv own_way(const rheo_node *n, const rheo_conv *c)
{
    rheo_conv own = *c;
    own.way = rheo_product_way(n);
    return own;
}

/* Directly where it goes by F(2x2, 3x3) otherwise; by F(4x4, 3x3) where that suits. */
static rheo_conv_way other_way(int variant) { return variant == RHEO_PRODUCT_F43 ? RHEO_CONV_F43 : RHEO_CONV_F23; }

bool rheo_product_offers(const rheo_conv *c, int variant, const rheo_device_facts *dev)
{
    if (variant == RHEO_PRODUCT_CLBLAST) return rheo_is_matrix_product(c);
    return rheo_conv_by_winograd(c, other_way(variant), dev);
}

bool rheo_product_dw_offers(const rheo_conv *c, int variant, const rheo_device_facts *dev)
{
    if (variant == RHEO_PRODUCT_CLBLAST) return rheo_is_matrix_product(c);
    return rheo_conv_dw_by_winograd(c, other_way(variant), dev);
}

size_t rheo_product_workspace(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev)
{
    const rheo_conv own = own_way(n, c);
    return n->variant == RHEO_PRODUCT_CLBLAST ? 0 : rheo_conv_workspace(&own, dev);
}

rheo_status rheo_product_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem w, cl_mem y, rheo_error *err)
{
    const gemm g = { false, !dense(c), (size_t)c->batch, (size_t)(c->n * c->oh * c->ow), (size_t)c->o, (size_t)c->i, x, w, y };
    const rheo_conv own = own_way(n, c);
    if (n->variant != RHEO_PRODUCT_CLBLAST) return rheo_conv_launch(l, &own, x, w, y, NULL, err);
    return rheo_emit_call(l, call_gemm, &g, sizeof g, err);
}

rheo_status rheo_product_dw_launch(rheo_launcher *l, const rheo_node *n, const rheo_conv *c, cl_mem x, cl_mem dy, cl_mem dw,
                                   rheo_error *err)
{
    const gemm g = { true, false, (size_t)c->batch, (size_t)c->i, (size_t)c->o, (size_t)(c->n * c->oh * c->ow), x, dy, dw };
    const rheo_conv own = own_way(n, c);
    if (n->variant != RHEO_PRODUCT_CLBLAST) return rheo_conv_dw_launch(l, &own, x, dy, dw, err);
    return rheo_emit_call(l, call_gemm, &g, sizeof g, err);
}

size_t rheo_product_dw_workspace(const rheo_node *n, const rheo_conv *c, const rheo_device_facts *dev)
{
    const rheo_conv own = own_way(n, c);
    return n->variant == RHEO_PRODUCT_CLBLAST ? 0 : rheo_conv_dw_workspace(&own, dev);
}
