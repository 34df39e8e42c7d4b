#include "train/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"

#define DEPTH_LIMIT 8
#define EXACT_LIMIT 9007199254740992.0      /* 2^53: JSON numbers are doubles */
#define METADATA "__metadata__"

static const struct { const char *name; size_t bytes; } dtypes[RHEO_DTYPES] = { { "F32", 4 }, { "U32", 4 }, { "I64", 8 }, { "U8", 1 } };

const char *rheo_dtype_name(rheo_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t rheo_dtype_bytes(rheo_dtype dtype)
{
    return dtypes[dtype].bytes;
}

bool rheo_tensor_bytes(const rheo_tensor *t, uint64_t *bytes)
{
    *bytes = dtypes[t->dtype].bytes;
    for (int k = 0; k < t->rank; k++)
        if (!rheo_checked_mul(*bytes, t->shape[k], bytes)) return false;
    return true;
}

/* Names are printed to terminals and compared as C strings. */
static bool plain_name(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7F) return false;
    return true;
}

static int compare_offsets(const void *a, const void *b)
{
    const rheo_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const rheo_tensor *const *)a)->name, (*(const rheo_tensor *const *)b)->name);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const rheo_note *)a)->key, ((const rheo_note *)b)->key);
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

/* What cJSON would let pass: deep nesting, broken UTF-8 and \u0000, which would cut a C string short. */
static rheo_status check_text(const char *path, const char *text, size_t n, rheo_error *err)
{
    const size_t bad = rheo_utf8_check(text, n);
    int depth = 0;
    bool quoted = false;
    if (bad < n) return rheo_fail(err, RHEO_EFORMAT, "%s: header byte %zu is not UTF-8", path, bad);
    if (!n || *text != '{') return rheo_fail(err, RHEO_EFORMAT, "%s: the header does not start with '{': not a safetensors file", path);
    for (size_t k = 0; k < n; k++) {
        const char c = text[k];
        if (!c || (quoted && c == '\\' && n - k >= 6 && !memcmp(text + k, "\\u0000", 6)))
            return rheo_fail(err, RHEO_EFORMAT, "%s: header byte %zu is a zero character", path, k);
        if (quoted && c == '\\') k++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > DEPTH_LIMIT)
            return rheo_fail(err, RHEO_EFORMAT, "%s: header byte %zu: nested deeper than %d", path, k, DEPTH_LIMIT);
        else if (!quoted && (c == '}' || c == ']')) depth--;
    }
    return RHEO_OK;
}

static bool whole_number(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item)) return false;
    const double d = item->valuedouble;
    if (!(d >= 0.0 && d < EXACT_LIMIT) || d != (double)(uint64_t)d) return false;
    *out = (uint64_t)d;
    return true;
}

static rheo_status parse_tensor(const char *path, const cJSON *item, rheo_tensor *t, rheo_error *err)
{
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    uint64_t begin, end, bytes;
    *t = (rheo_tensor){ .name = item->string };
    if (!plain_name(t->name)) return rheo_fail(err, RHEO_EFORMAT, "%s: a tensor's name holds a control character", path);
    if (!cJSON_IsObject(item) || cJSON_GetArraySize(item) != 3 || !cJSON_IsString(dtype) || !cJSON_IsArray(shape)
        || !cJSON_IsArray(offsets))
        return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': expected dtype, shape and data_offsets, each once", path, t->name);

    int d = 0;
    while (d < RHEO_DTYPES && strcmp(dtype->valuestring, dtypes[d].name)) d++;
    if (d == RHEO_DTYPES)
        return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': found dtype '%.20s', expected F32, U32, I64 or U8", path, t->name,
                         plain_name(dtype->valuestring) ? dtype->valuestring : "?");
    t->dtype = (rheo_dtype)d;

    for (const cJSON *size = shape->child; size; size = size->next) {
        if (t->rank == RHEO_TENSOR_RANK || !whole_number(size, &t->shape[t->rank]))
            return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': dimension %d is not a size, or one of more than %d",
                             path, t->name, t->rank, RHEO_TENSOR_RANK);
        t->rank++;
    }
    const cJSON *first = offsets->child, *second = first ? first->next : NULL;
    if (!second || second->next || !whole_number(first, &begin) || !whole_number(second, &end) || begin > end)
        return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': data_offsets are not a begin and an end", path, t->name);
    if (!rheo_tensor_bytes(t, &bytes) || bytes != end - begin)
        return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': found %ju bytes between its data_offsets, which is not shape times %s",
                         path, t->name, (uintmax_t)(end - begin), dtypes[d].name);
    t->offset = begin;
    t->bytes = bytes;
    return RHEO_OK;
}

static rheo_status parse_notes(rheo_safetensors_header *h, const char *path, const cJSON *item, rheo_error *err)
{
    if (h->notes) return rheo_fail(err, RHEO_EFORMAT, "%s: " METADATA " stands twice in the header", path);
    if (!cJSON_IsObject(item)) return rheo_fail(err, RHEO_EFORMAT, "%s: " METADATA " is not an object of strings", path);
    h->notes = calloc((size_t)cJSON_GetArraySize(item) + 1, sizeof *h->notes);
    if (!h->notes) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    for (const cJSON *note = item->child; note; note = note->next) {
        if (!plain_name(note->string) || !cJSON_IsString(note))
            return rheo_fail(err, RHEO_EFORMAT, "%s: " METADATA " is not an object of strings", path);
        h->notes[h->n_notes++] = (rheo_note){ note->string, note->valuestring };
    }
    qsort(h->notes, h->n_notes, sizeof *h->notes, compare_keys);
    for (size_t k = 1; k < h->n_notes; k++)
        if (!strcmp(h->notes[k - 1].key, h->notes[k].key))
            return rheo_fail(err, RHEO_EFORMAT, "%s: " METADATA " holds '%.100s' twice", path, h->notes[k].key);
    return RHEO_OK;
}

static rheo_status check_layout(const rheo_safetensors_header *h, const char *path, uint64_t data_bytes, rheo_error *err)
{
    uint64_t end = 0;
    for (size_t k = 0; k < h->n_tensors; k++) {
        const rheo_tensor *t = &h->tensors[k];
        if (t->offset != end)
            return rheo_fail(err, RHEO_EFORMAT, "%s: tensor '%.100s': found data at byte %ju, expected %ju: an %s", path, t->name,
                             (uintmax_t)t->offset, (uintmax_t)end, t->offset < end ? "overlap" : "unused stretch");
        end += t->bytes;        /* both below 2^53: no overflow */
    }
    if (end != data_bytes)
        return rheo_fail(err, RHEO_EFORMAT, "%s: found %ju bytes of data, expected %ju as in the header",
                         path, (uintmax_t)data_bytes, (uintmax_t)end);
    for (size_t k = 1; k < h->n_tensors; k++)
        if (!strcmp(h->by_name[k - 1]->name, h->by_name[k]->name))
            return rheo_fail(err, RHEO_EFORMAT, "%s: two tensors are named '%.100s'", path, h->by_name[k]->name);
    return RHEO_OK;
}

rheo_status rheo_safetensors_header_parse(rheo_safetensors_header *h, const char *path, const char *text, size_t n,
                                          uint64_t data_bytes, rheo_error *err)
{
    const char *end = NULL;
    *h = (rheo_safetensors_header){ .json = NULL };
    rheo_status st = check_text(path, text, n, err);
    if (st) return st;
    h->json = cJSON_ParseWithLengthOpts(text, n, &end, 0);
    if (!h->json) return rheo_fail(err, RHEO_EFORMAT, "%s: the header is not JSON from byte %td on", path, end ? end - text : 0);
    for (; end < text + n; end++)
        if (*end != ' ')
            return rheo_fail(err, RHEO_EFORMAT, "%s: header byte %td: found more than padding after the JSON", path, end - text);

    const size_t count = (size_t)cJSON_GetArraySize(h->json);
    h->tensors = calloc(count + 1, sizeof *h->tensors);
    h->by_name = calloc(count + 1, sizeof *h->by_name);
    if (!h->tensors || !h->by_name) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for %zu tensors", path, count);
    for (const cJSON *item = h->json->child; item && !st; item = item->next) {
        if (!strcmp(item->string, METADATA)) st = parse_notes(h, path, item, err);
        else st = parse_tensor(path, item, &h->tensors[h->n_tensors++], err);
    }
    if (st) return st;
    qsort(h->tensors, h->n_tensors, sizeof *h->tensors, compare_offsets);
    for (size_t k = 0; k < h->n_tensors; k++) h->by_name[k] = &h->tensors[k];
    qsort(h->by_name, h->n_tensors, sizeof *h->by_name, compare_names);
    return check_layout(h, path, data_bytes, err);
}

void rheo_safetensors_header_free(rheo_safetensors_header *h)
{
    cJSON_Delete(h->json);
    free(h->tensors);
    free(h->by_name);
    free(h->notes);
    *h = (rheo_safetensors_header){ .json = NULL };
}

const rheo_tensor *rheo_safetensors_header_find(const rheo_safetensors_header *h, const char *name)
{
    const rheo_tensor wanted = { .name = name }, *key = &wanted;
    const rheo_tensor **found = bsearch(&key, h->by_name, h->n_tensors, sizeof *h->by_name, compare_names);
    return found ? *found : NULL;
}

const char *rheo_safetensors_header_note(const rheo_safetensors_header *h, const char *key)
{
    const rheo_note wanted = { key, NULL };
    const rheo_note *found = h->n_notes ? bsearch(&wanted, h->notes, h->n_notes, sizeof *h->notes, compare_keys) : NULL;
    return found ? found->value : NULL;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static bool add_offsets(cJSON *entry, const rheo_tensor *t, uint64_t begin, uint64_t end)
{
    cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
    cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
    if (!shape || !offsets) return false;
    for (int k = 0; k < t->rank; k++)
        if (!cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape[k]))) return false;
    return cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin))
        && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)end));
}

/* Moves text to where it has spaces up to a multiple of 8 bytes: the data behind it are aligned. */
static char *padded(char *text)
{
    const size_t n = strlen(text), whole = (n + 7) / 8 * 8;
    char *wide = cJSON_malloc(whole + 1);
    if (wide) {
        memset(wide, ' ', whole);
        memcpy(wide, text, n);
        wide[whole] = 0;
    }
    cJSON_free(text);
    return wide;
}

/* The header as text, or NULL when out of memory. */
static char *make_text(const rheo_tensor *tensors, size_t n_tensors, const rheo_note *notes, size_t n_notes)
{
    char *text = NULL;
    uint64_t at = 0;
    cJSON *header = cJSON_CreateObject();
    cJSON *metadata = n_notes ? cJSON_AddObjectToObject(header, METADATA) : NULL;
    for (size_t k = 0; k < n_notes; k++)
        if (!cJSON_AddStringToObject(metadata, notes[k].key, notes[k].value)) goto done;
    for (size_t k = 0; k < n_tensors; k++) {
        uint64_t bytes = 0;
        rheo_tensor_bytes(&tensors[k], &bytes);
        cJSON *entry = cJSON_AddObjectToObject(header, tensors[k].name);
        if (!cJSON_AddStringToObject(entry, "dtype", dtypes[tensors[k].dtype].name)) goto done;
        if (!add_offsets(entry, &tensors[k], at, at + bytes)) goto done;
        at += bytes;
    }
    text = cJSON_PrintUnformatted(header);
    if (text) text = padded(text);
done:
    cJSON_Delete(header);
    return text;
}

rheo_status rheo_safetensors_header_make(const char *path, const rheo_tensor *tensors, size_t n_tensors, const rheo_note *notes,
                                         size_t n_notes, char **out, uint64_t *largest, rheo_error *err)
{
    rheo_safetensors_header check;
    uint64_t total = 0;
    *largest = 0;
    for (size_t k = 0; k < n_tensors; k++) {
        const rheo_tensor *t = &tensors[k];
        uint64_t bytes;
        if (t->rank < 0 || t->rank > RHEO_TENSOR_RANK || !rheo_tensor_bytes(t, &bytes) || (double)bytes >= EXACT_LIMIT - (double)total)
            return rheo_fail(err, RHEO_EINVAL, "%s: tensor '%.100s' has a shape that cannot be stored", path, t->name);
        total += bytes;
        if (bytes > *largest) *largest = bytes;
    }
    char *text = make_text(tensors, n_tensors, notes, n_notes);
    if (!text) return rheo_fail(err, RHEO_ENOMEM, "%s: no memory for the header", path);
    /* Nothing is written that could not be read again. */
    const size_t n = strlen(text);
    rheo_status st = rheo_safetensors_header_parse(&check, path, text, n, total, err);
    if (!st && n > RHEO_SAFETENSORS_HEADER_LIMIT)
        st = rheo_fail(err, RHEO_EINVAL, "%s: the header would take %zu bytes of at most %u", path, n, RHEO_SAFETENSORS_HEADER_LIMIT);
    rheo_safetensors_header_free(&check);
    if (st) cJSON_free(text);
    else *out = text;
    return st;
}
