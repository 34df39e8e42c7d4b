/* The network is written down once and walked twice: with `params` it adds its parameters, values being RHEO_NONE; with `build` it
 * takes them in the same order and computes. */
#include "net/refinenet.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct walk {
    const rheo_refinenet *net;
    rheo_params *params;
    rheo_build *build;
    rheo_value labels;
    int next;           /* parameter to be taken */
    int deep, parts[8]; /* names entered, and of how many parts */
} walk;

static const float gain_deviation = 0.02f;

/* ---- names ------------------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void enter(walk *k, const char *format, ...)
{
    char name[64];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (!k->params) return;
    k->parts[k->deep] = 0;
    for (char *part = strtok(name, "."); part; part = strtok(NULL, ".")) {
        rheo_params_enter(k->params, "%s", part);
        k->parts[k->deep]++;
    }
    k->deep++;
}

static void leave(walk *k)
{
    if (!k->params) return;
    k->deep--;
    while (k->parts[k->deep]-- > 0) rheo_params_leave(k->params);
}

/* ---- layers ----------------------------------------------------------------------------------------- */

/* Layers are named for errors and profiles as their parameters are. */
static rheo_value take(walk *k)
{
    const char *name = rheo_params_at(k->build->params, k->next)->name, *end = strrchr(name, '.');
    char scope[96];
    snprintf(scope, sizeof scope, "%.*s", end ? (int)(end - name) : 0, name);
    rheo_name_scope(k->build->g, scope);
    return rheo_param_value(k->build, k->next++);
}

typedef struct conv_spec {
    int64_t in, out;
    int kernel, dilation;
    bool bias;
} conv_spec;

/* Weights and bias start uniform below 1 / sqrt(fan in). */
static rheo_value conv(walk *k, const char *name, conv_spec c, rheo_value x)
{
    const float bound = (float)(1 / sqrt((double)(c.in * c.kernel * c.kernel)));
    if (k->params) {
        enter(k, "%s", name);
        rheo_params_add_convolution(k->params, "weight", RHEO_SHAPE(c.kernel, c.kernel, c.in, c.out), RHEO_INIT_UNIFORM, bound);
        if (c.bias) rheo_params_add(k->params, "bias", rheo_vector(c.out), RHEO_INIT_UNIFORM, bound);
        leave(k);
        return RHEO_NONE;
    }
    const rheo_value y = rheo_conv2d(k->build->g, x, take(k), c.kernel / 2 * c.dilation, c.dilation);
    return c.bias ? rheo_add(k->build->g, y, take(k)) : y;
}

static rheo_value conv3(walk *k, const char *name, int64_t in, int64_t out, bool bias, rheo_value x)
{
    return conv(k, name, (conv_spec){ in, out, 3, 1, bias }, x);
}

/* One row a level and label, or one for all. */
static rheo_value norm(walk *k, const char *name, int64_t channels, bool elu, rheo_value x)
{
    const rheo_refinenet *net = k->net;
    if (k->params) {
        enter(k, "%s%s", name, net->levels ? ".embed" : "");
        rheo_params_add(k->params, "weight", RHEO_SHAPE(net->levels ? net->levels : 1, 1, 1, 3 * channels), RHEO_INIT_GAINS,
                        gain_deviation);
        leave(k);
        return RHEO_NONE;
    }
    const rheo_value table = take(k), row = net->levels ? rheo_gather(k->build->g, table, k->labels, 0) : table;
    return rheo_instance_norm(k->build->g, x, row, (rheo_norm_attr){ net->form, elu });
}

static rheo_value elu(walk *k, rheo_value x)
{
    return k->build ? rheo_elu(k->build->g, x) : x;
}
static rheo_value add(walk *k, rheo_value a, rheo_value b)
{
    return k->build ? rheo_add(k->build->g, a, b) : a;
}
static rheo_value halve(walk *k, rheo_value x)
{
    return k->build ? rheo_mean_pool2(k->build->g, x) : x;
}

static rheo_value pool5(walk *k, rheo_value x)
{
    if (!k->build) return x;
    return k->net->second ? rheo_max_pool5(k->build->g, x) : rheo_avg_pool5(k->build->g, x);
}

/* ---- blocks (score 3.3) ---------------------------------------------------------------------------------- */

enum { SAME, DOWN, DILATED_DOWN };

/* conv2(a(N(conv1(a(N(x)))))) + shortcut. DOWN halves the image after conv2 and in the shortcut; DILATED_DOWN has a convolution as its
 * shortcut. */
static rheo_value residual(walk *k, int number, int64_t in, int64_t out, int dilation, int kind, rheo_value x)
{
    const conv_spec first = { in, kind == SAME ? out : in, 3, dilation, true }, second = { first.out, out, 3, dilation, true };
    enter(k, "%d", number);
    rheo_value y = conv(k, "conv1", first, norm(k, "normalize1", in, true, x));
    y = conv(k, kind == DOWN ? "conv2.conv" : "conv2", second, norm(k, "normalize2", first.out, true, y));
    if (kind == DOWN) {
        y = halve(k, y);
        x = halve(k, conv(k, "shortcut.conv", (conv_spec){ in, out, 1, 1, true }, x));
    } else if (kind == DILATED_DOWN)
        x = conv(k, "shortcut", (conv_spec){ in, out, 3, dilation, true }, x);
    leave(k);
    return add(k, y, x);
}

static rheo_value stage(walk *k, int number, int64_t in, int64_t out, int dilation, int kind, rheo_value x)
{
    enter(k, "res%d", number);
    x = residual(k, 0, in, out, dilation, kind, x);
    x = residual(k, 1, out, out, dilation, SAME, x);
    leave(k);
    return x;
}

/* `blocks` times x + conv(a(N(conv(a(N(x)))))) */
static rheo_value rcu(walk *k, int64_t f, int blocks, rheo_value x)
{
    for (int i = 1; i <= blocks; i++) {
        rheo_value y = x;
        for (int j = 1; j <= 2; j++) {
            char name[32];
            snprintf(name, sizeof name, "%d_%d_norm", i, j);
            y = k->net->second ? elu(k, y) : norm(k, name, f, true, y);
            snprintf(name, sizeof name, "%d_%d_conv", i, j);
            y = conv3(k, name, f, f, false, y);
        }
        x = add(k, y, x);
    }
    return x;
}

/* The sum of both, at the size of the first. */
static rheo_value msf(walk *k, const int64_t *in, int64_t f, const rheo_value *x)
{
    rheo_value sum = RHEO_NONE;
    enter(k, "msf");
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "norms.%d", i);
        rheo_value y = k->net->second ? x[i] : norm(k, name, in[i], false, x[i]);
        snprintf(name, sizeof name, "convs.%d", i);
        y = conv3(k, name, in[i], f, true, y);
        if (k->build) {
            const rheo_shape to = rheo_shape_of(k->build->g, x[0]);
            y = rheo_resize(k->build->g, y, to.h, to.w);
        }
        sum = i == 0 ? y : add(k, sum, y);
    }
    leave(k);
    return sum;
}

/* a(x), plus what comes of it by normalising, pooling and convolving, once and twice. */
static rheo_value crp(walk *k, int64_t f, rheo_value x)
{
    enter(k, "crp");
    x = elu(k, x);
    rheo_value path = x;
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "norms.%d", i);
        path = pool5(k, k->net->second ? path : norm(k, name, f, false, path));
        snprintf(name, sizeof name, "convs.%d", i);
        path = conv3(k, name, f, f, false, path);
        x = add(k, x, path);
    }
    leave(k);
    return x;
}

/* Of one or two inputs (x[1] comes from the refine block before). */
static rheo_value refine(walk *k, int number, int inputs, const int64_t *in, int64_t f, const rheo_value *x)
{
    rheo_value h[2] = { RHEO_NONE, RHEO_NONE };
    enter(k, "refine%d", number);
    for (int i = 0; i < inputs; i++) {
        enter(k, "adapt_convs.%d", i);
        h[i] = rcu(k, in[i], 2, x[i]);
        leave(k);
    }
    rheo_value y = crp(k, f, inputs > 1 ? msf(k, in, f, h) : h[0]);
    enter(k, "output_convs");
    y = rcu(k, f, number == 4 ? 3 : 1, y);
    leave(k);
    leave(k);
    return y;
}

/* ---- the network (score 3.4) ---------------------------------------------------------------------------------- */

static rheo_value walk_through(walk *k, rheo_value x)
{
    const int64_t f = k->net->width, c = k->net->channels;
    if (k->build && k->net->centre) x = rheo_affine(k->build->g, x, 2, -1);
    x = conv3(k, "begin_conv", c, f, true, x);
    const rheo_value s1 = stage(k, 1, f, f, 1, SAME, x);
    const rheo_value s2 = stage(k, 2, f, 2 * f, 1, DOWN, s1);
    const rheo_value s3 = stage(k, 3, 2 * f, 2 * f, 2, DILATED_DOWN, s2);
    const rheo_value s4 = stage(k, 4, 2 * f, 2 * f, 4, DILATED_DOWN, s3);
    const rheo_value r1 = refine(k, 1, 1, (const int64_t[]){ 2 * f }, 2 * f, &s4);
    const rheo_value r2 = refine(k, 2, 2, (const int64_t[]){ 2 * f, 2 * f }, 2 * f, (const rheo_value[]){ s3, r1 });
    const rheo_value r3 = refine(k, 3, 2, (const int64_t[]){ 2 * f, 2 * f }, f, (const rheo_value[]){ s2, r2 });
    const rheo_value r4 = refine(k, 4, 2, (const int64_t[]){ f, f }, f, (const rheo_value[]){ s1, r3 });
    return conv3(k, "end_conv", f, c, true, norm(k, "normalizer", f, true, r4));
}

void rheo_refinenet_create(rheo_params *p, rheo_refinenet *net)
{
    walk k = { .net = net, .params = p, .labels = RHEO_NONE };
    net->first = rheo_params_count(p);
    walk_through(&k, RHEO_NONE);
}

rheo_value rheo_refinenet_apply(rheo_build *b, const rheo_refinenet *net, rheo_value x, rheo_value labels)
{
    walk k = { .net = net, .build = b, .labels = labels, .next = net->first };
    return walk_through(&k, x);
}
