#ifndef TG_SYS_TABLE_H
#define TG_SYS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/render.h"

/*
 * Rows of cells of any kind, filled once and written as a table for people, as CSV or as JSON. (A
 * grid, lib/core/report_grid.h, is for counters alone.)
 *
 * Owner: the arena given holds all.  Errors: out of memory is sticky (`failed`).
 */

enum cell_kind { CELL_NONE, CELL_TEXT, CELL_NUMBER, CELL_BOOL };

struct json_t; /* of jansson */

struct cell {
    enum cell_kind kind; /* of the exact value, for CSV and JSON; NONE: empty, null */
    struct slice text;
    uint64_t number;    /* CELL_BOOL: 0 or 1 */
    struct slice shown; /* in tables */
};

struct table_column {
    const char *name; /* in CSV and JSON; NULL: in tables alone */
    const char *head; /* in tables; NULL: not there */
    bool right;       /* its texts end under each other */
    /* A table that is wider than the terminal is fitted in this order: */
    bool minor;      /* left out first */
    size_t cut;      /* then shortened to this; 0: never */
    bool expendable; /* at last left out, too */
    size_t least;    /* at least so wide (for tables that go on) */
    bool canonical;  /* its texts are names of accounts, never a stranger's: exact in CSV */
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct arena *arena;
    struct cell *cells; /* column_count a row */
    size_t row_count, room;
    bool failed;
};

void table_init(struct table *l, const struct table_column *columns, size_t count,
                struct arena *arena) TG_NONNULL(1);
/* A new row; its cells are empty. */
void table_row(struct table *l) TG_NONNULL(1);

/* Set a cell of the last row. `shown` is copied and may be empty: then the exact value is shown. */
void table_text(struct table *l, size_t column, struct slice text) TG_NONNULL(1);
void table_shown(struct table *l, size_t column, struct slice shown)
    TG_NONNULL(1); /* nothing exact */
/* After the value is set: tables show this in its place. */
void table_shorten(struct table *l, size_t column, struct slice shown) TG_NONNULL(1);
void table_number(struct table *l, size_t column, uint64_t number, struct slice shown)
    TG_NONNULL(1);
/* Tables show it with its thousands apart. */
void table_count(struct table *l, size_t column, uint64_t number) TG_NONNULL(1);
/* RFC 3339 for programs; in tables "11-21 13:04", in the configured zone. */
void table_time(struct table *l, size_t column, int64_t unix_ms) TG_NONNULL(1);
void table_bool(struct table *l, size_t column, bool value, const char *shown) TG_NONNULL(1);

void table_table(const struct table *l, const struct render_style *style, bool head, struct buf *b)
    TG_NONNULL(1);
/* "Not shown for lack of room: client, from", if table_table leaves out columns in that style. */
void table_note_hidden(const struct table *l, const struct render_style *style, struct buf *b)
    TG_NONNULL(1, 2, 3);
void table_csv(const struct table *l, bool head, struct buf *b) TG_NONNULL(1);
/* An array of objects; the caller's. */
struct json_t *table_json(const struct table *l) TG_NONNULL(1);
/* One object a line. */
void table_json_lines(const struct table *l, struct buf *b) TG_NONNULL(1);

#endif
