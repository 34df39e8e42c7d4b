/* Data files, gnuplot scripts and pictures of `rheo toy`. */
#ifndef RHEO_TOOLS_TOY_PLOT_H
#define RHEO_TOOLS_TOY_PLOT_H

#include <stdbool.h>

#include "rheo/rheo.h"

/* Each writes into the folder; false: err says what went wrong. */
bool toy_folder(const char *folder, rheo_error *err);                          /* makes it; one that is there is fine */
bool toy_write_field(const char *folder, const float *field, rheo_error *err); /* field.dat, field.gp */
bool toy_write_mixing(const char *folder, const float *x, uint32_t n, const rheo_toy_number *numbers, rheo_error *err); /* mixing.* */

#endif
