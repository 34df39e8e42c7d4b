/* The page that `rheo report` writes: one file of HTML with its pictures inside and nothing to run. */
#ifndef RHEO_TOOLS_REPORT_PAGE_H
#define RHEO_TOOLS_REPORT_PAGE_H

#include <stdio.h>

#include "run_log.h"

typedef struct report_page {
    const char *run;
    const run_log *log;
    const char *curves;                 /* folder of the curves, NULL: there are none */
    const char *sheet;                  /* a PNG, or NULL */
    const rheo_evaluation *evaluation;  /* of some images, or NULL: not_evaluated says why */
    const char *not_evaluated;
} report_page;

/* Errors: RHEO_EFILE names a picture that cannot be read. */
rheo_status report_page_write(FILE *to, const report_page *page, rheo_error *err);

#endif
