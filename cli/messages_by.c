#include "cli/messages_by.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/strmap.h"
#include "lib/core/text.h"
#include "lib/sys/table.h"

#define ARENA_BYTES ((size_t)2 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)
#define NAME_BYTES  4096

enum by_column {
    COL_USER,
    COL_ACCOUNT,
    COL_CLASS,
    COL_MESSAGES,
    COL_RECIPIENTS,
    COL_BYTES,
    COL_FIRST,
    COL_LAST,
    COL_QUEUE_ID
};

static const struct table_column columns[] = {
    [COL_USER] = {.name = "user", .head = "user", .cut = 40},
    [COL_ACCOUNT] = {.name = "account", .head = "account", .canonical = true},
    [COL_CLASS] = {.name = "class", .head = "class"},
    [COL_MESSAGES] = {.name = "messages", .head = "msgs", .right = true},
    [COL_RECIPIENTS] = {.name = "recipients", .head = "rcpts", .right = true},
    [COL_BYTES] = {.name = "bytes", .head = "bytes", .right = true},
    [COL_FIRST] = {.name = "first", .head = "first", .minor = true},
    [COL_LAST] = {.name = "last", .head = "last", .minor = true},
    [COL_QUEUE_ID] = {.name = "queue_id", .head = "the last one", .expendable = true},
};

struct by_row {
    struct message_row sum; /* time_ms: of the first */
    int64_t last_ms;
};

struct by_reading {
    const struct messages_by *by;
    struct by_row **rows;
    size_t count, room;
    struct strmap index; /* class, account and user -> row */
    struct arena arena;
    struct buf key;
};

/* --- reading --------------------------------------------------------------------------------- */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory: ask for fewer days");
}

static struct by_row *row_new(struct by_reading *r, const struct message_row *row)
{
    struct by_row **grown = arena_grow(&r->arena, r->rows, r->count, &r->room, sizeof *grown);
    struct by_row *made = arena_alloc(&r->arena, sizeof *made);

    if (grown == NULL || made == NULL)
        return NULL;
    r->rows = grown;
    *made = (struct by_row){.sum = {.kind = row->kind, .time_ms = row->time_ms}};
    made->sum.user = arena_copy(&r->arena, row->user);
    made->sum.account = arena_copy(&r->arena, row->account);
    if (made->sum.user.ptr == NULL || made->sum.account.ptr == NULL)
        return NULL;
    r->rows[r->count++] = made;
    return made;
}

static struct by_row *row_of(struct by_reading *r, const struct message_row *row)
{
    struct slice key;
    void **place;

    buf_reset(&r->key);
    buf_addf(&r->key, "%d %.*s %.*s", (int)row->kind, SLICE_FMT(row->account),
             SLICE_FMT(row->user));
    place = strmap_find(&r->index, buf_slice(&r->key));
    if (place != NULL)
        return *place;
    key = arena_copy(&r->arena, buf_slice(&r->key));
    place = key.ptr != NULL ? strmap_add(&r->index, key, NULL) : NULL;
    if (place == NULL)
        return NULL;
    *place = row_new(r, row);
    return *place;
}

static int take_row(void *context, const struct message_row *row, struct err *err)
{
    struct by_reading *r = context;
    struct by_row *sum = row_of(r, row);

    if (sum == NULL)
        return no_memory(err);
    sum->sum.messages += row->messages;
    sum->sum.recipients += row->recipients;
    sum->sum.bytes += row->bytes;
    sum->last_ms = row->time_ms;
    sum->sum.queue_id = arena_copy(&r->arena, row->queue_id);
    return sum->sum.queue_id.ptr != NULL ? 0 : no_memory(err);
}

static int compare(const struct by_row *x, const struct by_row *y, bool by_bytes)
{
    uint64_t a = by_bytes ? x->sum.bytes : x->sum.messages;
    uint64_t b = by_bytes ? y->sum.bytes : y->sum.messages;

    if (a != b)
        return a > b ? -1 : 1;
    if (!slice_equal(x->sum.user, y->sum.user))
        return slice_compare(x->sum.user, y->sum.user);
    return (int)x->sum.kind - (int)y->sum.kind;
}

static int most_messages(const void *a, const void *b)
{
    return compare(*(struct by_row *const *)a, *(struct by_row *const *)b, false);
}

static int most_bytes(const void *a, const void *b)
{
    return compare(*(struct by_row *const *)a, *(struct by_row *const *)b, true);
}

/* --- writing --------------------------------------------------------------------------------- */

static void add_row(struct table *l, const struct by_row *row)
{
    table_row(l);
    if (row->sum.user.len > 0)
        table_text(l, COL_USER, row->sum.user);
    else
        table_shown(l, COL_USER, SLICE("(no user)"));
    table_text(l, COL_ACCOUNT, row->sum.account);
    table_text(l, COL_CLASS, slice_str(messages_read_class(row->sum.kind)));
    table_count(l, COL_MESSAGES, row->sum.messages);
    table_count(l, COL_RECIPIENTS, row->sum.recipients);
    table_count(l, COL_BYTES, row->sum.bytes);
    table_time(l, COL_FIRST, row->sum.time_ms);
    table_time(l, COL_LAST, row->last_ms);
    table_text(l, COL_QUEUE_ID, row->sum.queue_id);
}

static void add_text(const struct by_reading *r, const struct table *l,
                     const struct messages_known *known, struct buf *b)
{
    const struct range *range = r->by->range;
    struct render_style style;

    cli_style(&style);
    if (l->row_count > 0) {
        table_table(l, &style, true, b);
        table_note_hidden(l, &style, b);
        buf_add_char(b, '\n');
    }
    buf_addf(b, "%zu of %zu on this node, %s, from %s to %s.\n", l->row_count, r->count,
             r->by->cli->settings->node, range->from_text, range->to_text);
    if (known->oldest.number > 1 && known->oldest.time_ms > r->by->query.from_ms) {
        buf_add_str(b, "Kept from ");
        text_time(b, known->oldest.time_ms / 1000);
        buf_add_str(b, " on this node (ledger.keep_messages).\n");
    }
}

static int show(struct by_reading *r, const struct messages_known *known)
{
    size_t top = r->by->top;
    struct table l;
    struct buf b;
    int code;

    if (r->count > 1)
        qsort(r->rows, r->count, sizeof(*r->rows), r->by->by_bytes ? most_bytes : most_messages);
    table_init(&l, columns, sizeof columns / sizeof columns[0], &r->arena);
    for (size_t i = 0; i < r->count && (top == 0 || i < top); i++)
        add_row(&l, r->rows[i]);
    buf_init(&b, TEXT_BYTES);
    if (r->by->format == FORMAT_CSV)
        table_csv(&l, true, &b);
    else if (r->by->format == FORMAT_JSON)
        table_json_lines(&l, &b);
    else
        add_text(r, &l, known, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int messages_by(struct messages_by *by)
{
    struct by_reading r = {.by = by};
    struct messages_known known;
    struct err err = {0};
    int code;

    by->query.users = by->query.nobody = true;
    by->query.from_ms = (int64_t)by->range->time.from * 1000;
    by->query.to_ms = (int64_t)by->range->time.to * 1000;
    arena_init(&r.arena, ARENA_BYTES);
    buf_init(&r.key, NAME_BYTES);
    strmap_init(&r.index);
    code = messages_read(&by->query, take_row, &r, &known, &err) == 0 ? show(&r, &known)
                                                                      : cli_fail(&err);
    strmap_fini(&r.index);
    buf_fini(&r.key);
    arena_fini(&r.arena);
    return code;
}
