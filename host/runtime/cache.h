/* The user's cache folder: small files that can be made again, kept under a key of all they depend on.
 *
 * $RHEO_CACHE_DIR, else $XDG_CACHE_HOME/rheo, else ~/.cache/rheo. What lies there is run as native code, so the folder
 * must be the user's own, not writable by others and no symbolic link; otherwise there is no cache. A file that is
 * damaged or has another key is as good as none; one that was not used for 90 days is removed when another is saved. Every call
 * may fail without harm. Small contents are read and checked whole; large ones (data) are mapped. */
#ifndef RHEO_RUNTIME_CACHE_H
#define RHEO_RUNTIME_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rheo_cache_key { uint64_t word[2]; } rheo_cache_key;

/* FNV-1a twice, from two offsets: tells versions apart, is no protection against forgery (the folder's owner is). */
#define RHEO_CACHE_KEY_INIT ((rheo_cache_key){ { 0xcbf29ce484222325u, 0x9ae16a3b2f90404fu } })
void rheo_cache_key_add(rheo_cache_key *key, const void *data, size_t bytes);
void rheo_cache_key_text(rheo_cache_key *key, const char *text);      /* its end included: "ab","c" is not "a","bc" */

bool rheo_cache_usable(void);      /* creates the folder if need be */

/* The contents saved under kind and key; the caller frees *data. */
bool rheo_cache_get(const char *kind, rheo_cache_key key, void **data, size_t *bytes);
/* Saves by a temporary name, synced and renamed: readers see the old file or the new one. */
bool rheo_cache_put(const char *kind, rheo_cache_key key, const void *data, size_t bytes);

/* A large file as memory that can only be read. It stays although the file is removed or replaced. */
typedef struct rheo_cache_mapping {
    unsigned char *body;     /* not to be written to */
    size_t bytes;            /* of the body */
    void *base;              /* of the whole file, NULL: none */
    size_t length;
} rheo_cache_mapping;

/* A head, checked as above, and a body: only its size is known to be right, the caller checks the rest. */
bool rheo_cache_map(const char *kind, rheo_cache_key key, void *head, size_t head_bytes, rheo_cache_mapping *out);
void rheo_cache_unmap(rheo_cache_mapping *m);        /* no effect on a zeroed one */

/* Saves such a file, its body made of n <= RHEO_CACHE_PARTS parts. All of the kind together keep to `limit` bytes: those used longest
 * ago make room. */
enum { RHEO_CACHE_PARTS = 2 };
typedef struct rheo_cache_part {
    const void *data;
    size_t bytes;
} rheo_cache_part;
bool rheo_cache_put_large(const char *kind, rheo_cache_key key, const void *head, size_t head_bytes, const rheo_cache_part *part, int n,
                          uint64_t limit);

#endif
