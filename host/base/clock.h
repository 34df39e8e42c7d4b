/* Time for measuring. */
#ifndef RHEO_BASE_CLOCK_H
#define RHEO_BASE_CLOCK_H

/* Seconds since some fixed moment, never going back. */
double rheo_seconds(void);

#endif
