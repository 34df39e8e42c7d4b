#define _XOPEN_SOURCE 700       /* realpath */
#include "data/kept.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/checked.h"

/* To be raised when the same files are decoded to other bytes. */
#define VERSION "rows 1"
#define LEAST_BYTES ((uint64_t)1 << 20)
#define MOST_BYTES ((uint64_t)4 << 30)
enum { RACY_SECONDS = 2 };

static const char kind[] = "rows";

typedef struct head {
    rheo_image_shape shape;
    uint32_t count, labelled, fingerprint;
} head;

static bool changed_lately(time_t when, time_t now)
{
    return when > now - RACY_SECONDS && when < now + RACY_SECONDS;
}

bool rheo_kept_key(const rheo_format *format, const rheo_source *from, rheo_cache_key *key)
{
    rheo_listing l = { NULL, 0, 0 };
    const time_t now = time(NULL);
    const size_t root = strlen(from->folder);
    char *folder = realpath(from->folder, NULL);
    rheo_cache_key k = RHEO_CACHE_KEY_INIT;
    uint64_t bytes = 0;
    bool ok = folder && format->files && format->files(from->folder, &l, NULL) == RHEO_OK;
    if (ok) {
        rheo_cache_key_text(&k, VERSION);
        rheo_cache_key_text(&k, format->name);
        rheo_cache_key_text(&k, folder);
        rheo_cache_key_add(&k, &from->size, sizeof from->size);
    }
    for (uint32_t i = 0; i < l.count && ok; i++) {
        struct stat s;
        ok = stat(l.path[i], &s) == 0 && S_ISREG(s.st_mode) && !changed_lately(s.st_mtim.tv_sec, now);
        if (!ok) break;
        const int64_t facts[5] = { s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec };
        rheo_cache_key_text(&k, l.path[i] + root);
        rheo_cache_key_add(&k, facts, sizeof facts);
        bytes += (uint64_t)s.st_size;
    }
    rheo_listing_free(&l);
    free(folder);
    *key = k;
    return ok && bytes >= LEAST_BYTES;
}

static rheo_cache_key of_split(rheo_cache_key key, rheo_split split)
{
    rheo_cache_key_text(&key, rheo_split_name(split));
    return key;
}

/* False where the product does not fit. */
static bool bytes_of(const head *h, uint64_t *images)
{
    return rheo_checked_mul(h->shape.h, h->shape.w, images) && rheo_checked_mul(*images, h->shape.c, images) &&
           rheo_checked_mul(*images, h->count, images);
}

bool rheo_kept_map(rheo_cache_key key, rheo_split split, rheo_rows *rows, rheo_image_shape *shape)
{
    head h;
    uint64_t images = 0;
    rheo_cache_mapping m;
    if (!rheo_cache_map(kind, of_split(key, split), &h, sizeof h, &m)) return false;
    if (!h.count || !bytes_of(&h, &images) || images > m.bytes || m.bytes - images != (h.labelled ? h.count : 0)) {
        rheo_cache_unmap(&m);
        return false;
    }
    *rows = (rheo_rows){
        .count = h.count, .images = m.body, .labels = h.labelled ? m.body + images : NULL, .fingerprint = h.fingerprint, .mapping = m,
    };
    *shape = h.shape;
    return true;
}

void rheo_kept_save(rheo_cache_key key, rheo_split split, const rheo_rows *rows, rheo_image_shape shape)
{
    const head h = { shape, rows->count, rows->labels != NULL, rows->fingerprint };
    uint64_t images = 0;
    if (!bytes_of(&h, &images)) return;
    const rheo_cache_part part[RHEO_CACHE_PARTS] = { { rows->images, (size_t)images }, { rows->labels, rows->labels ? rows->count : 0 } };
    (void)rheo_cache_put_large(kind, of_split(key, split), &h, sizeof h, part, rows->labels ? 2 : 1, MOST_BYTES);
}
