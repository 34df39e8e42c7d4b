/* Errors are values: a call returns the class, the caller's rheo_error holds the words.
 * The library never prints, exits or aborts. */
#ifndef RHEO_BASE_ERROR_H
#define RHEO_BASE_ERROR_H

#include "rheo/rheo.h"

/* Fills err (may be NULL) with a formatted one-line message and returns status, so that a
 * failing function ends in `return rheo_fail(err, RHEO_EFORMAT, "%s: found %d, expected %d", ...)`.
 * The first message wins: an err that already holds a failure is left as it is. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
rheo_status rheo_fail(rheo_error *err, rheo_status status, const char *format, ...);

#endif
