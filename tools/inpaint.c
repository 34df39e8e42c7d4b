/* rheo inpaint: completions of an image by a score model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct asked {
    const char *image, *data, *split, *mask, *out;
    const char *run;
    long long index, steps;
    rheo_inpaint_options how;
    rheo_langevin_options chain;
} asked;

static rheo_status refuse(rheo_error *err, rheo_status st, const char *what, uint32_t h, uint32_t w, uint32_t c,
                          const rheo_checkpoint_facts *f)
{
    snprintf(err->text, sizeof err->text, "%.300s: found %u x %u pixels in %u channel%s, expected %u x %u in %u, as the model has", what, h,
             w, c, c == 1 ? "" : "s", f->h, f->w, f->c);
    return err->status = st;
}

static rheo_status read_image(const asked *a, const rheo_checkpoint_facts *f, uint8_t **image, rheo_error *err)
{
    uint32_t h = 0, w = 0, c = 0;
    const rheo_status st = a->image ? rheo_image_read(a->image, image, &h, &w, &c, err)
                                    : rheo_image_of_data(a->data ? a->data : f->data, f->h == f->w ? f->h : 0, a->split, (uint32_t)a->index,
                                                         image, &h, &w, &c, err);
    if (st || (h == f->h && w == f->w && c == f->c)) return st;
    return refuse(err, RHEO_EFORMAT, a->image ? a->image : a->data, h, w, c, f);
}

/* The half that is named: hidden, all else known. */
static bool name_mask(const char *name, uint32_t h, uint32_t w, uint8_t *mask)
{
    static const char *const halves[] = { "left", "right", "top", "bottom" };
    int half = 0;
    while (half < 4 && strcmp(name, halves[half])) half++;
    for (uint32_t k = 0; half < 4 && k < h * w; k++) {
        const uint32_t y = k / w, x = k % w;
        const bool hidden[] = { x < w / 2, x >= w / 2, y < h / 2, y >= h / 2 };
        mask[k] = !hidden[half];
    }
    return half < 4;
}

/* White, on the mean over channels, is known. */
static rheo_status read_mask(const char *path, const rheo_checkpoint_facts *f, uint8_t *mask, rheo_error *err)
{
    uint8_t *pixels = NULL;
    uint32_t h = 0, w = 0, c = 0;
    rheo_status st = rheo_image_read(path, &pixels, &h, &w, &c, err);
    if (st) return st;
    if (h != f->h || w != f->w) {
        snprintf(err->text, sizeof err->text, "%.300s: found a mask of %u x %u pixels, expected %u x %u, as the model has", path, h, w,
                 f->h, f->w);
        st = err->status = RHEO_EFORMAT;
    }
    for (uint32_t k = 0; k < h * w && !st; k++) {
        unsigned sum = 0;
        for (uint32_t i = 0; i < c; i++) sum += pixels[k * c + i];
        mask[k] = sum >= 128 * c;
    }
    rheo_free(pixels);
    return st;
}

static void remark(const uint8_t *mask, size_t pixels)
{
    size_t known = 0;
    for (size_t k = 0; k < pixels; k++) known += mask[k] != 0;
    if (known == pixels) fprintf(stderr, "rheo inpaint: the mask hides nothing\n");
    if (known == 0) fprintf(stderr, "rheo inpaint: the mask hides everything: samples follow nothing of the image\n");
}

/* What is known (the rest grey), the completions, the image. */
static rheo_status write_row(const char *path, const uint8_t *image, const uint8_t *mask, const float *x, uint32_t n, tool_origin *origin,
                             rheo_error *err)
{
    const rheo_checkpoint_facts *f = origin->facts;
    const size_t dims = (size_t)f->h * f->w * f->c;
    uint8_t *row = malloc((n + 2) * dims);
    if (!row) return err->status = RHEO_ENOMEM;
    for (size_t k = 0; k < dims; k++) row[k] = mask[k / f->c] ? image[k] : 128;
    rheo_to_bytes(x, n * dims, row + dims);
    memcpy(row + (n + 1) * dims, image, dims);
    tool_origin_tell(origin, ": what was known of an image, completions, the image");
    const rheo_status st = tool_write_grid(path, row, n + 2, n + 2 <= 24 ? n + 2 : 0, origin, err);
    free(row);
    return st;
}

static const char *const of_data[] = { "data", "split", "index", NULL };

static rheo_status inpaint(rheo_checkpoint *c, const tool_usage *usage, const char *from, asked *a, rheo_error *err)
{
    rheo_checkpoint_facts f;
    rheo_checkpoint_facts_of(c, &f);
    tool_origin origin = tool_origin_of(usage, a->image ? of_data : NULL, from, &f);
    uint8_t *image = NULL, *mask = malloc((size_t)f.h * f.w);
    float *x = malloc(a->chain.n * (size_t)f.h * f.w * f.c * sizeof *x);
    rheo_status st = mask && x ? RHEO_OK : (err->status = RHEO_ENOMEM);
    if (!st && (!f.score || f.vectors)) { /* before anything is read; the library says it again */
        snprintf(err->text, sizeof err->text, "%.300s: found a model of kind %s%s, expected a score model (ncsn) of images", a->run,
                 f.model, f.vectors ? " of vectors" : "");
        st = err->status = RHEO_EINVAL;
    }
    if (!st) st = read_image(a, &f, &image, err);
    if (!st && !name_mask(a->mask, f.h, f.w, mask)) st = read_mask(a->mask, &f, mask, err);
    if (!st) remark(mask, (size_t)f.h * f.w);
    if (!st) st = rheo_langevin_complete(c, &a->chain, err);
    a->steps = a->chain.steps;
    tool_langevin_start(&a->chain);
    if (!st) st = rheo_inpaint(c, image, mask, &a->how, &a->chain, x, err);
    tool_langevin_end();
    if (!st)
        st = tool_ends_in(a->out, ".npy") ? rheo_npy_write(a->out, x, a->chain.n, f.h, f.w, f.c, err)
                                          : write_row(a->out, image, mask, x, a->chain.n, &origin, err);
    rheo_free(image);
    free(mask);
    free(x);
    return st;
}

int tool_inpaint(int argc, char **argv)
{
    asked a = { .split = "test", .index = -1 };
    const char *device = NULL, *weights = "ema";
    long long n = 8, seed = 0;
    rheo_langevin_defaults(&a.chain);
    const tool_option options[] = {
        { "image", TOOL_TEXT, &a.image, "FILE", "the image, PNG, of the model's size", 0, 0 },
        { "data", TOOL_TEXT, &a.data, "D", "in place of it one of a data set (the model's own unless given)", 0, 0 },
        { "index", TOOL_INT, &a.index, "I", "which one", 0, 4e9 },
        { "split", TOOL_TEXT, &a.split, "S", "of its train, valid or test; test", 0, 0 },
        { "mask", TOOL_TEXT, &a.mask, "FILE", "PNG, white where pixels are known; or what is hidden: left, right, top, bottom", 0, 0 },
        { "out", TOOL_TEXT, &a.out, "FILE", "the picture, PNG: what was known, completions, image; or completions only, .npy", 0, 0 },
        { "n", TOOL_INT, &n, "N", "so many completions; 8", 1, 1e5 },
        { "variant", TOOL_TEXT, &a.how.variant, "V", "v1 (noise of known pixels once a level), v2 (each step)", 0, 0 },
        { "finish", TOOL_TEXT, &a.how.finish, "F", "of known pixels: restore (the default) or noisy", 0, 0 },
        { "seed", TOOL_INT, &seed, "S", "0", 0, 9e18 },
        TOOL_LANGEVIN_OPTIONS(a.chain, a.steps),
        { "weights", TOOL_TEXT, &weights, "W", "ema (averaged, the default) or raw", 0, 0 },
        { "device", TOOL_TEXT, &device, "DEV", "number, part of a name, or kind: see rheo devices", 0, 0 },
        { 0 },
    };
    const tool_usage usage = {
        .command = "inpaint",
        .operands = "RUN|CHECKPOINT",
        .min_operands = 1,
        .max_operands = 1,
        .options = options,
        .summary = "Completes the hidden pixels of an image by a score model (ncsn).\v"
                   "Example: rheo inpaint runs/score --index 7 --mask right --out completed.png",
    };
    rheo_error err = RHEO_ERROR_INIT;
    rheo_checkpoint *c = NULL;
    int code = TOOL_OK;
    if (!tool_parse(&usage, &argc, argv, &code)) return code;
    if (!tool_can_write("inpaint", a.out, &code)) return code;
    if (!a.mask) return tool_misused("inpaint", "expected --mask FILE, or left, right, top or bottom");
    if (!a.image == (a.index < 0)) return tool_misused("inpaint", "expected either --image FILE or --index I");
    if (a.image && a.data) return tool_misused("inpaint", "--image is a file: no --data");
    if (tool_open_checkpoint(argv[0], device, weights, &c, &err)) return tool_failed("inpaint", &err);
    a.run = argv[0];
    a.chain.n = (uint32_t)n;
    a.chain.seed = (uint64_t)seed;
    a.chain.steps = a.steps;
    if (inpaint(c, &usage, argv[0], &a, &err))
        code = tool_failed("inpaint", &err);
    else
        printf("%s\n", a.out);
    rheo_checkpoint_close(c);
    return code;
}
