#include "api/devices.h"

#include <stdio.h>
#include <stdlib.h>

#include "graph/faults.h"

void rheo_device_describe(const rheo_device_facts *f, rheo_device_info *to)
{
    static const char *const kinds[] = { "cpu", "gpu", "accelerator" };
    snprintf(to->name, sizeof to->name, "%s", f->name);
    snprintf(to->vendor, sizeof to->vendor, "%s", f->vendor);
    snprintf(to->platform, sizeof to->platform, "%s", f->platform);
    snprintf(to->driver, sizeof to->driver, "%s", f->driver);
    snprintf(to->version, sizeof to->version, "%s", f->version);
    to->chosen = 0;
    to->kind = kinds[f->kind];
    to->software = f->software;
    to->compute_units = f->compute_units;
    to->clock_mhz = f->clock_mhz;
    to->vector_width = f->vector_width;
    to->global_bytes = f->global_bytes;
    to->local_bytes = f->local_bytes;
    to->largest_buffer_bytes = f->largest_buffer_bytes;
}

rheo_status rheo_devices(rheo_device_info **out, size_t *count, rheo_error *err)
{
    rheo_device_facts *facts = NULL;
    rheo_device_info *list = NULL;
    size_t n = 0, chosen = 0;
    rheo_status st = rheo_device_list(&facts, &n, err);
    if (st) return st;
    if (n > 0) st = rheo_device_default(&chosen, err);
    if (st) goto done;
    list = calloc(n + 1, sizeof *list);
    if (!list) {
        st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
        goto done;
    }
    for (size_t k = 0; k < n; ++k) {
        rheo_device_describe(&facts[k], &list[k]);
        list[k].chosen = k == chosen;
    }
    *out = list;
    *count = n;
done:
    free(facts);
    return st;
}

rheo_status rheo_device_remarks(const char *device, char **out, rheo_error *err)
{
    rheo_device *dev = NULL;
    rheo_faults faults = { 0 };
    rheo_status st = rheo_device_open(device, &dev, err);
    if (st) return st;
    rheo_faults_recall(&faults, dev);
    if (!(*out = rheo_faults_text(&faults))) st = rheo_fail(err, RHEO_ENOMEM, "out of memory");
    rheo_faults_free(&faults);
    rheo_device_close(dev);
    return st;
}
