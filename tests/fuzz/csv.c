/* Tables of text, and the splits and columns that become of them. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/table.h"
#include "fuzz.h"

static void seed(const char *text) { fuzz_seed(text, strlen(text)); }

void fuzz_seeds(void)
{
    seed("a,b\n1,2\n3,4.5\n-6e7,8\n9,10\n11,12\n");
    seed("\xef\xbb\xbf\"a \"\"b\"\"\";c\r\n1;2\r\n3;5\r\n4;7\r\n8;9\r\n");
    seed("1\t2\n3\t\n4\tnan\n");
}

void fuzz_parse(const char *path)
{
    void *bytes = NULL;
    size_t n = 0;
    rheo_table t = { .format = NULL };
    rheo_error err = RHEO_ERROR_INIT;
    const rheo_reading how = { .columns = NULL };
    if (rheo_file_read(path, (size_t)1 << 20, &bytes, &n, &err)) return;
    rheo_dataset data = { .name = NULL };
    rheo_status st = rheo_csv_parse("t.csv", bytes, n, &how, &t, &err);
    if (!st) st = rheo_table_split("t.csv", &t, &how, (1u << RHEO_SPLITS) - 1, &data, &err);
    fuzz_check(st, &err);
    for (int k = 0; k < RHEO_SPLITS; k++) free(data.split[k].vectors);
    rheo_standard_free(&data.standard);
    rheo_table_free(&t);
    free(bytes);
}
