/* CIFAR-10's binary files: the input is test_batch.bin. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/format.h"
#include "fuzz.h"

enum { RECORD = 3073 };

void fuzz_seeds(void)
{
    static unsigned char file[2 * RECORD];
    for (int k = 0; k < 2 * RECORD; k++) file[k] = (unsigned char)(k % RECORD ? k : k / RECORD + 3);
    fuzz_seed(file, sizeof file);
    fuzz_seed(file, RECORD);
}

void fuzz_parse(const char *path)
{
    static int linked;
    char link[100];
    rheo_rows rows = { .count = 0 };
    rheo_image_shape shape;
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_source from = { fuzz_folder(), 0 };
    snprintf(link, sizeof link, "%s/test_batch.bin", from.folder);
    if (!linked && symlink(path, link)) abort();
    linked = 1;
    const rheo_status st = rheo_format_cifar.read(&from, true, &rows, &shape, &err);
    fuzz_check(st, &err);
    for (uint32_t k = 0; !st && k < rows.count; k++)
        if (rows.labels[k] > 9) abort();
    free(rows.images);
    free(rows.labels);
}
