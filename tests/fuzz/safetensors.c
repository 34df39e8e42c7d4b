/* safetensors files: the header, and every tensor that it lists. */
#include "train/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void seed(const char *header, size_t data)
{
    unsigned char file[1024] = { 0 };
    const size_t n = strlen(header);
    file[0] = (unsigned char)n, file[1] = (unsigned char)(n >> 8);
    memcpy(file + 8, header, n);
    memset(file + 8 + n, 65, data);
    fuzz_seed(file, 8 + n + data);
}

void fuzz_seeds(void)
{
    seed("{}", 0);
    seed("{\"__metadata__\":{\"rheo\":\"checkpoint 1\",\"\\u00e9\":\"{\\\"a\\\": [1]}\"},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[24,25]}}   ", 25);
    seed("{\"ids\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[4,12]},\"n\":{\"dtype\":\"U32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
         "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[12,12]}}", 12);
}

void fuzz_parse(const char *path)
{
    const rheo_tensor *list = NULL;
    const rheo_note *notes = NULL;
    rheo_safetensors *file = NULL;
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_status st = rheo_safetensors_open(path, &file, &err);
    fuzz_check(st, &err);
    if (st) return;
    const size_t n = rheo_safetensors_tensors(file, &list), n_notes = rheo_safetensors_notes(file, &notes);
    for (size_t k = 0; k < n; k++) {
        void *to = malloc((size_t)list[k].bytes + 1);
        if (!to || rheo_safetensors_read(file, list[k].name, list[k].dtype, list[k].rank, list[k].shape, to, &err)) abort();
        free(to);
    }
    for (size_t k = 0; k < n_notes; k++)
        if (rheo_safetensors_note(file, notes[k].key) != notes[k].value) abort();
    rheo_safetensors_close(file);
}
