/* Devices, buffers, launches, and the binary cache. */
#define _DEFAULT_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/cache.h"
#include "runtime/runtime.h"
#include "scratch.h"

static rheo_error err = RHEO_ERROR_INIT;

#define OK(call) cr_assert_eq((call), RHEO_OK, "%s", err.text)

static rheo_device *open_device(void)
{
    rheo_device *dev = NULL;
    OK(rheo_device_open(getenv("RHEO_TEST_DEVICE"), &dev, &err));
    return dev;
}

/* The program "device" is built from this text instead. */
static scratch replace_kernels(const char *text)
{
    scratch files = scratch_make();
    scratch_put(&files, "device.cl", text, strlen(text));
    setenv("RHEO_CL_DIR", files.folder, 1);
    return files;
}

/* The only file of a kind in the folder; its number is returned. */
static int find_file(const char *folder, const char *kind, char *path, size_t bytes)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, kind, strlen(kind)) != 0) continue;
        snprintf(path, bytes, "%s/%s", folder, e->d_name);
        ++n;
    }
    if (d) closedir(d);
    return n;
}

static rheo_status run_rate(rheo_device *dev, cl_mem out, int rounds)
{
    rheo_kernel *k = NULL;
    const rheo_status st = rheo_kernel_get(dev, "device", "fma_rate", &k, &err);
    return st ? st : rheo_launch(dev, k, (rheo_grid){ { 4, 1, 1 }, { 1, 1, 1 } }, (rheo_arg[]){ RHEO_BUF(out), RHEO_INT(rounds) }, 2, &err);
}

Test(runtime, lists_and_opens)
{
    rheo_device_facts *facts = NULL;
    size_t n = 0;
    rheo_device *dev = NULL;
    OK(rheo_device_list(&facts, &n, &err));
    cr_assert_gt(n, 0);
    for (size_t k = 0; k < n; ++k) {
        cr_expect(strlen(facts[k].name) > 0 && strlen(facts[k].platform) > 0);
        cr_expect(facts[k].max_group > 0 && facts[k].align_bytes > 0 && facts[k].largest_buffer_bytes > 0);
        cr_expect(facts[k].kind != RHEO_CPU || facts[k].vector_width >= 4);
    }
    OK(rheo_device_open("0", &dev, &err));
    cr_expect_str_eq(rheo_device_facts_of(dev)->name, facts[0].name);
    rheo_device_close(dev);
    char part[5] = "";
    memcpy(part, facts[0].platform, 4);
    OK(rheo_device_open(part, &dev, &err));
    rheo_device_close(dev);
    rheo_device_close(NULL);

    cr_expect_eq(rheo_device_open("no such device", &dev, &err), RHEO_EINVAL);
    cr_expect(strstr(err.text, "no such device") && strstr(err.text, facts[0].name), "%s", err.text);
    free(facts);
}

Test(runtime, marks_are_passed_once)
{
    rheo_device *dev = open_device();
    cl_mem a = NULL;
    cl_event mark = NULL;
    uint32_t in[64] = { 1, 2, 3 }, out[64];
    OK(rheo_buffer_create(dev, sizeof in, &a, &err));
    OK(rheo_wait(dev, &mark, &err));
    OK(rheo_write(dev, a, 0, sizeof in, in, &err));
    OK(rheo_mark(dev, &mark, &err));
    OK(rheo_wait(dev, &mark, &err));
    cr_expect_null(mark);
    in[0] = 9;               /* the write is over */
    OK(rheo_read(dev, a, 0, sizeof out, out, &err));
    cr_expect(out[0] == 1 && out[2] == 3);
    rheo_buffer_release(a);
    rheo_device_close(dev);
}

Test(runtime, buffers_round_trip)
{
    rheo_device *dev = open_device();
    cl_mem a = NULL, b = NULL;
    uint32_t in[64], out[64];
    for (int k = 0; k < 64; ++k) in[k] = 0x9e3779b9u * (uint32_t)k;
    OK(rheo_buffer_create(dev, sizeof in, &a, &err));
    OK(rheo_buffer_create(dev, sizeof in, &b, &err));
    OK(rheo_write(dev, a, 0, sizeof in, in, &err));
    OK(rheo_fill(dev, b, 0, sizeof in, 7, &err));
    OK(rheo_copy(dev, a, 4, b, 8, 16, &err));
    OK(rheo_read(dev, b, 0, sizeof out, out, &err));
    for (int k = 0; k < 64; ++k) cr_expect_eq(out[k], k >= 2 && k < 6 ? in[k - 1] : 7);
    cr_expect_eq(rheo_buffer_create(dev, 0, &b, &err), RHEO_EINVAL);
    rheo_error large = RHEO_ERROR_INIT;
    cr_expect_eq(rheo_buffer_create(dev, SIZE_MAX / 2, &b, &large), RHEO_ENOMEM);
    rheo_buffer_release(a);
    rheo_buffer_release(b);
    rheo_buffer_release(NULL);
    rheo_device_close(dev);
}

Test(runtime, windows)
{
    rheo_device *dev = open_device();
    const size_t align = rheo_device_facts_of(dev)->align_bytes;
    cl_mem whole = NULL, part = NULL;
    uint32_t out[2];
    OK(rheo_buffer_create(dev, 3 * align, &whole, &err));
    OK(rheo_fill(dev, whole, 0, 3 * align, 1, &err));
    OK(rheo_buffer_window(dev, whole, align, align, &part, &err));
    OK(rheo_fill(dev, part, 0, align, 2, &err));
    OK(rheo_read(dev, whole, align - 4, 8, out, &err));
    cr_expect(out[0] == 1 && out[1] == 2);
    OK(rheo_read(dev, whole, 2 * align - 4, 8, out, &err));
    cr_expect(out[0] == 2 && out[1] == 1);
    rheo_buffer_release(part);
    cr_expect_eq(rheo_buffer_window(dev, whole, align + 1, 4, &part, &err), RHEO_EINVAL);
    cr_expect(strstr(err.text, "multiple"), "%s", err.text);
    rheo_buffer_release(whole);
    rheo_device_close(dev);
}

Test(runtime, launches)
{
    rheo_device *dev = open_device();
    rheo_kernel *k = NULL;
    cl_mem out = NULL;
    float x[4] = { 0 };
    OK(rheo_buffer_create(dev, sizeof x, &out, &err));
    OK(run_rate(dev, out, 10));
    OK(rheo_read(dev, out, 0, sizeof x, x, &err));
    for (int i = 0; i < 4; ++i) cr_expect(x[i] > 0);

    OK(rheo_kernel_get(dev, "device", "fma_rate", &k, &err));
    const rheo_arg args[] = { RHEO_BUF(out), RHEO_INT(1) };
    const rheo_grid one = { { 1, 1, 1 }, { 1, 1, 1 } };
    rheo_error e[3] = { RHEO_ERROR_INIT, RHEO_ERROR_INIT, RHEO_ERROR_INIT };
    cr_expect_eq(rheo_launch(dev, k, one, args, 1, &e[0]), RHEO_EINVAL);
    cr_expect_str_eq(e[0].text, "kernel fma_rate: 1 arguments, expected 2");
    cr_expect_eq(rheo_launch(dev, k, (rheo_grid){ { 4, 0, 1 }, { 1, 1, 1 } }, args, 2, &e[1]), RHEO_EINVAL);
    cr_expect(strstr(e[1].text, "fma_rate") && strstr(e[1].text, "empty"), "%s", e[1].text);
    const rheo_grid huge = { { 1 << 30, 1, 1 }, { 1 << 30, 1, 1 } };
    cr_expect_eq(rheo_launch(dev, k, huge, args, 2, &e[2]), RHEO_EDEVICE);
    cr_expect(strstr(e[2].text, "fma_rate"), "%s", e[2].text);
    rheo_buffer_release(out);
    rheo_device_close(dev);
}

Test(runtime, names_what_is_missing)
{
    rheo_device *dev = open_device();
    rheo_kernel *k = NULL;
    rheo_error other = RHEO_ERROR_INIT;
    cr_expect_eq(rheo_kernel_get(dev, "device", "no_such", &k, &err), RHEO_EDEVICE);
    cr_expect(strstr(err.text, "no_such") && strstr(err.text, "device"), "%s", err.text);
    cr_expect_eq(rheo_kernel_get(dev, "no_program", "a", &k, &other), RHEO_EINVAL);
    cr_expect(strstr(other.text, "no_program"), "%s", other.text);
    rheo_device_close(dev);
}

Test(runtime, build_error_names_file_and_line)
{
    scratch files = replace_kernels("\nkernel void fma_rate(global float *out, int rounds) { out[0] = rhubarb; }\n");
    rheo_device *dev = open_device();
    rheo_kernel *k = NULL;
    cr_expect_eq(rheo_kernel_get(dev, "device", "fma_rate", &k, &err), RHEO_EDEVICE);
    const bool lines = strcmp(rheo_device_facts_of(dev)->platform, "Oclgrind") != 0;      /* it does not heed #line */
    cr_expect(strstr(err.text, "rhubarb") && (!lines || strstr(err.text, "device.cl:2")), "%s", err.text);
    cr_expect_null(strchr(err.text, '\n'));
    rheo_device_close(dev);
    scratch_remove(&files);
}

Test(runtime, profiles_when_asked)
{
    setenv("RHEO_PROFILE", "1", 1);
    rheo_device *dev = open_device();
    cl_mem out = NULL;
    OK(rheo_buffer_create(dev, 16, &out, &err));
    OK(run_rate(dev, out, 1000));
    cr_expect(rheo_last_launch_seconds(dev) > 0);
    rheo_buffer_release(out);
    rheo_device_close(dev);
}

/* FOR_ITEMS covers [0, n) once whatever the grid, in either of its forms. */
static void check_items(void)
{
    scratch files = replace_kernels("kernel void count(global int *hits, int n) { FOR_ITEMS(i, n) hits[i] += 1 + (i > 2 ? 0 : i); }\n");
    rheo_device *dev = open_device();
    rheo_kernel *k = NULL;
    cl_mem buffer = NULL;
    int hits[40];
    OK(rheo_buffer_create(dev, sizeof hits, &buffer, &err));
    OK(rheo_kernel_get(dev, "device", "count", &k, &err));
    for (int n = 1; n <= 33; n += 4) {
        for (size_t items = 1; items <= 40; items += 13) {
            OK(rheo_fill(dev, buffer, 0, sizeof hits, 0, &err));
            const rheo_arg args[] = { RHEO_BUF(buffer), RHEO_INT(n) };
            OK(rheo_launch(dev, k, (rheo_grid){ { items, 1, 1 }, { 1, 1, 1 } }, args, 2, &err));
            OK(rheo_read(dev, buffer, 0, sizeof hits, hits, &err));
            for (int i = 0; i < 40; ++i) {
                const int expected = i >= n ? 0 : i > 2 ? 1 : 1 + i;
                cr_expect_eq(hits[i], expected, "n %d, %zu work-items, item %d", n, items, i);
            }
        }
    }
    rheo_buffer_release(buffer);
    rheo_device_close(dev);
    scratch_remove(&files);
}

Test(runtime, items_cpu) { check_items(); }

Test(runtime, items_gpu)
{
    setenv("RHEO_KIND", "gpu", 1);
    check_items();
}

/* ---- saved programs ---------------------------------------------------------------------------------------------- */

/* Returns whether the driver survives a binary that is none: rusticl of Mesa 22.3 does not. */
static bool launch_and_save(bool save)
{
    rheo_device *dev = open_device();
    const bool robust = strcmp(rheo_device_facts_of(dev)->platform, "rusticl") != 0;
    cl_mem out = NULL;
    float x[4] = { 0 };
    OK(rheo_buffer_create(dev, sizeof x, &out, &err));
    OK(run_rate(dev, out, 3));
    OK(rheo_read(dev, out, 0, sizeof x, x, &err));
    for (int i = 0; i < 4; ++i) cr_expect(x[i] > 0);
    if (save) rheo_cache_save(dev);
    rheo_buffer_release(out);
    rheo_device_close(dev);
    return robust;
}

/* Saved binaries are used, and one that only looks whole is built again. */
Test(cache, programs)
{
    char path[600];
    struct stat first, second;
    scratch files = scratch_make();
    setenv("RHEO_CACHE_DIR", files.folder, 1);
    launch_and_save(false);
    cr_expect_eq(find_file(files.folder, "device", path, sizeof path), 0);
    launch_and_save(true);
    cr_assert_eq(find_file(files.folder, "device", path, sizeof path), 1);
    cr_assert_eq(stat(path, &first), 0);
    const bool robust = launch_and_save(true);
    cr_assert_eq(stat(path, &second), 0);
    cr_expect_eq(first.st_ino, second.st_ino, "a binary that was loaded and not specialised further is not saved again");

    rheo_cache_key own = { { 0, 0 } };
    unsigned long long word[2];
    cr_assert_eq(sscanf(strrchr(path, '-') + 1, "%16llx%16llx", &word[0], &word[1]), 2);
    own.word[0] = word[0];
    own.word[1] = word[1];
    cr_assert(rheo_cache_put("device", own, "\0\0\0\0\0\0\0\0no binary at all", 24));
    if (robust) launch_and_save(false);
    scratch_remove(&files);
}
