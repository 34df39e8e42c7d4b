/* The pictures of a run: curves of its training, and a sheet of samples at several temperatures. */
#ifndef RHEO_TOOLS_RUN_PICTURES_H
#define RHEO_TOOLS_RUN_PICTURES_H

#include "run_plot.h"
#include "tool.h"

/* Makes the folder. Writes curves.dat and curves.gp into it and has gnuplot draw them; where it cannot, says so on stderr. *drawn: it could. */
rheo_status run_pictures_curves(const char *command, const char *folder, const run_log *log, bool *drawn, rheo_error *err);

/* Of flows of images: writes the sheet as `path`. *made: it is one. */
rheo_status run_pictures_sheet(rheo_checkpoint *c, const char *path, uint64_t seed, tool_origin *origin, bool *made, rheo_error *err);

/* FOLDER/NAME; NULL when out of memory, and *err says so. The caller frees it. */
char *run_pictures_path(const char *folder, const char *name, rheo_error *err);

#endif
