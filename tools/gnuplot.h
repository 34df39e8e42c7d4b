/* Pictures drawn by gnuplot from scripts, where it is installed: a program that is run, not a library. */
#ifndef RHEO_TOOLS_GNUPLOT_H
#define RHEO_TOOLS_GNUPLOT_H

typedef enum gnuplot_drawing { GNUPLOT_DREW, GNUPLOT_MISSING, GNUPLOT_FAILED } gnuplot_drawing;

/* Runs a script of the folder, in it; what it says goes to stderr. */
gnuplot_drawing gnuplot_draw(const char *folder, const char *script);

/* before'text', as gnuplot writes a quote in quotes. NULL when out of memory; the caller frees it. */
char *gnuplot_quoted(const char *before, const char *text);

#endif
