#include "graph/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/choices.h"
#include "graph/internal.h"

void rheo_fault_where(const rheo_node *n, const rheo_device_facts *dev, char where[RHEO_FAULT_WHERE])
{
    int used = snprintf(where, RHEO_FAULT_WHERE, "%s", n->op->name), offered = 0;
    for (int v = 0; n->op->variants && n->op->variants[v]; v++) offered += rheo_variant_offered(n, v, dev);
    if (offered < 2) return;
    for (int v = 0, k = 0; n->op->variants[v] && used < RHEO_FAULT_WHERE; v++) {
        if (!rheo_variant_offered(n, v, dev)) continue;
        used += snprintf(where + used, (size_t)(RHEO_FAULT_WHERE - used), "%s%s%s", k ? " or " : " (", n->op->variants[v],
                         k + 1 == offered ? ")" : "");
        k++;
    }
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

void rheo_faults_free(rheo_faults *f)
{
    free(f->list);
    *f = (rheo_faults){ 0 };
}

static rheo_fault *find(const rheo_faults *f, const char *where, const char *variant)
{
    for (int k = 0; k < f->count; k++)
        if (!strcmp(f->list[k].where, where) && !strcmp(f->list[k].variant, variant)) return &f->list[k];
    return NULL;
}

const rheo_fault *rheo_faults_find(const rheo_faults *f, const char *where, const char *variant)
{
    return find(f, where, variant);
}

static rheo_fault *add(rheo_faults *f)
{
    if (f->count == RHEO_FAULTS_MOST || !rheo_grow((void **)&f->list, &f->capacity, f->count + 1, sizeof *f->list)) return NULL;
    return &f->list[f->count++];
}

bool rheo_faults_set(rheo_faults *f, const char *where, const char *variant, const char *verdict)
{
    rheo_fault *it = find(f, where, variant);
    const time_t now = time(NULL);
    struct tm day = { 0 };
    if (!verdict) {
        if (it) *it = f->list[--f->count];
        return true;
    }
    if (!it && !(it = add(f))) return false;
    snprintf(it->where, sizeof it->where, "%s", where);
    snprintf(it->variant, sizeof it->variant, "%s", variant);
    snprintf(it->verdict, sizeof it->verdict, "%s", verdict);
    if (!localtime_r(&now, &day) || !strftime(it->date, sizeof it->date, "%Y-%m-%d", &day)) snprintf(it->date, sizeof it->date, "no date");
    return true;
}

void rheo_fault_text(const rheo_faults *f, const rheo_fault *fault, char text[RHEO_FAULT_TEXT])
{
    snprintf(text, RHEO_FAULT_TEXT, "op %s: %s%s%sis switched off on %s (rheo doctor, %s: %s)", fault->where, *fault->variant ? "variant " : "",
             fault->variant, *fault->variant ? " " : "it ", f->device, fault->date, fault->verdict);
}

char *rheo_faults_text(const rheo_faults *f)
{
    const size_t bytes = (size_t)f->count * (RHEO_FAULT_TEXT + 1) + 1;
    char *text = calloc(bytes, 1), line[RHEO_FAULT_TEXT];
    size_t used = 0;
    for (int k = 0; text && k < f->count; k++) {
        rheo_fault_text(f, &f->list[k], line);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", k ? "\n" : "", line);
    }
    return text;
}

/* ---- the cache folder: lines of where, variant, verdict and date, a tab between them ------------------------------- */

static const char what[] = "faults";

static bool take_field(const char **from, char end, char *to, size_t bytes)
{
    const char *stop = strchr(*from, end);
    if (!stop || (size_t)(stop - *from) >= bytes) return false;
    memcpy(to, *from, (size_t)(stop - *from));
    to[stop - *from] = '\0';
    *from = stop + 1;
    return true;
}

void rheo_faults_recall(rheo_faults *f, const rheo_device *dev)
{
    char *text = rheo_device_recall(dev, what);
    const char *at = text;
    rheo_fault one, *it;
    snprintf(f->device, sizeof f->device, "%s", rheo_device_facts_of(dev)->name);
    while (at && *at && take_field(&at, '\t', one.where, sizeof one.where) && take_field(&at, '\t', one.variant, sizeof one.variant)
           && take_field(&at, '\t', one.verdict, sizeof one.verdict) && take_field(&at, '\n', one.date, sizeof one.date)
           && (it = add(f)))
        *it = one;
    free(text);
}

bool rheo_faults_remember(const rheo_faults *f, const rheo_device *dev)
{
    const size_t bytes = (size_t)f->count * (sizeof(rheo_fault) + 4) + 1;
    size_t used = 0;
    char *text = calloc(bytes, 1);
    for (int k = 0; text && k < f->count; k++)
        used += (size_t)snprintf(text + used, bytes - used, "%s\t%s\t%s\t%s\n", f->list[k].where, f->list[k].variant, f->list[k].verdict,
                                 f->list[k].date);
    const bool ok = text && rheo_device_remember(dev, what, text);
    free(text);
    return ok;
}
