/* tollgate messages: the messages behind a figure, on this node. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/messages_by.h"
#include "cli/options.h"
#include "cli/range.h"
#include "lib/core/address.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/ledger/messages_read.h"
#include "lib/sources/source.h"
#include "lib/sys/table.h"

#define ARENA_BYTES ((size_t)2 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)
#define TABLE_ROWS  1000  /* of a table, unless --top says otherwise */
#define PART_ROWS   10000 /* written at a time */
#define ROWS_MOST   100000000

enum messages_column {
    COL_TIME,
    COL_NODE,
    COL_QUEUE_ID,
    COL_CLASS,
    COL_ACCOUNT,
    COL_USER,
    COL_USERS,
    COL_RECIPIENTS,
    COL_BYTES,
    COL_SIZE,
    COL_PRIORITY,
    COL_SPAM,
    COL_HELD
};

static const struct table_column columns[] = {
    [COL_TIME] = {.name = "time", .head = "time"},
    [COL_NODE] = {.name = "node"},
    [COL_QUEUE_ID] = {.name = "queue_id", .head = "queue id"},
    [COL_CLASS] = {.name = "class", .head = "class"},
    [COL_ACCOUNT] = {.name = "account", .head = "account", .canonical = true},
    [COL_USER] = {.name = "user", .head = "user", .cut = 30, .expendable = true},
    [COL_USERS] = {.name = "users"},
    [COL_RECIPIENTS] = {.name = "recipients", .head = "rcpts", .right = true},
    [COL_BYTES] = {.name = "bytes", .head = "bytes", .right = true},
    [COL_SIZE] = {.name = "size", .head = "size", .right = true, .minor = true},
    [COL_PRIORITY] = {.name = "priority"},
    [COL_SPAM] = {.name = "spam"},
    [COL_HELD] = {.name = "held"},
};

struct messages {
    struct cli *cli;
    const char *domain_text, *user_text, *from, *to;
    bool server;
    int class_, by, sort, format;
    uint64_t top;
    struct messages_query query;
    struct messages_known known;
    struct range range;
    struct message_row *rows;
    size_t count, room;
    struct message_row sum; /* of all, shown or not */
    struct strmap names;    /* accounts and users, each kept once */
    struct arena arena;
};

/* In the order of enum leg_kind, without LEG_MESSAGE. */
static const char *const classes[] = {
    "in", "out", "forward", "relay", "local_sent", "local_received", NULL};
enum messages_sort { SORT_TIME, SORT_BYTES };
static const char *const sorts[] = {"time", "bytes", NULL};
static const char *const by_names[] = {"user", NULL};
static const char *const formats[] = {"table", "csv", "json", NULL}; /* as in enum format */
static const struct options_row rows[] = {
    {.name = "server",
     OPTIONS_FLAG,
     offsetof(struct messages, server),
     .help = "as the node's own account counts them: each message once, or once a class"},
    {.name = "domain",
     OPTIONS_TEXT,
     offsetof(struct messages, domain_text),
     "D",
     "those of one account: a domain, or _unattributed"},
    {.name = "user",
     OPTIONS_TEXT,
     offsetof(struct messages, user_text),
     "U",
     "those of one user, such as alice@example.com"},
    {.name = "class",
     OPTIONS_CHOICE,
     offsetof(struct messages, class_),
     "C",
     "in, out, forward, relay, local_sent or local_received",
     .choices = classes},
    {.name = "by",
     OPTIONS_CHOICE,
     offsetof(struct messages, by),
     "user",
     "sums of each user and class in place of messages, the most first: who is behind a figure",
     .choices = by_names},
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct messages, from),
     "DATE",
     "the first day: 2026-11-21, today, -7days (default: yesterday; with --to, the first of "
     "its month)"},
    {.name = "to", OPTIONS_TEXT, offsetof(struct messages, to), "DATE", "the last day, included"},
    {.name = "sort",
     OPTIONS_CHOICE,
     offsetof(struct messages, sort),
     "time|bytes",
     "the newest first (default), or the largest first; with --by user, bytes: by bytes",
     .choices = sorts},
    {.name = "top",
     OPTIONS_NUMBER,
     offsetof(struct messages, top),
     "N",
     "the first N rows (default: of a table 1,000, else all)",
     .least = 1,
     .most = ROWS_MOST},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct messages, format),
     "table|csv|json",
     "output format (table); JSON is one object per line",
     .choices = formats},
    {.name = NULL}};
static const struct options_word words[] = {{.name = NULL}};
static const struct options_table table = {
    .command = "messages",
    .synopsis = "messages [--server | --domain D | --user U] [--class C] [--by user]\n"
                "                [--from DATE] [--to DATE] [--sort time|bytes] [--top N] [--format "
                "table|csv|json]",
    .words = words,
    .rows = rows,
    .notes = "Lists the messages that this node has counted, as long as ledger.keep_messages keeps "
             "them. Run it as root, on the node itself."};

/* --- reading --------------------------------------------------------------------------------- */

/* Accounts and users come again and again. */
static struct slice name_keep(struct messages *m, struct slice name)
{
    void **place = strmap_find(&m->names, name);
    struct slice *kept = place != NULL ? *place : NULL;

    if (kept != NULL || name.len == 0)
        return kept != NULL ? *kept : SLICE_NONE;
    kept = arena_alloc(&m->arena, sizeof *kept);
    if (kept == NULL)
        return SLICE_NONE;
    *kept = arena_copy(&m->arena, name);
    place = kept->ptr != NULL ? strmap_add(&m->names, *kept, NULL) : NULL;
    if (place == NULL)
        return SLICE_NONE;
    *place = kept;
    return *kept;
}

static bool room_make(struct messages *m)
{
    size_t room = m->room > 0 ? 2 * m->room : 1024;
    struct message_row *grown;

    if (m->count < m->room)
        return true;
    grown = reallocarray(m->rows, room, sizeof *grown);
    if (grown == NULL)
        return false;
    m->rows = grown;
    m->room = room;
    return true;
}

static int take_row(void *context, const struct message_row *row, struct err *err)
{
    struct messages *m = context;
    struct message_row *kept;

    if (!room_make(m))
        return err_set(err, EX_OSERR, "out of memory: ask for fewer days");
    kept = &m->rows[m->count++];
    *kept = *row;
    kept->queue_id = row->queue_id.len > 0 ? arena_copy(&m->arena, row->queue_id) : SLICE_NONE;
    kept->account = name_keep(m, row->account);
    kept->user = name_keep(m, row->user);
    m->sum.messages += row->messages;
    m->sum.recipients += row->recipients;
    m->sum.bytes += row->bytes;
    if (kept->account.ptr == NULL || (row->user.len > 0 && kept->user.ptr == NULL) ||
        (row->queue_id.len > 0 && kept->queue_id.ptr == NULL))
        return err_set(err, EX_OSERR, "out of memory: ask for fewer days");
    return 0;
}

static int newest_first(const struct message_row *x, const struct message_row *y)
{
    return x->number != y->number ? (x->number < y->number) - (x->number > y->number)
                                  : (int)x->kind - (int)y->kind;
}

static int by_time(const void *a, const void *b)
{
    const struct message_row *x = a, *y = b;

    if (x->time_ms != y->time_ms)
        return (x->time_ms < y->time_ms) - (x->time_ms > y->time_ms);
    return newest_first(x, y);
}

static int by_bytes(const void *a, const void *b)
{
    const struct message_row *x = a, *y = b;

    if (x->bytes != y->bytes)
        return (x->bytes < y->bytes) - (x->bytes > y->bytes);
    return newest_first(x, y);
}

static int rows_read(struct messages *m, struct err *err)
{
    m->query.settings = m->cli->settings;
    m->query.from_ms = (int64_t)m->range.time.from * 1000;
    m->query.to_ms = (int64_t)m->range.time.to * 1000;
    m->query.kind = m->class_;
    if (messages_read(&m->query, take_row, m, &m->known, err) != 0)
        return -1;
    if (m->count > 0)
        qsort(m->rows, m->count, sizeof *m->rows, m->sort == SORT_BYTES ? by_bytes : by_time);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static const char *const priority_names[] = {[PRIORITY_NORMAL] = "normal",
                                             [PRIORITY_HIGH] = "high",
                                             [PRIORITY_LOW] = "low",
                                             [PRIORITY_BULK] = "bulk"};

static void add_users(struct table *l, const struct message_row *row)
{
    struct buf b;

    table_text(l, COL_USER, row->user);
    table_number(l, COL_USERS, row->users, SLICE_NONE);
    if (row->users < 2)
        return;
    buf_init(&b, 64);
    buf_addf(&b, "(%" PRIu64 " users)", row->users);
    table_shorten(l, COL_USER, buf_slice(&b));
    buf_fini(&b);
}

static void add_row(struct table *l, const struct messages *m, const struct message_row *row)
{
    table_row(l);
    table_time(l, COL_TIME, row->time_ms);
    table_text(l, COL_NODE, slice_str(m->cli->settings->node));
    table_text(l, COL_QUEUE_ID, row->queue_id);
    table_text(l, COL_CLASS, slice_str(messages_read_class(row->kind)));
    table_text(l, COL_ACCOUNT, row->account);
    add_users(l, row);
    table_count(l, COL_RECIPIENTS, row->recipients);
    table_count(l, COL_BYTES, row->bytes);
    table_count(l, COL_SIZE, row->size);
    table_text(l, COL_PRIORITY, slice_str(priority_names[row->priority]));
    table_bool(l, COL_SPAM, row->is_spam, NULL);
    table_bool(l, COL_HELD, row->was_held, NULL);
}

static void add_note(struct buf *b, const struct messages *m)
{
    const struct journal_oldest *oldest = &m->known.oldest;

    if (oldest->number == 0)
        buf_add_str(b, "No message is kept on this node (ledger.keep_messages).\n");
    if (oldest->number > 1 && oldest->time_ms > m->query.from_ms) {
        buf_add_str(b, "Kept from ");
        text_time(b, oldest->time_ms / 1000);
        buf_add_str(b, " on this node (ledger.keep_messages).\n");
    }
    if (m->known.released > 0)
        buf_addf(b,
                 "Not listed: %" PRIu64
                 " released in this time, and held before the oldest that is kept.\n",
                 m->known.released);
}

/* "1,234 messages, 1,300 recipients, 12.3 MB of this node, mx1, from ... to ..." */
static void add_sum(struct buf *b, const struct messages *m, size_t shown)
{
    format_count(b, m->sum.messages);
    buf_add_str(b, m->sum.messages == 1 ? " message, " : " messages, ");
    format_count(b, m->sum.recipients);
    buf_add_str(b, m->sum.recipients == 1 ? " recipient, " : " recipients, ");
    format_count(b, m->sum.bytes);
    buf_addf(b, " bytes on this node, %s, from %s to %s", m->cli->settings->node,
             m->range.from_text, m->range.to_text);
    if (shown < m->count) {
        buf_add_str(b, "; the first ");
        format_count(b, shown);
        buf_add_str(b, " are shown (--top)");
    }
    buf_add_str(b, ".\n");
}

static int write_table(struct messages *m, size_t shown)
{
    struct render_style style;
    struct table l;
    struct buf b;
    int code;

    table_init(&l, columns, sizeof columns / sizeof columns[0], &m->arena);
    for (size_t i = 0; i < shown; i++)
        add_row(&l, m, &m->rows[i]);
    cli_style(&style);
    buf_init(&b, TEXT_BYTES);
    if (shown > 0) {
        table_table(&l, &style, true, &b);
        table_note_hidden(&l, &style, &b);
        buf_add_char(&b, '\n');
    }
    add_sum(&b, m, shown);
    add_note(&b, m);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* CSV and JSON in parts: they may be long. What they lack is said on stderr. */
static int write_part(struct messages *m, size_t from, size_t to)
{
    struct arena arena;
    struct table l;
    struct buf b;
    int code;

    arena_init(&arena, ARENA_BYTES);
    table_init(&l, columns, sizeof columns / sizeof columns[0], &arena);
    for (size_t i = from; i < to; i++)
        add_row(&l, m, &m->rows[i]);
    buf_init(&b, TEXT_BYTES);
    if (m->format == FORMAT_CSV)
        table_csv(&l, from == 0, &b);
    else
        table_json_lines(&l, &b);
    b.failed = b.failed || l.failed;
    code = cli_write(&b);
    buf_fini(&b);
    arena_fini(&arena);
    return code;
}

static int write_rows(struct messages *m, size_t shown)
{
    struct buf note;
    size_t at = 0;
    int code;

    do {
        size_t end = shown - at > PART_ROWS ? at + PART_ROWS : shown;

        code = write_part(m, at, end);
        at = end;
    } while (code == EX_OK && at < shown);
    buf_init(&note, TEXT_BYTES);
    add_note(&note, m);
    (void)fputs(note.len > 0 ? note.data : "", stderr);
    buf_fini(&note);
    return code;
}

static int show(struct messages *m)
{
    uint64_t most = m->top > 0 ? m->top : m->format == FORMAT_TABLE ? TABLE_ROWS : ROWS_MOST;
    size_t shown = m->count < most ? m->count : (size_t)most;

    return m->format == FORMAT_TABLE ? write_table(m, shown) : write_rows(m, shown);
}

/* --- the command ----------------------------------------------------------------------------- */

static int find_domain(struct messages *m, struct err *err)
{
    struct slice typed = slice_str(m->domain_text);

    m->query.account = typed;
    if (typed.len == 0 || slice_equal(typed, SLICE(ACCOUNT_UNATTRIBUTED)) ||
        domain_canonical(typed, &m->arena, &m->query.account, err) == 0)
        return 0;
    err->code = EX_USAGE;
    return cli_bad_value(err, "--domain", m->domain_text);
}

static int find_user(struct messages *m, struct err *err)
{
    struct slice delimiters;
    struct address a;

    if (m->user_text == NULL)
        return 0;
    if (address_parse(slice_str(m->user_text), &m->arena, &a, err) != 0) {
        err->code = EX_USAGE;
        return cli_bad_value(err, "--user", m->user_text);
    }
    if (a.domain.len == 0)
        return err_set(err, EX_USAGE,
                       "--user %s: give the whole address, such as alice@example.com",
                       m->user_text);
    if (source_user_delimiters(m->cli->settings, &m->arena, &delimiters, err) != 0)
        return -1;
    m->query.user = address_user_by(&a, delimiters, &m->arena);
    return m->query.user.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int find_server(struct messages *m, struct err *err)
{
    struct buf name;

    if (!m->server)
        return 0;
    buf_init(&name, 256);
    buf_addf(&name, "@%s", m->cli->settings->node);
    m->query.account = arena_copy(&m->arena, buf_slice(&name));
    buf_fini(&name);
    return m->query.account.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int sums_show(struct messages *m)
{
    struct messages_by by = {.cli = m->cli,
                             .query = m->query,
                             .range = &m->range,
                             .by_bytes = m->sort == SORT_BYTES,
                             .top = (size_t)m->top,
                             .format = m->format};

    by.query.settings = m->cli->settings;
    by.query.kind = m->class_;
    return messages_by(&by);
}

static int run(struct messages *m)
{
    struct err err = {0};
    int code = cli_load(m->cli);

    if (code != EX_OK)
        return code;
    if (find_domain(m, &err) != 0 || find_user(m, &err) != 0 || find_server(m, &err) != 0 ||
        range_parse(m->cli, &m->range, m->from != NULL || m->to != NULL ? m->from : "-1days", m->to,
                    false, &err) != 0)
        return cli_fail(&err);
    if (m->by >= 0)
        return sums_show(m);
    return rows_read(m, &err) == 0 ? show(m) : cli_fail(&err);
}

int command_messages(struct cli *cli, int argc, char **argv)
{
    struct messages m = {.cli = cli, .class_ = -1, .by = -1};
    char **typed;
    int code = options_parse(&table, cli, &m, argc, argv, &typed);

    if (code == EX_OK && m.server && (m.domain_text != NULL || m.user_text != NULL))
        code = cli_usage("messages", "--server excludes --domain and --user");
    if (code == EX_OK && m.server && m.by >= 0)
        code = cli_usage("messages", "--server excludes --by user: the node has no users");
    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&m.arena, ARENA_BYTES);
    strmap_init(&m.names);
    code = run(&m);
    free(m.rows);
    strmap_fini(&m.names);
    arena_fini(&m.arena);
    return code;
}
