/* The two processes of `rheo doctor` (child.h): the child checks, the parent keeps what it finds. */
#ifndef RHEO_TOOLS_DOCTOR_H
#define RHEO_TOOLS_DOCTOR_H

#include "child.h"

/* From the child. */
typedef struct doctor_message {
    enum { DOCTOR_STARTS, DOCTOR_TRIES, DOCTOR_FOUND, DOCTOR_ENDS } what;
    rheo_device_info device;    /* starts; its kind is a pointer, */
    char kind[16];              /* and here */
    rheo_finding finding;       /* tries: of what comes next; found */
    rheo_error err;             /* ends: how */
} doctor_message;

/* To it, after all but the last. */
typedef struct doctor_answer {
    int stop, known;
    rheo_finding finding;       /* known: what came of it in an earlier process */
} doctor_answer;

/* What is known of one device. */
typedef struct doctor_record {
    bool started;
    rheo_device_info device;
    char kind[16];
    rheo_finding *list;
    int count, capacity;
    int of;                     /* checks there are */
    rheo_error err;             /* why it is not complete */
} doctor_record;

/* The child's part. user and stop of the options are set here. Returns the exit code. */
int doctor_check(rheo_doctor_options *o);

/* The parent's: argv starts a child, a check may take `limit` seconds. */
void doctor_supervise(char **argv, double limit, doctor_record *r);
bool doctor_is_bad(const rheo_finding *f);      /* neither ok nor slow */

/* doctor_report.c. The table of a device and a paragraph for a bug report; or all as JSON, NULL when out of memory. */
void doctor_print(const doctor_record *r);
struct cJSON *doctor_json(const doctor_record *r);

#endif
