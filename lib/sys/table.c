#include "lib/sys/table.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "lib/core/err.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/json.h"

#define COLUMNS_MAX 32
#define GAP         2
#define NOTE_BYTES  4096

/* --- filling --------------------------------------------------------------------------------- */

void table_init(struct table *l, const struct table_column *columns, size_t count,
                struct arena *arena)
{
    TG_ASSERT(count <= COLUMNS_MAX);
    *l = (struct table){.columns = columns, .column_count = count, .arena = arena};
}

void table_row(struct table *l)
{
    if (l->row_count == l->room && !l->failed) {
        size_t room = l->room == 0 ? 16 : l->room * 2;
        struct cell *cells = arena_array(l->arena, room * l->column_count, sizeof *cells);

        if (cells == NULL) {
            l->failed = true;
            return;
        }
        if (l->row_count > 0)
            memcpy(cells, l->cells, l->row_count * l->column_count * sizeof *cells);
        l->cells = cells;
        l->room = room;
    }
    if (!l->failed)
        l->row_count++;
}

static struct slice keep(struct table *l, struct slice text)
{
    struct slice kept = text.len > 0 ? arena_copy(l->arena, text) : SLICE("");

    l->failed = l->failed || kept.ptr == NULL;
    return kept;
}

static void set(struct table *l, size_t column, struct cell cell)
{
    if (!l->failed && l->row_count > 0)
        l->cells[(l->row_count - 1) * l->column_count + column] = cell;
}

void table_text(struct table *l, size_t column, struct slice text)
{
    struct slice kept = keep(l, text);

    set(l, column, (struct cell){.kind = CELL_TEXT, .text = kept, .shown = kept});
}

void table_shown(struct table *l, size_t column, struct slice shown)
{
    set(l, column, (struct cell){.shown = keep(l, shown)});
}

void table_shorten(struct table *l, size_t column, struct slice shown)
{
    struct slice kept = keep(l, shown);

    if (!l->failed && l->row_count > 0)
        l->cells[(l->row_count - 1) * l->column_count + column].shown = kept;
}

static struct slice digits(struct table *l, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, number);

    return keep(l, (struct slice){text, (size_t)len});
}

void table_number(struct table *l, size_t column, uint64_t number, struct slice shown)
{
    set(l, column,
        (struct cell){.kind = CELL_NUMBER,
                      .number = number,
                      .text = digits(l, number),
                      .shown = shown.len > 0 ? keep(l, shown) : digits(l, number)});
}

void table_count(struct table *l, size_t column, uint64_t number)
{
    struct buf shown;

    buf_init(&shown, 64);
    format_count(&shown, number);
    table_number(l, column, number, buf_slice(&shown));
    buf_fini(&shown);
}

void table_bool(struct table *l, size_t column, bool value, const char *shown)
{
    set(l, column,
        (struct cell){.kind = CELL_BOOL,
                      .number = value,
                      .text = slice_str(value ? "true" : "false"),
                      .shown = keep(l, slice_str(shown))});
}

void table_time(struct table *l, size_t column, int64_t unix_ms)
{
    struct buf b;

    buf_init(&b, 256);
    text_time_exact(&b, unix_ms / 1000);
    table_text(l, column, buf_slice(&b));
    buf_reset(&b);
    text_time(&b, unix_ms / 1000);
    /* in tables without the year and the seconds */
    table_shorten(
        l, column,
        slice_to(slice_from(buf_slice(&b), sizeof "2026-" - 1), sizeof "11-21 13:04" - 1));
    buf_fini(&b);
}

static const struct cell *cell_at(const struct table *l, size_t row, size_t column)
{
    return &l->cells[row * l->column_count + column];
}

/* --- the table ------------------------------------------------------------------------------- */

struct table_layout {
    const struct table *l;
    const struct render_style *style;
    size_t width[COLUMNS_MAX];
    bool hidden[COLUMNS_MAX];
    bool dropped[COLUMNS_MAX]; /* hidden for lack of room */
};

/* Columns in which nobody has anything say nothing. */
static bool is_empty(const struct table *l, size_t column)
{
    for (size_t r = 0; r < l->row_count; r++) {
        if (cell_at(l, r, column)->shown.len > 0)
            return false;
    }
    return l->columns[column].least == 0;
}

static void measure(struct table_layout *y)
{
    const struct table *l = y->l;

    for (size_t c = 0; c < l->column_count; c++) {
        y->hidden[c] = l->columns[c].head == NULL || is_empty(l, c);
        if (y->hidden[c])
            continue;
        y->width[c] = strlen(l->columns[c].head);
        if (l->columns[c].least > y->width[c])
            y->width[c] = l->columns[c].least;
        for (size_t r = 0; r < l->row_count; r++) {
            size_t width = format_width(cell_at(l, r, c)->shown);

            y->width[c] = width > y->width[c] ? width : y->width[c];
        }
    }
}

static size_t whole_width(const struct table_layout *y)
{
    size_t width = 0;

    for (size_t c = 0; c < y->l->column_count; c++)
        width += y->hidden[c] ? 0 : y->width[c] + GAP;
    return width > GAP ? width - GAP : 0;
}

static size_t excess(const struct table_layout *y)
{
    size_t width = whole_width(y);

    return y->style->width == 0 || width <= y->style->width ? 0 : width - y->style->width;
}

static void shorten(struct table_layout *y)
{
    const struct table *l = y->l;

    for (size_t c = 0; c < l->column_count && excess(y) > 0; c++) {
        size_t least = l->columns[c].cut, over = excess(y);

        if (y->hidden[c] || least == 0 || y->width[c] <= least)
            continue;
        y->width[c] = y->width[c] - least < over ? least : y->width[c] - over;
    }
}

/* The rightmost one; false: there is none. */
static bool leave_out(struct table_layout *y, bool expendable)
{
    const struct table *l = y->l;

    for (size_t c = l->column_count; c-- > 0;) {
        if (!y->hidden[c] && (expendable ? l->columns[c].expendable : l->columns[c].minor))
            return y->hidden[c] = y->dropped[c] = true;
    }
    return false;
}

static void squeeze(struct table_layout *y)
{
    size_t whole[COLUMNS_MAX];

    while (excess(y) > 0 && leave_out(y, false))
        continue;
    memcpy(whole, y->width, sizeof whole);
    shorten(y);
    while (excess(y) > 0 && leave_out(y, true)) {
        memcpy(y->width, whole, sizeof whole);
        shorten(y);
    }
}

static void add_cell(const struct table_layout *y, size_t column, struct slice text, struct buf *b)
{
    size_t width = y->width[column];

    if (y->l->columns[column].right)
        format_right(b, text, width);
    else if (y->l->columns[column].cut == 0)
        format_left(b, text, width);
    else
        format_fit(b, text, width, y->style->utf8 ? "…" : "...");
}

static void end_line(struct buf *b)
{
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
    buf_add_char(b, '\n');
}

static void add_line(const struct table_layout *y, size_t row, bool head, struct buf *b)
{
    const char *between = "";

    for (size_t c = 0; c < y->l->column_count; c++) {
        if (y->hidden[c])
            continue;
        buf_add_str(b, between);
        add_cell(y, c, head ? slice_str(y->l->columns[c].head) : cell_at(y->l, row, c)->shown, b);
        between = "  ";
    }
    end_line(b);
}

void table_table(const struct table *l, const struct render_style *style, bool head, struct buf *b)
{
    struct table_layout y = {.l = l, .style = style};

    if (l->failed)
        b->failed = true;
    measure(&y);
    squeeze(&y);
    if (head) {
        buf_add_str(b, style->colour ? "\033[1m" : "");
        add_line(&y, 0, true, b);
        buf_add_str(b, style->colour ? "\033[0m" : "");
        format_fill(b, style->utf8 ? "─" : "-", whole_width(&y));
        buf_add_char(b, '\n');
    }
    for (size_t r = 0; r < l->row_count; r++)
        add_line(&y, r, false, b);
}

void table_note_hidden(const struct table *l, const struct render_style *style, struct buf *b)
{
    struct table_layout y = {.l = l, .style = style};
    const char *between = "Not shown for lack of room: ";
    struct buf note;

    buf_init(&note, NOTE_BYTES);
    measure(&y);
    squeeze(&y);
    for (size_t c = 0; c < l->column_count; c++) {
        if (!y.dropped[c] || l->columns[c].head[0] == '\0')
            continue;
        buf_addf(&note, "%s%s", between, l->columns[c].head);
        between = ", ";
    }
    if (note.len > 0) {
        buf_add_char(b, '\n');
        text_wrap(b, 0, false, style->width, buf_slice(&note));
    }
    buf_fini(&note);
}

/* --- CSV and JSON ---------------------------------------------------------------------------- */

static void csv_cell(const struct table_column *column, const struct cell *cell, struct buf *b)
{
    if (cell == NULL)
        buf_add_str(b, column->name);
    else if (cell->kind == CELL_TEXT && !column->canonical)
        render_csv_text(b, cell->text);
    else
        buf_add(b, cell->text);
}

void table_csv(const struct table *l, bool head, struct buf *b)
{
    b->failed = b->failed || l->failed;
    for (size_t r = 0; r < l->row_count + (head ? 1 : 0); r++) {
        const char *between = "";

        for (size_t c = 0; c < l->column_count; c++) {
            if (l->columns[c].name == NULL)
                continue;
            buf_add_str(b, between);
            csv_cell(&l->columns[c], head && r == 0 ? NULL : cell_at(l, r - (head ? 1 : 0), c), b);
            between = ",";
        }
        buf_add_str(b, "\r\n");
    }
}

static json_t *cell_json(const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_TEXT:
        return json_text(cell->text);
    case CELL_NUMBER:
        return json_integer(cell->number < INT64_MAX ? (json_int_t)cell->number : INT64_MAX);
    case CELL_BOOL:
        return json_boolean(cell->number != 0);
    case CELL_NONE:
        break;
    }
    return json_null();
}

static json_t *row_json(const struct table *l, size_t row)
{
    json_t *o = json_object();

    for (size_t c = 0; c < l->column_count; c++) {
        if (l->columns[c].name != NULL)
            (void)json_object_set_new(o, l->columns[c].name, cell_json(cell_at(l, row, c)));
    }
    return o;
}

json_t *table_json(const struct table *l)
{
    json_t *rows = json_array();

    for (size_t r = 0; r < l->row_count; r++)
        (void)json_array_append_new(rows, row_json(l, r));
    return rows;
}

void table_json_lines(const struct table *l, struct buf *b)
{
    b->failed = b->failed || l->failed;
    for (size_t r = 0; r < l->row_count; r++)
        json_add(b, row_json(l, r), JSON_COMPACT);
}
