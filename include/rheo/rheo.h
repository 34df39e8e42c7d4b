/* rheo: normalizing flows and score models on any OpenCL device. */
#ifndef RHEO_RHEO_H
#define RHEO_RHEO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)     /* what is declared here is all that a shared library shows */
#endif

/* One table makes the enum and rheo_status_text(). */
#define RHEO_STATUSES(X)                                                     \
    X(OK, "ok")                                                              \
    X(EINVAL, "invalid argument")                                            \
    X(ENOMEM, "out of memory")                                               \
    X(EFILE, "file cannot be read or written")                               \
    X(EFORMAT, "file is not what it should be")                              \
    X(EDEVICE, "device refused")                                             \
    X(ENONFINITE, "non-finite numbers")                                      \
    X(ESTOPPED, "stopped on request")

typedef enum rheo_status {
#define RHEO_STATUS_ENUM(name, text) RHEO_##name,
    RHEO_STATUSES(RHEO_STATUS_ENUM)
#undef RHEO_STATUS_ENUM
} rheo_status;

const char *rheo_status_text(rheo_status status);

/* What a failing call leaves for the user: one line, with place, found and expected.
 * Start it with RHEO_ERROR_INIT; every call that takes one accepts NULL. */
typedef struct rheo_error {
    rheo_status status;
    char text[480];
} rheo_error;
#define RHEO_ERROR_INIT { RHEO_OK, "" }

/* ---- devices ------------------------------------------------------------------------------------ */

typedef struct rheo_device_info {
    char name[128], vendor[64], platform[64], driver[64], version[64];
    const char *kind;        /* "cpu", "gpu" or "accelerator" */
    int software;            /* a rasteriser posing as a GPU: chosen last */
    int chosen;              /* the one that is used when none is named */
    unsigned compute_units, clock_mhz, vector_width;
    uint64_t global_bytes, local_bytes, largest_buffer_bytes;
} rheo_device_info;

/* All OpenCL devices that rheo can use, none of them being no error; the caller frees *out. Which is chosen is
 * measured where there are several, and remembered. Devices are named elsewhere by their index in this list, by
 * part of their name or platform, or by kind. */
rheo_status rheo_devices(rheo_device_info **out, size_t *count, rheo_error *err);

/* What rheo_doctor switched off on a device, a line each, to be said before it is used; "" where nothing is. The caller frees *out.
 * Errors: RHEO_EINVAL for an unknown device; RHEO_EDEVICE, RHEO_ENOMEM. */
rheo_status rheo_device_remarks(const char *device, char **out, rheo_error *err);

const char *rheo_version(void);                 /* "0.1.0" */
void rheo_free(void *memory);                   /* what a call said the caller frees; accepts NULL */
/* For messages: the one of NULL-terminated words nearest to what was found, by edits of characters; NULL where none is near. */
const char *rheo_nearest_word(const char *found, const char *const *words);

/* ---- whole jobs: training ------------------------------------------------------------------------
 *
 * A run lives in a folder: config.json, last.safetensors (everything needed to go on), best.safetensors (by the
 * validation split), log.jsonl and, for images, samples/. Files are replaced whole; a kill at any moment loses
 * at most the steps since the last save, and resuming repeats them bit for bit. */

/* What training tells while it goes on, about twice a second. */
typedef struct rheo_progress {
    uint64_t step;              /* training steps done */
    uint64_t steps;             /* to be done; 0 where the clock ends the run */
    double seconds;             /* spent training, all sessions of the run together */
    double seconds_left;        /* an estimate */
    double loss;                /* mean over the steps since the last report, in `unit`; NAN: no good step */
    double images_per_second;
    double valid;               /* latest on the validation split with averaged weights, in `unit`; NAN before the first */
    const char *unit;           /* "bits/dim"; "nats" for vectors; "loss" of models without likelihood; "" before there is a model */
    const char *message;        /* a line worth keeping (a return to an earlier state, a save); NULL: only numbers */
} rheo_progress;

typedef struct rheo_train_options {
    const char *model;          /* "glow", "ncsn" */
    const char *data;           /* "fashion-mnist", "toy:moons", a folder of PNG and JPEG images, of IDX or CIFAR-10 files; or a table (.csv, .tsv, .npy) */
    const char *columns;        /* of a table: names, or numbers from 1, with commas between; NULL: all */
    uint32_t size;              /* images of a folder: the square in their middle, resized to size x size; 0: all have one size */
    int flip;                   /* not 0: training images are mirrored, left for right, with probability 1/2 */
    uint32_t shift;             /* ... moved by up to so many pixels each way, the border repeated; both drawn anew in each epoch */
    const char *run;            /* folder to be made */
    int force;                  /* a run that is there already is replaced; otherwise it is refused */
    const char *model_config;   /* the model's own options, a JSON object as text: {"levels": 3, "depth": 32}; NULL: its defaults.
                                 * ncsn with "auto": true: noise levels chosen from the data */
    const char *device;         /* as rheo_devices says; NULL: the fastest. "host": double precision without OpenCL, very slow */
    int64_t batch, accumulate;  /* images a step are batch * accumulate; batch 0: the model's own */
    int64_t iterations;         /* ends after so many steps, or */
    double minutes;             /* after so much time, counted from the call */
    double save_seconds;        /* between checkpoints, about; 0: 60 */
    double lr, warmup;          /* the rate, reached linearly over `warmup` steps; this, ema and clip are the model's own where NAN */
    const char *schedule;       /* "constant", or "linear": falling to zero over the last part; NULL: the model's own */
    const char *optimizer;      /* "adam", "adamax", "adamw" */
    double ema;                 /* decay of the averaged weights */
    double clip;                /* global gradient norm (of what is shown); 0: no clipping */
    uint64_t seed;
    const char *memory;         /* "store" or "invert" activations; "auto": invert where storing would take too much */
    const char *winograd;       /* 3x3 convolutions between many channels on CPUs: "f23" (also NULL), or "f43": faster, but rounds
                                 * five times more; a run keeps it */
    void (*progress)(void *user, const rheo_progress *now);     /* NULL: silence */
    void *user;
    const volatile int *stop;   /* not 0: finish the step, save, return RHEO_ESTOPPED; NULL: never */
} rheo_train_options;

/* Good values for everything but data, run and the end (iterations or minutes). */
void rheo_train_defaults(rheo_train_options *options);

/* Trains a new model. Blocks. Errors: RHEO_EINVAL names the option; RHEO_EFILE, RHEO_EFORMAT the file; RHEO_ENONFINITE
 * after five returns to an earlier state in vain; RHEO_ESTOPPED after *stop. The run folder can be resumed after each
 * of them once its first step has been saved. A later save that fails (a full disk) is told to progress, what stood before stands, and
 * training goes on; RHEO_EFILE at the end if the last one fails too. */
rheo_status rheo_train(const rheo_train_options *options, rheo_error *err);

/* Goes on with options->run from its last save. Of the others only device, iterations (in all), minutes (from now), save_seconds,
 * progress, user and stop are used; with neither end given the run's own holds. On the same device the result is that of an
 * uninterrupted run, bit for bit. */
rheo_status rheo_resume(const rheo_train_options *options, rheo_error *err);

/* ---- before training -------------------------------------------------------------------------------------- */

/* One way to keep activations. */
typedef struct rheo_forecast_memory {
    const char *memory;         /* "store" or "invert" */
    int fits;                   /* into the device's memory */
    uint64_t activations, variables, beside;    /* bytes on the device: of a step; parameters, moments, averages, batches; of the
                                                 * initialisation, later of validation and pictures. All 0: a tensor exceeds the largest buffer */
    double seconds;             /* a training step of batch * accumulate images: the mean of measured rounds; NAN: not measured */
    double low, high;           /* between which nine tenths of them lie */
    uint32_t steps;             /* that were measured */
} rheo_forecast_memory;

typedef struct rheo_forecast {
    char device[128];
    uint64_t device_bytes;
    uint64_t parameters;
    uint64_t images;            /* of the training split: an epoch */
    uint32_t h, w, c;           /* of an image; vectors: h = w = 1 */
    int64_t batch, accumulate;
    int modes;                  /* 1 where a model cannot be inverted */
    rheo_forecast_memory mode[2];
    int chosen;                 /* the one that "auto" takes */
} rheo_forecast;

/* What training with these options would take: memory by trial plans; time by steps of it on this device, about `seconds` for each way of
 * keeping activations that fits and that options->memory allows ("auto": both), after a first one that builds kernels. Nothing is kept. Of
 * the options those of rheo_tune are used. A run adds validation and pictures, 7 % at most, and saves. Errors as rheo_train's, but that
 * nothing fits is none. */
rheo_status rheo_train_forecast(const rheo_train_options *options, double seconds, rheo_forecast *out, rheo_error *err);

/* ---- tuning --------------------------------------------------------------------------------------------
 *
 * Some operations can be computed in several ways (variants): matrix products by rheo's own kernels or by CLBlast. Which is
 * faster depends on device, driver and shapes, so it is measured on request, never implicitly. Winners are kept in the cache folder and
 * used by new runs and by evaluation on that device; a run records what it used and goes on with that. */

/* One measured operation. Lent during the call that is given it. */
typedef struct rheo_tuned {
    const char *key;            /* "conv2d_dw 32x7x7x128 32x7x7x128 0,1,1,1": its name, inputs' shapes, attributes */
    int index, count;           /* this is number index, from 0, of count */
    int variants;
    const char *const *names;   /* [variants], the default first */
    const double *seconds;      /* [variants], one evaluation; NAN: failed, or gave another result than the default */
    int winner;                 /* fastest, if by 5 % or more, else the default */
    const char *trouble;        /* what was wrong with the last that is NAN; "" where none is */
} rheo_tuned;

/* Measures the operations of a training step, of evaluation and of sampling. Of the options model, data, model_config, device,
 * batch, accumulate, memory, user and stop are used. Blocks for seconds to minutes: a variant's first use compiles its kernels.
 *   before   called before a variant is tried; NULL: all are. so_far->names[so_far->variants] is the one, the default where
 *            so_far->variants is 0. Returns NULL: try it; or why not, kept by the caller until the report, which has it as `trouble`. An
 *            operation whose default is refused is left out: not measured, not reported, its winner stays as it was
 *   report   called after each operation, when its winner is kept already; NULL: silence
 * A driver that crashes in a variant takes the process along. Who cannot afford that calls this in a process of its own, in which
 * `before` notes what is tried, and in the next one refuses what crashed and leaves out what was measured (tools/tune_parent.c).
 * Errors as rheo_train's; RHEO_ESTOPPED after *stop, with what was measured until then kept; RHEO_EFILE where the cache folder
 * cannot be written. */
rheo_status rheo_tune(const rheo_train_options *options, const char *(*before)(void *user, const rheo_tuned *so_far),
                      void (*report)(void *user, const rheo_tuned *tuned), rheo_error *err);

/* ---- is rheo right on a device? ------------------------------------------------------------------------
 *
 * Drivers have errors, in their compilers above all. The doctor compares what a device computes with references in double: each program is
 * built, each operation run over its samples in each of its variants (twice and more often: the bits must be the same), gradients, random
 * numbers, buffers and the training of two tiny models. */

#define RHEO_VERDICTS(X)                                                                                                     \
    X(FINE, "ok")                                                                                                            \
    X(SLOW, "slow")             /* right, but far behind what the device does elsewhere: rheo_findings_compare */            \
    X(WRONG, "wrong")           /* outside its bound, or not the same bits each time */                                      \
    X(CRASHED, "crashed")       /* took the process along */                                                                 \
    X(HUNG, "hung")             /* did not end in time */                                                                    \
    X(UNSUPPORTED, "unsupported")       /* refused by the device: rheo_finding.text says why */
typedef enum rheo_verdict {
#define RHEO_VERDICT_ENUM(name, text) RHEO_VERDICT_##name,
    RHEO_VERDICTS(RHEO_VERDICT_ENUM)
#undef RHEO_VERDICT_ENUM
} rheo_verdict;
const char *rheo_verdict_text(rheo_verdict v);

/* One check, and what came of it. */
typedef struct rheo_finding {
    char check[96];             /* "program flow", "op conv2d (own or direct)", "gradient conv2d", "training glow", ... */
    char variant[32];           /* of an operation; "" where there is only one way */
    int index, count;           /* this is number index, from 0, of count */
    rheo_verdict verdict;
    double error;               /* the largest, as a part of its bound; NAN: nothing was compared */
    double seconds;             /* one evaluation of the operation's largest sample; NAN: not measured */
    double flops, bytes;        /* of that: operations, and bytes moved at least */
    int launches;
    char text[320];             /* what was found, one line; "" where there is nothing to say */
} rheo_finding;

typedef struct rheo_doctor_options {
    const char *device;         /* as rheo_devices says; NULL: the fastest */
    const char *op;             /* only the checks of this operation; NULL: all */
    int quick;                  /* small samples only: finds faults, but acquits nothing of known ones */
    /* Before the first check. Lent. */
    void (*start)(void *user, const rheo_device_info *device);
    /* Before each, `next` being its name and number. NULL (or returning NULL): it is made. What is returned instead is taken as its finding,
     * and is not reported: how a process goes on where one before it crashed. */
    const rheo_finding *(*before)(void *user, const rheo_finding *next);
    void (*report)(void *user, const rheo_finding *found);      /* NULL: silence */
    void *user;
    const volatile int *stop;   /* not 0: RHEO_ESTOPPED after the present check; NULL: never */
} rheo_doctor_options;

/* Makes the checks; what they find is no error. A variant that is neither right nor supported is switched off on this device and driver:
 * kept in the cache folder, from then on plans take another variant, or of a fused operation the plain ones that it consists of, and where
 * nothing is left fail with RHEO_EDEVICE. One that is found right again is switched on again. Drivers may crash or hang in a check, see
 * rheo_tune. Blocks for seconds to minutes. Errors: RHEO_EINVAL for an unknown device or operation; RHEO_EDEVICE; RHEO_ENOMEM;
 * RHEO_ESTOPPED; RHEO_EFILE where the cache folder cannot be written and something was to be switched off. */
rheo_status rheo_doctor(const rheo_doctor_options *options, rheo_error *err);

/* Marks as slow, among all findings of one device, what is fine but takes 30 times as long as the rest would suggest: the time of its
 * launches, bytes or operations (the longest of the three) at the best rates seen among them, divided by its time, is below a thirtieth
 * of the median. And a default variant where another of the same check takes less than half of its time. */
void rheo_findings_compare(rheo_finding *list, int count);

/* ---- a trained model ------------------------------------------------------------------------------- */

typedef struct rheo_checkpoint rheo_checkpoint;

/* Opens a checkpoint file, or a run folder's best one (its last where no best is there yet), on a device.
 *   weights  "ema" (averaged; NULL too) or "raw"
 * The caller closes *out. Every call on it comes from one thread at a time and blocks until done. */
rheo_status rheo_checkpoint_open(const char *path, const char *device, const char *weights, rheo_checkpoint **out, rheo_error *err);
void rheo_checkpoint_close(rheo_checkpoint *c);         /* accepts NULL */
/* Lines about operations that are switched off on its device (rheo_doctor); "" where there are none. Lent until it is closed. */
const char *rheo_checkpoint_remarks(const rheo_checkpoint *c);

/* Sizes of what it models: images [h, w, c] of bytes; or vectors of c floats (h = w = 1), arrays [h, w, c] of floats where these are larger. Where
 * the data were a table its columns are standardised inside, and all that goes in or comes out is in the data's units. Lent until it is
 * closed. */
typedef struct rheo_checkpoint_facts {
    const char *model, *data;
    uint32_t h, w, c;
    int vectors;
    const char *const *columns; /* [c] names of a table's columns, or of an array's channels; NULL: the data had no columns */
    int score;                  /* a score model: sampled by Langevin chains, without a density or a temperature */
    uint32_t classes;           /* that the model is conditional on; 0: none */
    uint64_t parameters, step;
} rheo_checkpoint_facts;
void rheo_checkpoint_facts_of(const rheo_checkpoint *c, rheo_checkpoint_facts *out);

/* What rheo_log_prob, rheo_encode and rheo_decode tell after each batch: images done, of how many, seconds since the call. NULL: silence. */
typedef void rheo_batch_progress(void *user, uint32_t done, uint32_t of, double seconds);
void rheo_checkpoint_watch(rheo_checkpoint *c, rheo_batch_progress *progress, void *user);

/* Log-density of images under a flow: out[i] = log p(x[i]) in nats, dequantisation constant included (bits/dim = -out / (D ln 2)).
 * Dinh et al. 2017, equation 3; Theis et al. 2016 for the dequantisation.
 *   x        in   [n, h, w, c] bytes in the model's shape; [n, c] floats for vectors, [n, h, w, c] for arrays of them, here and below
 *   out      out  [n], nats, of a density in the data's units: log p(x) = log p(standardised x) - sum log deviation
 * One dequantisation an image, drawn from (seed, i). Of a model conditional on K classes p(x) = 1/K sum_y p(x|y), for which no labels are
 * needed. RHEO_EINVAL where the model has no likelihood. */
rheo_status rheo_log_prob(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, double *out, rheo_error *err);

/* Samples: the inverse of the flow at `temperature` times normals; of a score model, its own annealed Langevin chains (rheo_sample_langevin
 * tells more), with temperature 1.
 *   out      out  [n, h, w, c] bytes; [n, c] floats for vectors
 * Sample i is a function of (seed, i), whatever n is; of a score model up to the rounding of float32. Of a model conditional on K classes
 * sample i is of class i mod K. */
rheo_status rheo_sample(rheo_checkpoint *c, uint32_t n, double temperature, uint64_t seed, void *out, rheo_error *err);

/* ---- classes ------------------------------------------------------------------------------------------------
 *
 * A Glow trained with the option "classes" is p(x|y): the class y adds to mean and log deviation of the prior of its last latents
 * (Kingma and Dhariwal 2018, their published code). Nothing else depends on y, so p(x|y) of all classes costs one pass. */

/* NULL where class k has no name; lent until it is closed. And the class of a number or name given as text. Errors: RHEO_EINVAL says which
 * there are. */
const char *rheo_checkpoint_class_name(const rheo_checkpoint *c, uint32_t k);
rheo_status rheo_checkpoint_class_number(const rheo_checkpoint *c, const char *text, uint32_t *out, rheo_error *err);

/* As rheo_log_prob, given each class: out[i, k] = log p(x[i] | k) in nats.
 *   out      out  [n, classes]
 * Errors: RHEO_EINVAL for models without classes and n = 0. */
rheo_status rheo_log_prob_classes(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, double *out, rheo_error *err);

/* As rheo_sample, with the class of each sample.
 *   labels   in   [n]
 * Errors: RHEO_EINVAL for models without classes and labels out of range. */
rheo_status rheo_sample_classes(rheo_checkpoint *c, const unsigned char *labels, uint32_t n, double temperature, uint64_t seed, void *out,
                                rheo_error *err);

/* ---- codes of a flow --------------------------------------------------------------------------------------
 *
 * A flow's whitened latents, D numbers an image, N(0, I) under the model: z of each level's split and then of the top, each less
 * its prior's mean and divided by its deviation (Kingma and Dhariwal 2018; their interpolations and attributes work on these).
 *
 * Of a model conditional on classes the prior is here one for all: that of the classes' mean in mean and log deviation. So codes of
 * different classes can be mixed and compared, are decoded without labels, and keep what tells the classes apart. */

/* Codes of images.
 *   x        in   as rheo_log_prob's
 *   codes    out  [n, D]
 * One dequantisation an image, drawn from (seed, i), as for its likelihood. Errors: RHEO_EINVAL for n = 0 and models without latents. */
rheo_status rheo_encode(rheo_checkpoint *c, const void *x, uint32_t n, uint64_t seed, float *codes, rheo_error *err);

/* The images of codes; from rheo_encode's they are those that went in, within one grey level (of the bits that the model keeps).
 *   codes    in   [n, D]
 *   out      out  [n, h, w, c] bytes; [n, c] floats for vectors
 * Zeros give what rheo_sample does at temperature 0 (without classes). Errors as rheo_encode's. */
rheo_status rheo_decode(rheo_checkpoint *c, const float *codes, uint32_t n, void *out, rheo_error *err);

/* Codes between two: out[k] = (1 - a) from + a to, a = k / (count - 1). Decoded, the way from one image to another.
 *   from, to in   [dims]
 *   out      out  [count, dims], count 2 at least; its first and last row are `from` and `to` */
void rheo_codes_between(const float *from, const float *to, uint32_t dims, uint32_t count, float *out);

/* The direction of an attribute: 1.6 (mean code of those that have it - mean code of those that have not). Kingma and Dhariwal 2018,
 * whose published demonstration has the factor. The more codes the better, thousands of each.
 *   codes    in   [n, dims]
 *   has      in   [n], not 0: has it
 *   out      out  [dims]
 * Errors: RHEO_EINVAL where all have it or none. */
rheo_status rheo_codes_direction(const float *codes, uint32_t n, uint32_t dims, const unsigned char *has, float *out, rheo_error *err);

/* A code moved along a direction: out[k] = code + strength[k] direction, with strengths from -1 to 1 usually.
 *   out      out  [count, dims] */
void rheo_codes_edit(const float *code, const float *direction, uint32_t dims, uint32_t count, const double *strength, float *out);

/* Codes as an .npy file [n, D], written whole or not at all, and read from one; the caller frees *codes with rheo_free. Errors:
 * RHEO_EFILE; RHEO_EFORMAT where rows are not of `dims` finite numbers. */
rheo_status rheo_codes_write(const char *path, const float *codes, uint32_t n, uint32_t dims, rheo_error *err);
rheo_status rheo_codes_read(const char *path, uint32_t dims, float **codes, uint32_t *n, rheo_error *err);

/* Rows of a data set in the model's shape. */
typedef struct rheo_data {
    void *x;                    /* [n, h, w, c] bytes; [n, c] floats for vectors */
    unsigned char *labels;      /* [n] classes, or NULL where the data have none */
    uint32_t n;
} rheo_data;

/* Rows first, first + 1, ... of a split, `limit` at most (0: all).
 *   name     NULL: what the model was trained on; pictures of another folder are cropped and resized to the model's size, where that is
 *            square
 * The caller frees what *out holds with rheo_data_free. Errors: RHEO_EFORMAT where the data's shape is not the model's; RHEO_EINVAL
 * where there is no such split or row. */
rheo_status rheo_checkpoint_data(const rheo_checkpoint *c, const char *name, const char *split, uint32_t first, uint32_t limit, rheo_data *out,
                                 rheo_error *err);
void rheo_data_free(rheo_data *data);           /* accepts a zeroed one */

/* The number of a class of a data set (NULL: what the model was trained on), given by its name, or as a number from 0 to 255. Names are
 * those of the subfolders, or in CIFAR-10's batches.meta.txt. Errors: RHEO_EINVAL says which names there are; RHEO_EFILE, RHEO_EFORMAT. */
rheo_status rheo_checkpoint_class(const rheo_checkpoint *c, const char *data, const char *class_name, uint32_t *number, rheo_error *err);

/* ---- score models ---------------------------------------------------------------------------------------
 *
 * Samples of score models are the ends of annealed Langevin chains (Song and Ermon 2019, algorithm 1): from U[0,1) through the noise
 * levels sigma_1 > ... > sigma_L, at each `steps` times x + eta s(x, sigma_i) + sqrt(2 eta) z with eta = epsilon sigma_i^2 / sigma_L^2;
 * then, with denoise, x + sigma_L^2 s(x, sigma_L). A step is one evaluation of the network: whole draws take minutes. */

typedef struct rheo_langevin_progress {
    uint64_t step, steps;       /* done, and to be done, over all batches */
    int level, levels;          /* of the present batch, from 1 */
    uint32_t samples;           /* finished */
    uint32_t batch;             /* chains that a step moves */
    double seconds;
    double seconds_a_step;      /* mean so far, without the first, for which kernels are built; NAN before there is one */
    uint64_t bytes;             /* on the device */
    double seconds_left;        /* an estimate; NAN before there is one */
} rheo_langevin_progress;

typedef struct rheo_langevin_options {
    uint32_t n;                 /* samples */
    uint64_t seed;
    const char *method;         /* "annealed" (NULL too), or "langevin": the last level only (by default with 1000 steps of eta 2e-5) */
    int64_t steps;              /* a level; 0: the model's own */
    double epsilon;             /* eta of the last level; 0: the model's own */
    const char *step_convention;        /* of epsilon: "eta", or "alpha" (eta is half of it, as papers print it); NULL: the model's own */
    const char *denoise;        /* "on" or "off"; NULL: the model's own */
    int data_init;              /* not 0: chains begin at training data + sigma z, sigma of the first level */
    const char *snapshots;      /* NULL, or a PNG file to write (images only): a row a chain, 10 at most; at most 12 columns: the start, then
                                 * states at even distances, after whole levels where there are several; the last is the sample */
    const char *snapshots_made_by;      /* NULL, or what made_by is in rheo_grid_text */
    void (*progress)(void *user, const rheo_langevin_progress *now);    /* about twice a second; NULL: silence */
    void *user;
    const volatile int *stop;   /* not 0: end soon with RHEO_ESTOPPED; NULL: never */
} rheo_langevin_options;
void rheo_langevin_defaults(rheo_langevin_options *options);    /* 64 samples, seed 0, all else the model's own */

/* Sets method, steps, epsilon, step_convention and denoise, where they are left to the model, to what it would take: to be told or kept.
 * Errors: RHEO_EINVAL for a flow or names the option. */
rheo_status rheo_langevin_complete(const rheo_checkpoint *c, rheo_langevin_options *options, rheo_error *err);

/* Samples of a score model.
 *   out      out  [n, h, w, c] floats, images clamped to 0 .. 1; [n, c] for vectors
 * Sample i is a function of (seed, i) up to rounding. Memory kept until the checkpoint is closed grows with each other batch size.
 * Errors: RHEO_EINVAL for a flow or names the option; RHEO_ENONFINITE where chains diverged; RHEO_ESTOPPED after *stop, out is then
 * unspecified. */
rheo_status rheo_sample_langevin(rheo_checkpoint *c, const rheo_langevin_options *options, float *out, rheo_error *err);

typedef struct rheo_inpaint_options {
    const char *variant;        /* "v1" (NULL too): known pixels get one draw of noise a level, after each step; "v2": one a step, before it */
    const char *finish;         /* "noisy": known pixels keep the last level's noise; "restore" (NULL too): they end as they were given */
} rheo_inpaint_options;

/* Completions of one image (algorithm 2 there): n chains whose known pixels follow the image, blurred by each level's noise.
 *   image    in   [h, w, c] bytes in the model's shape
 *   mask     in   [h, w], not 0: known. All or none known is fine
 *   how      in   NULL: both defaults
 *   out      out  [n, h, w, c] floats from 0 to 1; with "restore" known pixels are image / 255 exactly
 * Errors: as rheo_sample_langevin's; RHEO_EINVAL for models of vectors. */
rheo_status rheo_inpaint(rheo_checkpoint *c, const uint8_t *image, const uint8_t *mask, const rheo_inpaint_options *how,
                         const rheo_langevin_options *options, float *out, rheo_error *err);

/* Interpolation by a score model (of flows: rheo_codes_between): n chains, 2 at least, from one start, each step's noise
 * cos(phi_k) z_p + sin(phi_k) z_q with phi_k = (pi/2) k / (n-1).
 * Arguments and errors are rheo_sample_langevin's; here samples depend on n, and all n run at once. */
rheo_status rheo_interpolate(rheo_checkpoint *c, const rheo_langevin_options *options, float *out, rheo_error *err);

/* ---- evaluation ------------------------------------------------------------------------------------------ */

typedef struct rheo_evaluate_options {
    const char *data;           /* NULL: what it was trained on */
    const char *split;          /* "train", "valid", "test" */
    uint32_t limit;             /* at most so many images; 0: all */
    uint64_t seed;              /* of the dequantisation */
    uint32_t round_trip;        /* images whose round trip is measured */
} rheo_evaluate_options;
void rheo_evaluate_defaults(rheo_evaluate_options *options);        /* test, all, 0, 256 */

/* The loss of some neighbouring noise levels. */
typedef struct rheo_band {
    double first, last;         /* their deviations, first the larger */
    double loss, standard_error;        /* NAN without images */
    uint64_t images;            /* that drew one of these levels */
} rheo_band;
enum { RHEO_BANDS = 10 };

typedef struct rheo_evaluation {
    const char *unit;           /* as in rheo_progress */
    double loss;                /* mean, in that unit */
    double bits_per_dim;        /* NAN for vectors and without likelihood */
    double nats;                /* mean -log p(x); NAN without likelihood */
    double standard_error;      /* over images, in that unit */
    double entropy;             /* of generated data, nats: the least possible; NAN where not known */
    double accuracy;            /* share of images whose class has the largest p(x|y): Bayes' rule, all classes alike beforehand; NAN without
                                 * classes. With them all the above is given each image's class, but */
    double without_labels;      /* the mean loss, in that unit, of p(x) = 1/K sum_y p(x|y) */
    double round_trip_error;    /* max |x - f^{-1}(f(x))|, x from -1/2 to 1/2; vectors as they are, tables standardised; NAN without latents */
    double images_per_second;
    uint64_t images;
    uint32_t dims;              /* D: sub-pixels an image */
    int bands;                  /* 0: the loss has no noise levels */
    rheo_band band[RHEO_BANDS];
} rheo_evaluation;

/* Mean loss of a split. Errors: RHEO_EFORMAT where the data's shape is not the model's, or their labels are no classes of it. */
rheo_status rheo_evaluate(rheo_checkpoint *c, const rheo_evaluate_options *options, rheo_evaluation *out, rheo_error *err);

/* Area under the ROC curve of a score that is to be higher for one set than for another: the chance that it is, of one of each, equal
 * ones counting half. By ranks (Mann and Whitney 1947). With -log p as the score: how well likelihood tells other data apart.
 *   low      in   [n_low]
 *   high     in   [n_high]
 * Errors: RHEO_EINVAL for a set without scores; RHEO_ENONFINITE for NaN. */
rheo_status rheo_auroc(const double *low, uint32_t n_low, const double *high, uint32_t n_high, double *out, rheo_error *err);

/* ---- quality of samples --------------------------------------------------------------------------------
 *
 * Measures that need no downloaded network. Features are the first 64 principal components of the training images. */

typedef struct rheo_quality_values {
    double frechet;             /* Frechet distance to all training images' features (Heusel et al. 2017, on these features) */
    double precision, recall;   /* Kynkaanniemi et al. 2019, fifth neighbours */
    double density, coverage;   /* Naeem et al. 2020 */
    double sliced_wasserstein;  /* of order 2, 512 directions */
    double mmd_polynomial, mmd_polynomial_error;    /* Binkowski et al. 2018, whitened features, and its standard error */
    double mmd_gaussian[3];     /* kernel widths 1/2, 1, 2 median distances */
    double nearest_ratio;       /* median distance to the nearest training image, over that of test images */
    double memorised;           /* share nearer to one than 99 of 100 test images are */
} rheo_quality_values;

typedef struct rheo_quality {
    rheo_quality_values samples;
    rheo_quality_values floor;      /* the same of as many test images: what perfect samples would reach */
    uint64_t images, training_images;
} rheo_quality;

/* Compares images x [n, h, w, c] with pixels from 0 to 1 with a data set (names as for training; folders of images at size h if h = w). n: more than 64, not more than
 * the data have test images. neighbours: NULL, or a PNG file to write: 16 samples, each with its 9 nearest training images. */
rheo_status rheo_quality_measure(const float *x, uint32_t n, uint32_t h, uint32_t w, uint32_t c, const char *data, uint64_t seed,
                                 const char *neighbours, rheo_quality *out, rheo_error *err);

/* Reads an .npy array of images [n, h, w, c] or [n, h, w]: bytes, or floats from 0 to 1. The caller frees *x with rheo_free. */
rheo_status rheo_npy_read(const char *path, float **x, uint32_t *n, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err);

/* Writes floats [n, h, w, c] as such an array, whole or not at all. */
rheo_status rheo_npy_write(const char *path, const float *x, uint32_t n, uint32_t h, uint32_t w, uint32_t c, rheo_error *err);

/* ---- score models in two dimensions ------------------------------------------------------------------------
 *
 * The experiments of Song and Ermon 2019, figures 2 and 3, on the mixture 1/5 N((-5,-5), I) + 4/5 N((5,5), I): a score learned from
 * samples is wrong where there are none, and Langevin dynamics does not find the modes' weights, annealing does. */

/* A measured number beside what it should be. Out of [low, high]: something is wrong; infinite bounds: shown only. */
typedef struct rheo_toy_number {
    const char *key, *text;     /* for JSON and for people */
    double value, expected, low, high;
} rheo_toy_number;

enum {
    RHEO_TOY_MESH = 20,
    RHEO_TOY_FIELD_NUMBERS = 4,
    RHEO_TOY_METHODS = 3,       /* i.i.d., Langevin, annealed Langevin */
    RHEO_TOY_LEVELS = 10,
    RHEO_TOY_MIXING_NUMBERS = 2 * RHEO_TOY_METHODS + RHEO_TOY_LEVELS
};

/* Figure 2: trains a small network by sliced score matching, 10,000 steps of 128 fresh samples, and compares its score with the true
 * one.
 *   field    out  [MESH, MESH, 6] on [-8, 8]^2: place, true score, learned score, two numbers each
 *   numbers  out  [FIELD_NUMBERS]
 * Takes 10 to 30 s on two CPU cores. device as rheo_devices says. Errors: RHEO_EDEVICE, RHEO_ENOMEM, RHEO_ENONFINITE. */
rheo_status rheo_toy_field(const char *device, uint64_t seed, float *field, rheo_toy_number *numbers, rheo_error *err);

/* Figure 3: n chains of each method on the exact score; how many end nearer to the smaller mode, its weight being 1/5.
 *   x        out  [METHODS, n, 2], where they end
 *   numbers  out  [MIXING_NUMBERS]: fractions by method, fractions after each level of annealing, variances inside the modes
 * n: 1,280 as published, or more for narrower bounds. Errors: RHEO_EINVAL for n = 0; as above. */
rheo_status rheo_toy_mixing(const char *device, uint32_t n, uint64_t seed, float *x, rheo_toy_number *numbers, rheo_error *err);

/* ---- files ------------------------------------------------------------------------------------------- */

/* What a checkpoint file (or a run folder's last one) is, as JSON text, without opening a device; the caller frees *json
 * with rheo_free. Keys: file, model, options, data, training, variants, parameters, tensors, progress. Of a PNG file: file, picture
 * {height, width, channels}, text (its text chunks by keyword; what rheo wrote under "rheo" is an object). */
rheo_status rheo_describe(const char *path, char **json, rheo_error *err);

/* What is told of a picture. All may be NULL. */
typedef struct rheo_grid_text {
    const char *about;              /* a sentence, kept in the file as its Description; Software names rheo's version */
    const char *made_by;            /* a JSON object as text, under the keyword rheo: the options it was made with */
    const char *const *labels;      /* [rows], ASCII, 24 characters at most: written at the left of each row */
} rheo_grid_text;

/* Writes images [n, h, w, c], c = 1 or 3, as one PNG: `columns` a row (0: the nearest to a square), 2 black pixels between; rows with
 * labels are 12 high at least. text: NULL, nothing is told. */
rheo_status rheo_grid_write(const char *path, const uint8_t *images, uint32_t n, uint32_t h, uint32_t w, uint32_t c, uint32_t columns,
                            const rheo_grid_text *text, rheo_error *err);

/* floor(255 x + 1/2) clamped to 0 .. 255; not a number becomes 0. */
void rheo_to_bytes(const float *x, size_t count, uint8_t *out);

/* Writes a file whole or not at all: to `<path>.tmp`, synced and renamed. */
rheo_status rheo_file_write(const char *path, const void *data, size_t bytes, rheo_error *err);

/* Reads a PNG of at most 64 Mi pixels: grey or RGB, palettes become RGB, alpha is dropped, 16 bits become 8. *image [h, w, c], c = 1 or 3;
 * the caller frees it with rheo_free. Errors: RHEO_EFILE, RHEO_EFORMAT name the file, what was found and what was expected. */
rheo_status rheo_image_read(const char *path, uint8_t **image, uint32_t *h, uint32_t *w, uint32_t *c, rheo_error *err);

/* What a data set was understood as; columns as for training. Of images, sheet (NULL: none) is a PNG file to write: the first 100 training
 * images. *json, which the caller frees with rheo_free, is an object as text: data, format, kind, shape [h, w, c], splits {train, valid,
 * test}, classes (training and validation images of each, by name, or by number where there are no names; absent without labels), range [least, most] of the training rows; of
 * tables, columns: [{ name, min, max, mean, deviation }] of the training rows; of images, constant: channels, from 0, that have one value in all
 * training images (absent where there are none); of folders of images, broken: a message for each file that cannot be read. With broken
 * files all that needs pixels is absent.
 * Errors: as rheo_train's, but for broken files. */
rheo_status rheo_data_describe(const char *data, uint32_t size, const char *columns, const char *sheet, char **json, rheo_error *err);

/* One image of a data set (name and size as for training), a split and an index in it; *image as above. */
rheo_status rheo_image_of_data(const char *data, uint32_t size, const char *split, uint32_t index, uint8_t **image, uint32_t *h, uint32_t *w,
                               uint32_t *c, rheo_error *err);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
