#include "graph/choices.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/internal.h"

/* ---- the table ------------------------------------------------------------------------------------------------ */

void rheo_choices_free(rheo_choices *c)
{
    for (int k = 0; k < c->count; k++) {
        free(c->list[k].key);
        free(c->list[k].variant);
    }
    free(c->list);
    rheo_faults_free(&c->faults);
    *c = (rheo_choices){ 0 };
}

static rheo_choice *find(const rheo_choices *c, const char *key)
{
    for (int k = 0; k < c->count; k++)
        if (!strcmp(c->list[k].key, key)) return &c->list[k];
    return NULL;
}

const rheo_choice *rheo_choices_find(const rheo_choices *c, const char *key)
{
    return find(c, key);
}

static rheo_choice *add(rheo_choices *c, const char *key)
{
    if (c->count == RHEO_CHOICES_MOST || !rheo_grow((void **)&c->list, &c->capacity, c->count + 1, sizeof *c->list)) return NULL;
    rheo_choice *it = &c->list[c->count];
    *it = (rheo_choice){ .key = strdup(key) };
    if (it->key) c->count++;
    return it->key ? it : NULL;
}

bool rheo_choices_set(rheo_choices *c, const char *key, const char *variant, bool used)
{
    char *name = strdup(variant);
    rheo_choice *it = name ? find(c, key) : NULL;
    if (name && !it) it = add(c, key);
    if (!it) {
        free(name);
        return false;
    }
    free(it->variant);
    it->variant = name;
    it->used = used;
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

/* Appends what fits; a key cut short still names a choice, if one of several shapes. */
static void append(char key[RHEO_CHOICE_KEY], const char *format, ...)
{
    const size_t used = strlen(key);
    va_list args;
    va_start(args, format);
    vsnprintf(key + used, RHEO_CHOICE_KEY - used, format, args);
    va_end(args);
}

void rheo_choice_key(const rheo_node *n, char key[RHEO_CHOICE_KEY])
{
    key[0] = '\0';
    append(key, "%s", n->op->name);
    for (int i = 0; i < n->n_in; i++) {
        const rheo_shape s = n->in_spec[i].shape;
        append(key, " %lldx%lldx%lldx%lld", (long long)s.n, (long long)s.h, (long long)s.w, (long long)s.c);
    }
    for (size_t k = 0; k < n->attr_bytes / 4; k++) {
        int32_t word;
        memcpy(&word, (const char *)n->attr + 4 * k, sizeof word);
        append(key, "%c%ld", k ? ',' : ' ', (long)word);
    }
}

bool rheo_variant_offered(const rheo_node *n, int variant, const rheo_device_facts *dev)
{
    return (variant == 0 && n->op->variants) || !n->op->offers || n->op->offers(n, variant, dev);
}

const rheo_fault *rheo_choices_fault(const rheo_choices *c, const rheo_node *n, int v, const rheo_device_facts *dev)
{
    char where[RHEO_FAULT_WHERE];
    if (!c->faults.count) return NULL;
    rheo_fault_where(n, dev, where);
    return rheo_faults_find(&c->faults, where, n->op->variants ? n->op->variants[v] : "");
}

static rheo_status switch_off(const rheo_choices *c, rheo_node *n, const rheo_fault *fault, rheo_error *err)
{
    char text[RHEO_FAULT_TEXT];
    n->variant = RHEO_SWITCHED_OFF;
    if (n->op->expand) return RHEO_OK;
    rheo_fault_text(&c->faults, fault, text);
    return rheo_fail(err, RHEO_EDEVICE, "%s, and there is no other way to compute it", text);
}

static bool wants_expanded(const rheo_choices *c, const rheo_node *n)
{
    const rheo_choice *wanted = n->op->expand ? find(c, n->op->name) : NULL;
    return wanted && !strcmp(wanted->variant, RHEO_EXPANDED);
}

rheo_status rheo_choices_pick(rheo_choices *c, rheo_node *n, const rheo_device_facts *dev, rheo_error *err)
{
    char key[RHEO_CHOICE_KEY];
    int offered = 0, chosen = -1, first = -1;
    const rheo_fault *fault = NULL;
    if (!n->op->launch) return RHEO_OK;
    if (!rheo_variant_offered(n, 0, dev)) return switch_off(c, n, NULL, err);
    if (!n->op->variants) return (fault = rheo_choices_fault(c, n, 0, dev)) || wants_expanded(c, n) ? switch_off(c, n, fault, err) : RHEO_OK;
    rheo_choice_key(n, key);
    const rheo_choice *own = find(c, key), *wanted = own ? own : find(c, n->op->name);
    bool known = false;
    for (int v = 0; n->op->variants[v]; v++) {
        if (!rheo_variant_offered(n, v, dev)) continue;
        offered++;
        const bool named = wanted && !strcmp(wanted->variant, n->op->variants[v]);
        const rheo_fault *its = rheo_choices_fault(c, n, v, dev);
        known = known || named;
        if (its) fault = its;
        if (!its && first < 0 && rheo_looseness(n->op, v) <= 1) first = v;
        if (!its && named) chosen = v;
    }
    if (chosen < 0) chosen = first;
    if (chosen < 0) return switch_off(c, n, fault, err);
    if (own && !known) c->unknown++;
    n->variant = chosen;
    if ((offered < 2 && !own) || rheo_choices_set(c, key, n->op->variants[n->variant], true)) return RHEO_OK;
    return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
}

/* ---- the cache folder: lines of a variant, a tab and a key ------------------------------------------------------- */

static const char what[] = "variants";

/* Is there an entry of the op as a whole? */
static bool names_op_of(const rheo_choices *c, const char *key)
{
    char op[RHEO_CHOICE_KEY];
    snprintf(op, sizeof op, "%.*s", (int)strcspn(key, " "), key);
    return find(c, op) != NULL;
}

static void recall_winners(rheo_choices *c, const rheo_device *dev)
{
    char *text = rheo_device_recall(dev, what);
    for (char *line = text, *next; line && *line && c->count < RHEO_CHOICES_MOST / 2; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = '\0';
        char *tab = strchr(line, '\t');
        if (!tab) continue;
        *tab = '\0';
        if (!find(c, tab + 1) && !names_op_of(c, tab + 1)) (void)rheo_choices_set(c, tab + 1, line, false);
    }
    free(text);
}

void rheo_choices_recall(rheo_choices *c, const rheo_device *dev)
{
    recall_winners(c, dev);
    if (!c->faults.count) rheo_faults_recall(&c->faults, dev);
}

bool rheo_choices_remember(const rheo_choices *c, const rheo_device *dev)
{
    rheo_choices all = { 0 };
    bool ok = true;
    size_t bytes = 1, used = 0;
    for (int k = 0; k < c->count && ok; k++) ok = rheo_choices_set(&all, c->list[k].key, c->list[k].variant, false);
    recall_winners(&all, dev);
    for (int k = 0; k < all.count; k++) bytes += strlen(all.list[k].variant) + strlen(all.list[k].key) + 2;
    char *text = ok ? calloc(bytes, 1) : NULL;
    for (int k = 0; text && k < all.count; k++)
        used += (size_t)snprintf(text + used, bytes - used, "%s\t%s\n", all.list[k].variant, all.list[k].key);
    ok = text && rheo_device_remember(dev, what, text);
    free(text);
    rheo_choices_free(&all);
    return ok;
}
