#include "data/listing.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

enum { DEPTH = 16 };

void rheo_listing_free(rheo_listing *l)
{
    for (uint32_t k = 0; k < l->count; k++) free(l->path[k]);
    free(l->path);
    *l = (rheo_listing){ NULL, 0, 0 };
}

static bool ends_in(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n > e && !strcasecmp(name + n - e, ending);
}

bool rheo_is_png(const char *name) { return ends_in(name, ".png"); }
static bool is_image(const char *name) { return rheo_is_png(name) || ends_in(name, ".jpg") || ends_in(name, ".jpeg"); }

bool rheo_listing_add(rheo_listing *l, char *path)
{
    if (l->count == l->room) {
        const uint32_t room = l->room ? 2 * l->room : 64;
        char **more = realloc(l->path, room * sizeof *more);
        if (!more) {
            free(path);
            return false;
        }
        l->path = more, l->room = room;
    }
    l->path[l->count++] = path;
    return true;
}

/* Hidden files and folders are passed over. */
static rheo_status walk(const char *folder, int depth, rheo_listing *l, rheo_error *err)
{
    if (depth == DEPTH) return rheo_fail(err, RHEO_EFORMAT, "%s: folders are nested deeper than %d", folder, DEPTH);
    DIR *d = opendir(folder);
    if (!d) return rheo_fail(err, RHEO_EFILE, "%s: this folder cannot be read", folder);
    rheo_status st = RHEO_OK;
    for (const struct dirent *e = readdir(d); e && !st; e = readdir(d)) {
        if (*e->d_name == '.') continue;
        char *path = rheo_path_join(folder, e->d_name);
        if (!path) st = RHEO_ENOMEM;
        else if (rheo_folder_exists(path)) st = walk(path, depth + 1, l, err);
        else if (is_image(path)) {
            uint64_t bytes;
            if (!rheo_listing_add(l, path)) st = RHEO_ENOMEM;
            else if (rheo_file_exists(path)) st = rheo_file_size(path, &bytes, err);     /* a pipe would be waited for */
            path = NULL;
        }
        free(path);
    }
    closedir(d);
    if (st == RHEO_ENOMEM) rheo_fail(err, st, "%s: out of memory", folder);
    return st;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

rheo_status rheo_listing_make(const char *folder, rheo_listing *l, rheo_error *err)
{
    const rheo_status st = walk(folder, 0, l, err);
    if (!st && l->count) qsort(l->path, l->count, sizeof *l->path, by_bytes);
    return st;
}
