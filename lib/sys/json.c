#include "lib/sys/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/format.h"
#include "lib/core/render.h"

/* The digits of a quotient: it has three decimals (render_exact). */
#define FLAGS      (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))
#define TEXT_BYTES 4096

json_t *json_text(struct slice text)
{
    struct buf clean;
    json_t *json = json_stringn(text.len > 0 ? text.ptr : "", text.len);

    if (json != NULL)
        return json;
    buf_init(&clean, text.len * 2 + 16);
    format_text(&clean, text);
    json = clean.failed ? NULL : json_stringn(clean.data, clean.len);
    buf_fini(&clean);
    return json;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

/* JSON knows no limit, but nearly every reader takes 2^63 for one. */
static json_t *number(uint64_t n)
{
    return json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static json_t *value_of(const struct report_column *column, uint64_t value)
{
    if (value == REPORT_UNKNOWN)
        return json_null();
    if (column->kind == COLUMN_SUM)
        return number(value);
    return json_real((double)((value + 500) / 1000) / 1000);
}

static void add_values(const struct report_grid *g, const uint64_t *values, json_t *into)
{
    for (size_t c = 0; c < g->kind->column_count; c++)
        (void)json_object_set_new(into, g->kind->columns[c].name,
                                  value_of(&g->kind->columns[c], values[c]));
}

static void add_coverage(const struct report_grid *g, const struct coverage *coverage, json_t *into)
{
    struct buf text;

    if (g->coverage == NULL)
        return;
    buf_init(&text, TEXT_BYTES);
    render_coverage(g, coverage, &text);
    (void)json_object_set_new(into, "coverage", json_text(buf_slice(&text)));
    buf_fini(&text);
}

static json_t *remarks_of(const struct report_grid *g)
{
    json_t *remarks = json_array();

    for (size_t i = 0; i < g->remark_count; i++)
        (void)json_array_append_new(remarks, json_text(g->remarks[i]));
    return remarks;
}

static json_t *columns_of(const struct report_grid *g)
{
    json_t *columns = json_array();

    for (size_t c = 0; c < g->kind->column_count; c++)
        (void)json_array_append_new(columns, json_string(g->kind->columns[c].name));
    return columns;
}

static json_t *head_of(const struct report_grid *g)
{
    json_t *head = json_object();

    (void)json_object_set_new(head, "report", json_string(g->kind->name));
    (void)json_object_set_new(head, "scope", json_string(g->scope));
    (void)json_object_set_new(head, "name", g->name.len > 0 ? json_text(g->name) : json_null());
    (void)json_object_set_new(head, "from", json_text(g->from));
    (void)json_object_set_new(head, "to", json_text(g->to));
    (void)json_object_set_new(head, "timezone", json_text(g->timezone));
    (void)json_object_set_new(head, "step", text_or_null(g->label_names[GRID_STEP]));
    (void)json_object_set_new(head, "by", text_or_null(g->label_names[GRID_BY]));
    (void)json_object_set_new(head, "complete", json_boolean(g->complete));
    (void)json_object_set_new(head, "note", g->note.len > 0 ? json_text(g->note) : json_null());
    add_coverage(g, g->coverage, head);
    if (g->coverage != NULL)
        (void)json_object_set_new(head, "remarks", remarks_of(g));
    (void)json_object_set_new(head, "columns", columns_of(g));
    return head;
}

static json_t *row_of(const struct report_grid *g, const struct report_grid_row *row)
{
    json_t *json = json_object();

    for (int l = 0; l < GRID_LABELS; l++) {
        if (g->label_names[l] != NULL)
            (void)json_object_set_new(json, g->label_names[l], json_text(row->label[l]));
    }
    if (g->billing) {
        (void)json_object_set_new(json, "from", json_text(g->from));
        (void)json_object_set_new(json, "to", json_text(g->to));
        (void)json_object_set_new(json, "complete", json_boolean(g->complete));
    }
    add_values(g, row->values, json);
    add_coverage(g, row->coverage, json);
    return json;
}

static json_t *tail_of(const struct report_grid *g)
{
    json_t *tail = json_object(), *total = json_object(), *others = json_null();

    if (g->others_count > 0) {
        others = json_object();
        (void)json_object_set_new(others, "rows", number(g->others_count));
        add_values(g, g->others, others);
    }
    add_values(g, g->total, total);
    (void)json_object_set_new(tail, "others", others);
    (void)json_object_set_new(tail, "total", total);
    return tail;
}

/* Writes a value and forgets it; the outer brackets of head and tail are ours (JSON_EMBED). */
static int put(json_t *json, size_t flags, FILE *out)
{
    int result = json != NULL ? json_dumpf(json, out, FLAGS | flags) : -1;

    json_decref(json);
    return result;
}

int json_write_grid(const struct report_grid *g, FILE *out, struct err *err)
{
    bool good = fputc('{', out) != EOF && put(head_of(g), JSON_EMBED, out) == 0 &&
                fputs(",\"rows\":[", out) != EOF;

    for (size_t i = 0; good && i < g->count; i++)
        good = fputs(i > 0 ? ",\n" : "\n", out) != EOF && put(row_of(g, &g->rows[i]), 0, out) == 0;
    good = good && fputs("],\n", out) != EOF && put(tail_of(g), JSON_EMBED, out) == 0 &&
           fputs("}\n", out) != EOF;
    return good ? 0 : err_set(err, EX_IOERR, "cannot write JSON");
}

void json_add(struct buf *b, json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags | JSON_PRESERVE_ORDER);

    if (text == NULL)
        b->failed = true;
    else
        buf_add_str(b, text);
    buf_add_char(b, '\n');
    free(text);
    json_decref(json);
}
