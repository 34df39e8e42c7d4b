/* A device as the public calls tell of it. */
#ifndef RHEO_API_DEVICES_H
#define RHEO_API_DEVICES_H

#include "runtime/runtime.h"

void rheo_device_describe(const rheo_device_facts *f, rheo_device_info *to);    /* `chosen` is 0 */

#endif
