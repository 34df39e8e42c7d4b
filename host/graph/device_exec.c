/* Running on the device: recorded launches, replayed as often as wanted. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "graph/device_program.h"

static rheo_status run_command(rheo_device_program *p, const rheo_command *c, rheo_error *err)
{
    if (c->kind == RHEO_CALL) return c->call(p->dev, c->data, err);
    if (c->kind == RHEO_FILL_NAN) return rheo_fill(p->dev, c->buffer, 0, c->bytes, 0x7fc00000u, err);
    return rheo_launch(p->dev, c->kernel, c->grid, c->args, c->n_args, err);
}

static rheo_status copy_place(rheo_device_program *p, const rheo_place *from, const rheo_place *to, rheo_error *err)
{
    cl_mem a = NULL, b = NULL;
    rheo_status st = rheo_device_view(p, from, &a, err);
    if (!st) st = rheo_device_view(p, to, &b, err);
    return st ? st : rheo_copy(p->dev, a, 0, b, 0, to->bytes, err);
}

static rheo_status final_copies(rheo_device_program *p, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0; k < p->l->n_copies && !st; k++) {
        const rheo_final_copy *c = &p->l->copies[k];
        if (c->staged) st = copy_place(p, &p->l->place[rheo_slot_of(c->value)], &c->stage, err);
    }
    for (int k = 0; k < p->l->n_copies && !st; k++) {
        const rheo_final_copy *c = &p->l->copies[k];
        st = copy_place(p, c->staged ? &c->stage : &p->l->place[rheo_slot_of(c->value)], &p->l->place[rheo_slot_of(c->window)], err);
    }
    return st;
}

/* Of n commands, those that do not depend on each other side by side. */
static rheo_status run_section(rheo_device_program *p, const rheo_command *first, int n, rheo_error *err)
{
    rheo_status st = rheo_section_begin(p->dev, err);
    if (st) return st;
    for (const rheo_command *c = first; c < first + n && !st; c++)
        st = rheo_section_launch(p->dev, c->kernel, c->grid, c->args, c->n_args, c->after, c->n_after, err);
    const rheo_status ended = rheo_section_end(p->dev, err);
    return st ? st : ended;
}

rheo_status rheo_device_program_run(rheo_device_program *p, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int k = 0, n; k < p->n_commands && !st; k += n) {
        const bool overlaps = p->overlaps[k / RHEO_SECTION_MOST];
        n = overlaps ? rheo_section_length(p, k) : 1;
        st = overlaps ? run_section(p, &p->commands[k], n, err) : run_command(p, &p->commands[k], err);
    }
    if (!st) st = final_copies(p, err);
    return st ? st : rheo_flush(p->dev, err);
}

rheo_status rheo_device_program_profile(rheo_device_program *p, double *seconds, int *launches, rheo_error *err)
{
    rheo_status st = rheo_finish(p->dev, err);
    for (int k = 0; k < p->n_commands && !st; k++) {
        const double start = rheo_seconds();
        st = run_command(p, &p->commands[k], err);
        if (!st) st = rheo_finish(p->dev, err);
        seconds[p->commands[k].node] += rheo_seconds() - start;
        launches[p->commands[k].node]++;
    }
    return st ? st : final_copies(p, err);
}

/* ---- looking for what went wrong -------------------------------------------------------------------- */

static rheo_status check_output(rheo_device_program *p, const rheo_node *n, int k, bool *bad, int64_t *sample, rheo_error *err)
{
    const rheo_shape shape = n->out[k].shape;
    const int64_t count = rheo_count(shape);
    cl_mem buffer = NULL;
    rheo_status st = rheo_device_view(p, &p->l->place[n->id * RHEO_MAX_OUT + k], &buffer, err);
    if (st) return st;
    float *values = malloc((size_t)count * sizeof *values);
    if (!values) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    st = rheo_read(p->dev, buffer, 0, (size_t)count * sizeof *values, values, err);
    for (int64_t i = 0; i < count && !st && !*bad; i++)
        if (!isfinite(values[i])) {
            *bad = true;
            *sample = i / (count / shape.n);
        }
    free(values);
    return st;
}

rheo_status rheo_device_program_find_nonfinite(rheo_device_program *p, int *node, int64_t *sample, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    bool bad = false;
    *node = -1;
    for (int k = 0; k < p->n_commands && !st && !bad; k++) {
        const rheo_node *n = p->g->nodes[p->commands[k].node];
        st = run_command(p, &p->commands[k], err);
        if (k + 1 < p->n_commands && p->commands[k + 1].node == n->id) continue;
        for (int o = 0; o < n->n_out && !st && !bad; o++)
            if (n->out[o].type == RHEO_F32) st = check_output(p, n, o, &bad, sample, err);
        if (bad) *node = n->id;
    }
    return st;
}
