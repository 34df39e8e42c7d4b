/* Curves of a training run, drawn by gnuplot from a data file and a script that stay beside them. */
#ifndef RHEO_TOOLS_RUN_PLOT_H
#define RHEO_TOOLS_RUN_PLOT_H

#include "gnuplot.h"
#include "run_log.h"

typedef enum run_figure {
    RUN_LOSS,           /* of training and of validation */
    RUN_GRADIENT,
    RUN_RATE,
    RUN_SPEED,
    RUN_LEVELS,         /* validation by bands of noise levels */
    RUN_FIGURES
} run_figure;

/* "loss": its picture is loss.png. */
const char *run_figure_name(run_figure which);
/* What it shows, in words. */
const char *run_figure_title(run_figure which);

/* Has the log a number for it? Others are not drawn. */
bool run_figure_has_data(const run_log *log, run_figure which);

/* Writes curves.dat and curves.gp into the folder. */
rheo_status run_plot_write(const char *folder, const run_log *log, rheo_error *err);

/* Draws them: NAME.png for each figure that has data. */
gnuplot_drawing run_plot_draw(const char *folder);

#endif
