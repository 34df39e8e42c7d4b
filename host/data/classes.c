/* Classes of images by the folders they lie in. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/listing.h"

enum { CLASSES = 256 };

/* The class of a path below root, as length; 0: none. */
static size_t class_of(const char *path, size_t root, const char **name)
{
    *name = path + root;
    while (**name == '/') ++*name;
    const char *end = strchr(*name, '/');
    return end ? (size_t)(end - *name) : 0;
}

/* Into bytewise order, once. False: out of memory. */
static bool insert(rheo_listing *names, const char *name, size_t n)
{
    uint32_t c = 0;
    while (c < names->count && (strncmp(names->path[c], name, n) < 0 || (!strncmp(names->path[c], name, n) && strlen(names->path[c]) < n))) c++;
    if (c < names->count && strlen(names->path[c]) == n && !strncmp(names->path[c], name, n)) return true;
    char *copy = calloc(n + 1, 1);
    if (!copy) return false;
    memcpy(copy, name, n);
    if (!rheo_listing_add(names, copy)) return false;
    memmove(names->path + c + 1, names->path + c, (names->count - 1 - c) * sizeof *names->path);
    names->path[c] = copy;
    return true;
}

/* Those of a folder's images. *all becomes false where there are too many, or an image without one. */
static rheo_status collect(const char *folder, rheo_listing *names, bool *all, rheo_error *err)
{
    rheo_listing l = { NULL, 0, 0 };
    const char *name;
    rheo_status st = rheo_listing_make(folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st && *all; k++) {
        const size_t n = class_of(l.path[k], strlen(folder), &name);
        if (n && !insert(names, name, n)) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
        *all = n && names->count <= CLASSES;
    }
    rheo_listing_free(&l);
    return st;
}

rheo_status rheo_listing_class_names(const char *folder, rheo_listing *names, rheo_error *err)
{
    char *part[2] = { rheo_path_join(folder, "train"), rheo_path_join(folder, "test") };
    bool all = true;
    rheo_status st = RHEO_OK;
    if (!part[0] || !part[1]) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    else if (!rheo_folder_exists(part[0]) || !rheo_folder_exists(part[1])) st = collect(folder, names, &all, err);
    else for (int k = 0; k < 2 && !st; k++) st = collect(part[k], names, &all, err);
    if (st || !all) rheo_listing_free(names);
    free(part[0]);
    free(part[1]);
    return st;
}

rheo_status rheo_listing_classes(const char *folder, const rheo_listing *l, size_t root, uint8_t **labels, rheo_error *err)
{
    rheo_listing names = { NULL, 0, 0 };
    const char *name;
    const rheo_status st = rheo_listing_class_names(folder, &names, err);
    uint8_t *out = !st && names.count ? malloc(l->count + 1) : NULL;
    for (uint32_t k = 0; k < l->count && out; k++) {
        const size_t n = class_of(l->path[k], root, &name);
        uint32_t c = 0;
        while (c < names.count - 1 && (strlen(names.path[c]) != n || strncmp(names.path[c], name, n))) c++;
        out[k] = (uint8_t)c;
    }
    const bool lacks = !st && names.count && !out;
    rheo_listing_free(&names);
    *labels = out;
    return lacks ? rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder) : st;
}
