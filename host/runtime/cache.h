/* The user's cache folder: small files that can be made again, kept under a key of all they depend on.
 *
 * $RHEO_CACHE_DIR, else $XDG_CACHE_HOME/rheo, else ~/.cache/rheo. What lies there is run as native code, so the folder
 * must be the user's own, not writable by others and no symbolic link; otherwise there is no cache. A file that is
 * damaged or has another key is as good as none; one that was not used for 90 days is removed when another is saved. Every call
 * may fail without harm. */
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

#endif
