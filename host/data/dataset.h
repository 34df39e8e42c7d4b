/* Data sets in memory: bytes of images, or vectors (or arrays) of floats, in three splits. */
#ifndef RHEO_DATA_DATASET_H
#define RHEO_DATA_DATASET_H

#include "data/listing.h"
#include "data/standard.h"
#include "runtime/cache.h"

typedef enum rheo_data_kind { RHEO_DATA_IMAGES, RHEO_DATA_VECTORS } rheo_data_kind;
typedef enum rheo_split { RHEO_SPLIT_TRAIN, RHEO_SPLIT_VALID, RHEO_SPLIT_TEST, RHEO_SPLITS } rheo_split;

/* The rows of one split, each contiguous. */
typedef struct rheo_rows {
    uint32_t count;          /* 0 where the split was not asked for */
    uint8_t *images;         /* [count, h, w, c], NULL for vectors */
    float *vectors;          /* [count, h, w, c], NULL for images */
    uint8_t *labels;         /* [count], or NULL where the source has none */
    uint32_t fingerprint;    /* CRC-32 of what the rows hold; of their recipe where they are generated */
    rheo_cache_mapping mapping;        /* what images and labels lie in, where they were kept decoded; then they are read only */
} rheo_rows;

typedef struct rheo_dataset {
    char *name;              /* as asked for */
    rheo_data_kind kind;
    const char *format;      /* "IDX" */
    uint32_t h, w, c;        /* a vector is a 1x1 image of c channels */
    rheo_standard standard;  /* what the vectors' numbers are standardised by; without columns: by nothing */
    double entropy;          /* of generated data, nats; NAN where not known */
    rheo_rows split[RHEO_SPLITS];
    struct rheo_loading *loading;       /* the thread that reads the rows, and then may keep them for the next time */
} rheo_dataset;

/* How a data set is read. */
typedef struct rheo_reading {
    uint32_t size;           /* of folders of images, as below */
    const char *columns;     /* of tables: names, or numbers from 1, with commas between; NULL: all */
    /* NULL: a table by means and deviations of its training rows. Else what a model was trained with: columns by its names, and all vectors,
     * toys too, standardised by it. */
    const rheo_standard *standard;
} rheo_reading;

/* Opens a data set by name ("fashion-mnist", "toy:moons") or as a folder: of IDX files
 * {train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz], of CIFAR-10's data_batch_{1..5}.bin and test_batch.bin, or of PNG and
 * JPEG images; and loads the splits whose bits 1 << RHEO_SPLIT_* are set.
 * The validation split is a tenth of the training images, 5,000 at most, chosen once and for all by a fixed seed;
 * the training split is the rest, in the file's order. The test files are opened for the test split only.
 * Images in files of their own: the folders `train` and `test` in it, else a tenth chosen by a fixed seed are the test images; the first
 * folder below is the class. All grey: 1 channel, else 3. size: the square in their middle is resized to size x size (smaller
 * ones grow); 0: all must have one size. Other formats have their size and ignore it.
 * Or a file: a table of numbers (.csv, .tsv; .npy of floats), or images as bytes (.npy). A tenth of the rows, by a fixed seed, is the test split.
 * The caller frees *out with rheo_dataset_close, which accepts NULL. */
rheo_status rheo_dataset_open(const char *spec, uint32_t size, unsigned splits, rheo_dataset **out, rheo_error *err);

/* The two halves of that, with time between them for other work: after the first all is known but the rows, which a thread
 * reads; the second waits for them and says what became of it. Closing waits too, also until decoded rows are in the cache folder. */
rheo_status rheo_dataset_begin(const char *spec, uint32_t size, unsigned splits, rheo_dataset **out, rheo_error *err);
rheo_status rheo_dataset_wait(rheo_dataset *data, rheo_error *err);
void rheo_dataset_close(rheo_dataset *data);

/* Names of the classes, by number: subfolders, or what CIFAR-10's batches.meta.txt says. The caller frees the list, which is empty where
 * there are no names. */
rheo_status rheo_dataset_classes(const rheo_dataset *data, rheo_listing *names, rheo_error *err);
/* Both with all that can be asked of the reading. */
rheo_status rheo_dataset_read(const char *spec, const rheo_reading *how, unsigned splits, rheo_dataset **out, rheo_error *err);
rheo_status rheo_dataset_begin_read(const char *spec, const rheo_reading *how, unsigned splits, rheo_dataset **out, rheo_error *err);

/* The first channel from `first` on that has one value in all training images, c where there is none, or none are images. Such a channel is
 * no danger to a density: dequantised it is uniform on 1/256, which costs nothing at best, so that bits/dim come out lower. */
uint32_t rheo_constant_channel(const rheo_dataset *data, uint32_t first, uint8_t *value);

const char *rheo_split_name(rheo_split split);      /* "train", "valid", "test" */
rheo_status rheo_split_find(const char *name, rheo_split *out, rheo_error *err);

#endif
