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

typedef struct class_names {
    char name[CLASSES][256];
    int count;               /* CLASSES + 1: too many, or an image without one */
} class_names;

/* Those of a folder's images, kept in bytewise order. */
static rheo_status collect_classes(const char *folder, class_names *to, rheo_error *err)
{
    rheo_listing l = { NULL, 0, 0 };
    const char *name;
    const rheo_status st = rheo_listing_make(folder, &l, err);
    for (uint32_t k = 0; k < l.count && !st && to->count <= CLASSES; k++) {
        const size_t n = class_of(l.path[k], strlen(folder), &name);
        int c = 0;
        while (c < to->count && (strncmp(to->name[c], name, n) < 0 || (!strncmp(to->name[c], name, n) && strlen(to->name[c]) < n))) c++;
        if (c < to->count && n == strlen(to->name[c]) && !strncmp(to->name[c], name, n)) continue;
        if (!n || n >= sizeof to->name[0] || to->count == CLASSES) {
            to->count = CLASSES + 1;
            break;
        }
        memmove(to->name[c + 1], to->name[c], (size_t)(to->count++ - c) * sizeof to->name[0]);
        memcpy(to->name[c], name, n);
        to->name[c][n] = '\0';
    }
    rheo_listing_free(&l);
    return st;
}

rheo_status rheo_listing_classes(const char *folder, const rheo_listing *l, size_t root, uint8_t **labels, rheo_error *err)
{
    char *part[2] = { rheo_path_join(folder, "train"), rheo_path_join(folder, "test") };
    class_names *classes = calloc(1, sizeof *classes);
    uint8_t *out = malloc(l->count);
    const char *name;
    rheo_status st = RHEO_OK;
    if (!part[0] || !part[1] || !classes || !out) st = rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", folder);
    else if (root == strlen(folder)) st = collect_classes(folder, classes, err);
    else for (int k = 0; k < 2 && !st; k++) st = collect_classes(part[k], classes, err);
    for (uint32_t k = 0; k < l->count && !st && classes->count <= CLASSES; k++) {
        const size_t n = class_of(l->path[k], root, &name);
        int c = 0;
        while (c < classes->count - 1 && (strlen(classes->name[c]) != n || strncmp(classes->name[c], name, n))) c++;
        out[k] = (uint8_t)c;
    }
    if (!st && classes->count <= CLASSES) {
        *labels = out;
        out = NULL;
    }
    free(out);
    free(classes);
    free(part[0]);
    free(part[1]);
    return st;
}
