/* Tables as text: RFC 4180 by libcsv, separated by commas, semicolons or tabs, numbers with a decimal point. */
#include <csv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "data/table.h"

enum { LONGEST_LINE = 1 << 20, SHOWN = 40, SEPARATORS = 3 };

static const char separator[SEPARATORS] = { ',', ';', '\t' };
static const char *const format_name[SEPARATORS][2] = {
    { "CSV without a header", "CSV with a header" },
    { "CSV (semicolons) without a header", "CSV (semicolons) with a header" },
    { "CSV (tabs) without a header", "CSV (tabs) with a header" },
};

typedef struct reader {
    const char *path;
    const rheo_reading *how;
    rheo_table *table;
    unsigned line;           /* in hand, from 1 */
    unsigned record;         /* line at which the row in hand began */
    uint32_t field;          /* fields of that row so far */
    uint32_t fields;         /* of every row; 0 before the first has ended */
    char **first;            /* the first row's fields, until it has ended; room for `room` */
    uint32_t room;
    char (*name)[RHEO_COLUMN_NAME];     /* [fields] */
    int64_t *place;          /* [fields] of each in the table, or -1 */
    bool header;
    uint64_t rows_room;
    rheo_error *err;
    rheo_status status;
} reader;

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static bool is_number(const char *text, double *x)
{
    char *end = NULL;
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;      /* strtod knows more: hexadecimals, nan */
    *x = strtod(text, &end);
    return !*end;
}

/* Nothing, or one of the usual words for it: never the name of a column. */
static bool is_missing(const char *text)
{
    static const char *const words[] = { "", "na", "n/a", "nan", "null", "none", "?", "-" };
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (!strcasecmp(text, words[k])) return true;
    return false;
}

/* Line feeds and the like would break lines of messages. */
static void without_control(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = ' ';
}

/* The beginning of a field, for a message of one line. */
static const char *shown(const char *text, char out[SHOWN + 1])
{
    size_t n = strlen(text);
    if (n > SHOWN) n = SHOWN;
    memcpy(out, text, n);
    out[n] = '\0';
    out[rheo_utf8_check(out, n)] = '\0';
    without_control(out);
    return out;
}

/* "column 2", with its name where it has one. */
static const char *called(const reader *r, uint32_t k, char out[RHEO_COLUMN_NAME + 32])
{
    snprintf(out, RHEO_COLUMN_NAME + 32, r->header ? "column %u (%s)" : "column %u", k + 1, r->header ? r->name[k] : "");
    return out;
}

static void take_number(reader *r, uint32_t k, const char *text)
{
    rheo_table *t = r->table;
    char column[RHEO_COLUMN_NAME + 32], found[SHOWN + 1];
    double x = NAN;
    const bool number = is_number(text, &x);
    if (r->place[k] < 0) return;
    if (number && fabs(x) <= RHEO_STANDARD_MOST) t->value[(uint64_t)t->rows * t->columns + (uint64_t)r->place[k]] = x;
    else if (number)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u, %s: found %s, expected a number from -1e30 to 1e30", r->path, r->record,
                              called(r, k, column), shown(text, found));
    else if (!*text)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u, %s: found nothing, expected a number", r->path, r->record,
                              called(r, k, column));
    else
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u, %s: found '%s', expected a number%s", r->path, r->record, called(r, k, column),
                              shown(text, found), is_missing(text) ? "" : "; --columns chooses others");
}

/* Room for one more row of values. */
static void make_room(reader *r)
{
    rheo_table *t = r->table;
    if (t->rows < r->rows_room) return;
    if (t->rows == UINT32_MAX) {
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: more than %u rows", r->path, r->line, UINT32_MAX);
        return;
    }
    const uint64_t room = r->rows_room ? 2 * r->rows_room : 64;
    double *more = realloc(t->value, (size_t)(room * t->columns) * sizeof *more);
    if (!more) {
        r->status = rheo_fail(r->err, RHEO_ENOMEM, "%s: no memory for %llu rows", r->path, (unsigned long long)room);
        return;
    }
    t->value = more;
    r->rows_room = room;
}

static void keep_field(reader *r, const char *text, size_t n)
{
    if (r->field == r->room) {
        const uint32_t room = r->room ? 2 * r->room : 16;
        char **more = realloc(r->first, room * sizeof *more);
        if (!more) {
            r->status = rheo_fail(r->err, RHEO_ENOMEM, "%s: out of memory", r->path);
            return;
        }
        r->first = more;
        r->room = room;
    }
    r->first[r->field] = strndup(text, n);
    if (!r->first[r->field]) r->status = rheo_fail(r->err, RHEO_ENOMEM, "%s: out of memory", r->path);
    else r->field++;
}

static void on_field(void *text, size_t n, void *user)
{
    reader *r = user;
    if (r->status) return;
    if (!r->fields && r->field == RHEO_TABLE_COLUMNS)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: more than %d columns", r->path, r->record, RHEO_TABLE_COLUMNS);
    else if (!r->fields) keep_field(r, text ? text : "", n);
    else if (r->field++ < r->fields) take_number(r, r->field - 1, text ? text : "");
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static void take_name(reader *r, uint32_t k)
{
    char *text = r->first[k];
    const size_t n = strlen(text);
    without_control(text);
    if (rheo_utf8_check(text, n) != n)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: the name of column %u is not UTF-8", r->path, r->record, k + 1);
    else if (n >= RHEO_COLUMN_NAME)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: the name of column %u has %zu bytes, expected fewer than %d", r->path,
                              r->record, k + 1, n, RHEO_COLUMN_NAME);
    else if (r->header && n) strcpy(r->name[k], text);
    else snprintf(r->name[k], RHEO_COLUMN_NAME, "%u", k + 1);
    for (uint32_t i = 0; i < k && !r->status; i++)
        if (!strcmp(r->name[i], r->name[k]))
            r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: columns %u and %u have one name: %s", r->path, r->record, i + 1, k + 1,
                                  r->name[k]);
}

/* The first row: names, or numbers like all others. */
static void begin_table(reader *r)
{
    rheo_table *t = r->table;
    uint32_t *chosen = NULL;
    double x;
    r->fields = r->field;
    for (uint32_t k = 0; k < r->fields; k++) r->header = r->header || !(is_missing(r->first[k]) || is_number(r->first[k], &x));
    r->name = calloc(r->fields, sizeof *r->name);
    r->place = malloc(r->fields * sizeof *r->place);
    if (!r->name || !r->place) r->status = rheo_fail(r->err, RHEO_ENOMEM, "%s: out of memory", r->path);
    for (uint32_t k = 0; k < r->fields && !r->status; k++) take_name(r, k);
    if (!r->status) r->status = rheo_table_choose(r->path, r->name, r->fields, r->header, r->how, &chosen, &t->columns, r->err);
    if (!r->status && !(t->name = calloc(t->columns, sizeof *t->name))) r->status = rheo_fail(r->err, RHEO_ENOMEM, "%s: out of memory", r->path);
    for (uint32_t k = 0; k < r->fields && !r->status; k++) r->place[k] = -1;
    for (uint32_t k = 0; k < t->columns && !r->status; k++) {
        r->place[chosen[k]] = k;
        strcpy(t->name[k], r->name[chosen[k]]);
    }
    free(chosen);
    if (r->status) return;
    make_room(r);
    for (uint32_t k = 0; k < r->fields && !r->header && !r->status; k++) take_number(r, k, r->first[k]);
    if (!r->header) t->rows = 1;
}

static void on_row(int end, void *user)
{
    reader *r = user;
    (void)end;
    if (r->status || !r->field) return;
    if (!r->fields) begin_table(r);
    else if (r->field != r->fields)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: found %u columns, expected %u as in the first line", r->path, r->record,
                              r->field, r->fields);
    else r->table->rows++;
    if (!r->status) make_room(r);
    r->field = 0;
    r->record = r->line + 1;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

/* The end of the line that begins at `at`, its end of line included: LF, CR LF or CR. */
static size_t line_end(const uint8_t *bytes, size_t n, size_t at)
{
    while (at < n && bytes[at] != '\n' && bytes[at] != '\r') at++;
    if (at < n) at += bytes[at] == '\r' && at + 1 < n && bytes[at + 1] == '\n' ? 2 : 1;
    return at;
}

/* The most frequent in the first line, outside of quotes. */
static int find_separator(const uint8_t *bytes, size_t n)
{
    const size_t end = line_end(bytes, n, 0);
    size_t count[SEPARATORS] = { 0 };
    bool quoted = false;
    int best = 0;
    for (size_t i = 0; i < end && i < LONGEST_LINE; i++) {
        if (bytes[i] == '"') quoted = !quoted;
        for (int k = 0; k < SEPARATORS; k++) count[k] += !quoted && bytes[i] == (uint8_t)separator[k];
    }
    for (int k = 1; k < SEPARATORS; k++)
        if (count[k] > count[best]) best = k;
    return best;
}

static void read_lines(reader *r, struct csv_parser *p, const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at < n && !r->status; r->line++) {
        const size_t end = line_end(bytes, n, at), length = end - at;
        if (!r->field && !p->entry_pos && !p->quoted) r->record = r->line;      /* else the row began in an earlier line, inside of quotes */
        if (length > LONGEST_LINE || p->entry_pos > LONGEST_LINE)
            r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: more than %d bytes", r->path, r->record, LONGEST_LINE);
        else if (memchr(bytes + at, '\0', length))
            r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: found a zero byte, expected text", r->path, r->line);
        if (r->status) return;
        const size_t read = csv_parse(p, bytes + at, length, on_field, on_row, r);
        if (read != length && !r->status)
            r->status = csv_error(p) == CSV_EPARSE
                            ? rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u, byte %zu: a quote in the middle of a field", r->path, r->line, read)
                            : rheo_fail(r->err, RHEO_ENOMEM, "%s: line %u: %s", r->path, r->line, csv_strerror(csv_error(p)));
        at = end;
    }
    if (!r->status && csv_fini(p, on_field, on_row, r) && !r->status)
        r->status = rheo_fail(r->err, RHEO_EFORMAT, "%s: line %u: its quotes do not end", r->path, r->record);
}

rheo_status rheo_csv_parse(const char *path, const uint8_t *bytes, size_t n, const rheo_reading *how, rheo_table *out, rheo_error *err)
{
    rheo_table table = { .h = 1, .w = 1 };
    reader r = { .path = path, .how = how, .table = &table, .line = 1, .record = 1, .err = err };
    struct csv_parser p;
    if (n >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3)) {
        bytes += 3;
        n -= 3;
    }
    const int k = find_separator(bytes, n);
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL)) return rheo_fail(err, RHEO_ENOMEM, "%s: out of memory", path);
    csv_set_delim(&p, (unsigned char)separator[k]);
    csv_set_blk_size(&p, 4096);
    read_lines(&r, &p, bytes, n);
    csv_free(&p);
    if (!r.status && !table.rows)
        r.status = rheo_fail(err, RHEO_EFORMAT, "%s: %s", path, r.header ? "found a header and no rows, expected rows of numbers" : "the file is empty");
    table.format = format_name[k][r.header];
    for (uint32_t i = 0; i < r.room && r.first && !r.fields; i++)
        if (i < r.field) free(r.first[i]);
    for (uint32_t i = 0; i < r.fields; i++) free(r.first[i]);
    free(r.first);
    free(r.name);
    free(r.place);
    if (r.status) rheo_table_free(&table);
    else *out = table;
    return r.status;
}
