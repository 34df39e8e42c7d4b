/* Recording for the device: buffers for a layout, and the launches that nodes emit. */
#include <stdlib.h>
#include <string.h>

#include "graph/device_program.h"

struct rheo_launcher {
    rheo_device_program *program;
    const rheo_node *node;
    cl_mem *in, out[RHEO_MAX_OUT], work;
};

/* ---- buffers ------------------------------------------------------------------------------------ */

static rheo_view *find_view(const rheo_device_program *p, const rheo_place *place)
{
    uint64_t h = ((uint64_t)place->kind << 60) ^ ((uint64_t)place->index << 44) ^ place->offset * 0x9e3779b97f4a7c15u ^ place->bytes << 20;
    for (h ^= h >> 29;; h++) {
        rheo_view *v = &p->views[h & (uint64_t)(p->n_buckets - 1)];
        const rheo_place *q = &v->place;
        if (!v->buffer || (q->kind == place->kind && q->index == place->index && q->offset == place->offset && q->bytes == place->bytes))
            return v;
    }
}

static rheo_status grow_views(rheo_device_program *p, rheo_error *err)
{
    if (2 * (p->n_views + 1) <= p->n_buckets) return RHEO_OK;
    const rheo_device_program old = *p;
    p->n_buckets = old.n_buckets ? 2 * old.n_buckets : 256;
    p->views = calloc((size_t)p->n_buckets, sizeof *p->views);
    if (!p->views) {
        *p = old;
        return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    }
    for (int k = 0; k < old.n_buckets; k++)
        if (old.views[k].buffer) *find_view(p, &old.views[k].place) = old.views[k];
    free(old.views);
    return RHEO_OK;
}

static rheo_status make_view(rheo_device_program *p, const rheo_place *place, cl_mem *out, rheo_error *err)
{
    if (place->kind == RHEO_LITERAL) {
        const rheo_status st = rheo_buffer_create(p->dev, place->bytes, out, err);
        return st ? st : rheo_write(p->dev, *out, 0, place->bytes, p->g->nodes[place->index]->attr, err);
    }
    cl_mem parent = NULL;
    if (place->kind == RHEO_IN_ARENA) {
        parent = p->arenas[place->index];
    } else {
        const rheo_status st = rheo_state_buffer(p->state, place->index, &parent, err);
        if (st) return st;
    }
    return rheo_buffer_window(p->dev, parent, place->offset, place->bytes, out, err);
}

rheo_status rheo_device_view(rheo_device_program *p, const rheo_place *place, cl_mem *out, rheo_error *err)
{
    rheo_status st = grow_views(p, err);
    if (st) return st;
    rheo_view *v = find_view(p, place);
    if (!v->buffer) {
        st = make_view(p, place, &v->buffer, err);
        if (st) return st;
        v->place = *place;
        p->n_views++;
    }
    *out = v->buffer;
    return RHEO_OK;
}

/* ---- recording ------------------------------------------------------------------------------------ */

const rheo_device_facts *rheo_launcher_facts(const rheo_launcher *l) { return rheo_device_facts_of(l->program->dev); }
cl_mem rheo_in(const rheo_launcher *l, int i) { return l->in[i]; }
cl_mem rheo_out(const rheo_launcher *l, int k) { return l->out[k]; }
cl_mem rheo_work(const rheo_launcher *l) { return l->work; }

bool rheo_in_place_of_pack(const rheo_launcher *l, int i)
{
    const rheo_pack_attr *pack = l->node->attr;
    const rheo_place *whole = &l->program->l->place[l->node->id * RHEO_MAX_OUT];
    const rheo_place *part = &l->program->l->place[rheo_slot_of(l->node->in[i])];
    return i < pack->n && part->kind == whole->kind && part->index == whole->index &&
           part->offset == whole->offset + (size_t)pack->offset[i] * 4;
}

rheo_grid rheo_grid_items(const rheo_launcher *l, int64_t items)
{
    const rheo_device_facts *f = rheo_launcher_facts(l);
    const int64_t count = items > 0 ? items : 1;
    if (f->kind == RHEO_CPU) {
        /* Chunks large enough to hide a group's start-up, several a core so that uneven cores even out. */
        int64_t chunks = (count + 1023) / 1024;
        const int64_t most = 8 * (int64_t)f->compute_units;
        if (chunks > most) chunks = most;
        return rheo_grid_single(chunks, 1, 1);
    }
    const size_t group = f->max_group < 128 ? f->max_group : 128;
    const int64_t most = (int64_t)f->compute_units * 4096;
    return (rheo_grid){ { (size_t)(count < most ? count : most), 1, 1 }, { group, 1, 1 } };
}

rheo_grid rheo_grid_single(int64_t x, int64_t y, int64_t z)
{
    return (rheo_grid){ { (size_t)x, (size_t)y, (size_t)z }, { 1, 1, 1 } };
}

static rheo_status push(rheo_device_program *p, rheo_command c, rheo_error *err)
{
    if (!rheo_grow((void **)&p->commands, &p->commands_capacity, p->n_commands + 1, sizeof *p->commands))
        return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    p->commands[p->n_commands++] = c;
    return RHEO_OK;
}

/* Of one of the node's buffers. An input that lies where an output does is written. */
static bool find_access(const rheo_launcher *l, cl_mem buffer, rheo_access *out)
{
    const rheo_layout *layout = l->program->l;
    const rheo_node *n = l->node;
    int i = 0, k = 0;
    while (k < n->n_out && l->out[k] != buffer) k++;
    while (i < n->n_in && l->in[i] != buffer) i++;
    if (l->work == buffer) *out = (rheo_access){ layout->work[n->id], true };
    else if (k < n->n_out) *out = (rheo_access){ layout->place[n->id * RHEO_MAX_OUT + k], true };
    else if (i < n->n_in) *out = (rheo_access){ layout->place[rheo_slot_of(n->in[i])], false };
    else return false;
    return true;
}

rheo_status rheo_emit(rheo_launcher *l, const char *program, const char *kernel, rheo_grid grid, int n_args, const rheo_arg *args,
                      rheo_error *err)
{
    rheo_device_program *p = l->program;
    rheo_command c = { .kind = RHEO_LAUNCH, .node = l->node->id, .grid = grid, .n_args = n_args };
    const rheo_status st = rheo_kernel_get(p->dev, program, kernel, &c.kernel, err);
    if (st) return st;
    c.args = rheo_graph_alloc(p->g, (size_t)n_args * sizeof *args);
    c.uses = rheo_graph_alloc(p->g, (size_t)n_args * sizeof *c.uses);
    if (!c.args || !c.uses) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    memcpy(c.args, args, (size_t)n_args * sizeof *args);
    for (int a = 0; a < n_args; a++)
        if (args[a].is_buffer && args[a].value.buffer && !find_access(l, args[a].value.buffer, &c.uses[c.n_uses++]))
            return rheo_fail(err, RHEO_EINVAL, "kernel %s: argument %d is no input, output or workspace of %s", kernel, a, l->node->op->name);
    p->n_launches++;
    return push(p, c, err);
}

rheo_status rheo_emit_call(rheo_launcher *l, rheo_call call, const void *data, size_t bytes, rheo_error *err)
{
    rheo_device_program *p = l->program;
    rheo_command c = { .kind = RHEO_CALL, .node = l->node->id, .call = call, .data = rheo_graph_alloc(p->g, bytes) };
    if (!c.data) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    memcpy(c.data, data, bytes);
    p->n_launches++;
    return push(p, c, err);
}

static rheo_status record_node(rheo_device_program *p, const rheo_node *n, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    if (n->op->flags & (RHEO_OP_LEAF | RHEO_OP_ALIAS | RHEO_OP_LITERAL)) return RHEO_OK;
    cl_mem few[16];
    rheo_launcher l = { .program = p, .node = n, .in = few };
    if (n->n_in > 16 && !(l.in = malloc((size_t)n->n_in * sizeof *l.in))) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    for (int i = 0; i < n->n_in && !st; i++) st = rheo_device_view(p, &p->l->place[rheo_slot_of(n->in[i])], &l.in[i], err);
    for (int k = 0; k < n->n_out && !st; k++) st = rheo_device_view(p, &p->l->place[n->id * RHEO_MAX_OUT + k], &l.out[k], err);
    if (!st && p->l->work[n->id].bytes) st = rheo_device_view(p, &p->l->work[n->id], &l.work, err);
    if (!st) st = n->op->launch(&l, n, err);
    if (l.in != few) free(l.in);
    return st;
}

/* With separate buffers: what is dead must not be read again. */
static rheo_status record_deaths(rheo_device_program *p, const rheo_node *n, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    for (int i = 0; i < n->n_in && !st; i++) {
        const int s = rheo_slot_of(n->in[i]);
        const rheo_place *place = &p->l->place[s];
        if (place->kind != RHEO_IN_ARENA || p->l->death[s] != n->id || n->in_spec[i].type != RHEO_F32) continue;
        rheo_command c = { .kind = RHEO_FILL_NAN, .node = n->id, .bytes = place->bytes };
        st = rheo_device_view(p, place, &c.buffer, err);
        if (!st) st = push(p, c, err);
    }
    return st;
}

rheo_status rheo_device_program_create(rheo_graph *g, const rheo_layout *layout, rheo_state *state, bool separate,
                                       rheo_device_program **out, rheo_error *err)
{
    rheo_status st = RHEO_OK;
    rheo_device_program *p = calloc(1, sizeof *p);
    if (!p) return rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    p->g = g;
    p->l = layout;
    p->state = state;
    p->dev = rheo_state_device(state);
    p->arenas = calloc((size_t)layout->n_arenas + 1, sizeof *p->arenas);
    if (!p->arenas) st = rheo_fail(err, RHEO_ENOMEM, "plan: out of memory");
    for (int k = 0; k < layout->n_arenas && !st; k++) st = rheo_buffer_create(p->dev, layout->arena_bytes[k], &p->arenas[k], err);
    for (int k = 0; k < layout->n_order && !st; k++) {
        st = record_node(p, g->nodes[layout->order[k]], err);
        if (!st && separate) st = record_deaths(p, g->nodes[layout->order[k]], err);
    }
    if (!st) st = rheo_device_program_overlap(p, err);
    if (!st) st = rheo_finish(p->dev, err);     /* literals are on the device now */
    if (!st) {
        *out = p;
        p = NULL;
    }
    rheo_device_program_destroy(p);
    return st;
}

void rheo_device_program_destroy(rheo_device_program *p)
{
    if (!p) return;
    for (int k = 0; k < p->n_buckets; k++) rheo_buffer_release(p->views[k].buffer);
    for (int k = 0; p->arenas && k < p->l->n_arenas; k++) rheo_buffer_release(p->arenas[k]);
    free(p->views);
    free(p->arenas);
    free(p->commands);
    free(p->overlaps);
    free(p);
}

int rheo_device_program_launches(const rheo_device_program *p) { return p->n_launches; }
