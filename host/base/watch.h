/* Who is told how far a long call is. */
#ifndef RHEO_BASE_WATCH_H
#define RHEO_BASE_WATCH_H

#include "base/clock.h"
#include "rheo/rheo.h"

typedef struct rheo_watch { /* a zeroed one tells nobody */
    rheo_batch_progress *progress;
    void *user;
    double began;
} rheo_watch;

/* Both accept NULL. */
static inline void rheo_watch_begin(rheo_watch *w)
{
    if (w) w->began = rheo_seconds();
}

static inline void rheo_watch_tell(const rheo_watch *w, uint32_t done, uint32_t of)
{
    if (w && w->progress) w->progress(w->user, done, of, rheo_seconds() - w->began);
}

#endif
