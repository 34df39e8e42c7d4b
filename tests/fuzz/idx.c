/* IDX files: images and labels, raw and gzipped. */
#include <stdlib.h>

#include "data/idx.h"
#include "fuzz.h"

void fuzz_seeds(void)
{
    static const unsigned char images[16 + 2 * 3 * 2] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, 10, 20, 30, 40, 50, 60 };
    static const unsigned char labels[8 + 5] = { 0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 4, 5 };
    fuzz_seed(images, sizeof images);
    fuzz_seed(labels, sizeof labels);
    fuzz_seed_gz(images, sizeof images);
    fuzz_seed_gz(labels, sizeof labels);
}

void fuzz_parse(const char *path)
{
    for (int rank = 1; rank <= 3; rank += 2) {
        rheo_idx idx = { .data = NULL };
        rheo_error err = RHEO_ERROR_INIT;
        const rheo_status st = rheo_idx_read(path, rank, &idx, &err);
        fuzz_check(st, &err);
        if (!st && idx.bytes != (size_t)idx.dim[0] * idx.dim[1] * idx.dim[2]) abort();
        if (!st) free(idx.data);
    }
}
