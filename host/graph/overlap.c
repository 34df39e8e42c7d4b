/* Which launches may run side by side: those of which none reads or writes what the other writes. Commands are cut into sections of
 * RHEO_SECTION_MOST; in one that overlaps each launch waits for those before it that it depends on, unless another it waits for does. */
#include <stdlib.h>
#include <string.h>

#include "graph/device_program.h"

enum { WORD = 64, WORDS = RHEO_SECTION_MOST / WORD };

typedef struct ancestors {
    uint64_t bits[WORDS];       /* commands of the section that pass before it begins */
    int chain;                  /* the longest of them, one after another, and itself */
} ancestors;

static bool same_memory(const rheo_place *a, const rheo_place *b)
{
    return a->kind == b->kind && a->index == b->index && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool depends(const rheo_command *c, const rheo_command *on)
{
    for (int i = 0; i < c->n_uses; i++)
        for (int j = 0; j < on->n_uses; j++)
            if ((c->uses[i].writes || on->uses[j].writes) && same_memory(&c->uses[i].place, &on->uses[j].place)) return true;
    return false;
}

static void wait_for(ancestors *a, const ancestors *all, int k)
{
    a->bits[k / WORD] |= (uint64_t)1 << k % WORD;
    for (int w = 0; w < WORDS; w++) a->bits[w] |= all[k].bits[w];
    if (a->chain < all[k].chain + 1) a->chain = all[k].chain + 1;
}

/* The latest first: what they wait for themselves need not be named. */
static bool order(rheo_device_program *p, rheo_command *c, int k, ancestors *all)
{
    uint8_t after[RHEO_SECTION_MOST];
    all[k] = (ancestors){ .chain = 1 };
    c->n_after = 0;
    for (int i = k - 1; i >= 0; i--) {
        if (all[k].bits[i / WORD] >> i % WORD & 1 || !depends(c, c - k + i)) continue;
        after[c->n_after++] = (uint8_t)i;
        wait_for(&all[k], all, i);
    }
    uint8_t *kept = rheo_graph_alloc(p->g, (size_t)c->n_after + 1);
    if (kept) memcpy(kept, after, (size_t)c->n_after);
    c->after = kept;
    return kept != NULL;
}

/* Queueing without order costs a little: of the launches, an eighth and more must not be one after another. */
static bool section_overlaps(rheo_device_program *p, int at, bool *ok)
{
    const int n = rheo_section_length(p, at);
    ancestors all[RHEO_SECTION_MOST];
    int longest = 0;
    for (int k = 0; k < n && *ok; k++) {
        if (p->commands[at + k].kind != RHEO_LAUNCH) return false;
        *ok = order(p, &p->commands[at + k], k, all);
        if (longest < all[k].chain) longest = all[k].chain;
    }
    return *ok && longest < n - n / 8;
}

rheo_status rheo_device_program_overlap(rheo_device_program *p, rheo_error *err)
{
    p->overlaps = calloc((size_t)p->n_commands / RHEO_SECTION_MOST + 1, sizeof *p->overlaps);
    bool ok = p->overlaps != NULL;
    for (int at = 0; at < p->n_commands && ok && rheo_device_facts_of(p->dev)->overlaps; at += RHEO_SECTION_MOST)
        p->overlaps[at / RHEO_SECTION_MOST] = section_overlaps(p, at, &ok);
    return ok ? RHEO_OK : rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
}
