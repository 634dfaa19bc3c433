/* tollgate violations: limits that were crossed, as they stand in the store's streams. */
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/range.h"
#include "cli/violations_summary.h"
#include "lib/admin/holder.h"
#include "lib/read/read_violations_table.h"
#include "lib/sys/clock.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)1 << 30)
#define LAST_SHOWN  20
#define LAST_UNSET  UINT64_MAX
#define LAST_MAX    100000
#define WAIT_MS     5000
#define PAUSE_MS    1000

static const char *const formats[] = {"table", "csv", "json", NULL};

struct violations_command {
    struct cli *cli;
    const char *typed, *from, *to;
    bool follow, summary;
    uint64_t top;  /* 0: all */
    uint64_t last; /* LAST_UNSET: not given */
    int format;

    struct slice holder; /* empty: all */
    struct stream_id seen;
    struct table list; /* rows not yet written */
    bool has_head;
    struct arena arena, rows;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"D", "a domain, @customer:NAME, @server, or @client:192.0.2.1 (default: all)"},
    {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "last",
     OPTIONS_NUMBER,
     offsetof(struct violations_command, last),
     "N",
     "the latest N (20)",
     .most = LAST_MAX},
    {.name = "follow",
     OPTIONS_FLAG,
     offsetof(struct violations_command, follow),
     NULL,
     "then each new one as it comes, until ^C"},
    {.name = "summary",
     OPTIONS_FLAG,
     offsetof(struct violations_command, summary),
     NULL,
     "who would have been stopped if limits acted, how often and by which limit, and which limit "
     "would have been enough; the most frequent first"},
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct violations_command, from),
     "DATE",
     "with --summary, the first day: 2026-11-21, 2026-11, today, -7days (default: this month)"},
    {.name = "to",
     OPTIONS_TEXT,
     offsetof(struct violations_command, to),
     "DATE",
     "with --summary, the last day, included"},
    {.name = "top",
     OPTIONS_NUMBER,
     offsetof(struct violations_command, top),
     "N",
     "with --summary, the first N lines",
     .least = 1,
     .most = LAST_MAX},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct violations_command, format),
     "FORMAT",
     "table (default), csv or json",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "violations",
    .synopsis = "violations [D] [--last N] [--follow] [--format table|csv|json]\n"
                "       tollgate violations [D] --summary [--from DATE] [--to DATE] [--top N]\n"
                "                       [--format table|csv|json]",
    .words = words,
    .rows = rows,
    .words_most = 1,
    .notes = "JSON is one object per line; the summary is one object."};

static int check(const struct violations_command *w)
{
    if (w->summary && (w->follow || w->last != LAST_UNSET))
        return cli_usage("violations", "--summary excludes --last and --follow");
    if (!w->summary && (w->from != NULL || w->to != NULL || w->top != 0))
        return cli_usage("violations", "--from, --to and --top need --summary");
    return EX_OK;
}

static int parse(struct violations_command *w, int argc, char **argv)
{
    char **typed;
    int code = options_parse(&table, w->cli, w, argc, argv, &typed);

    if (code == EX_OK)
        code = check(w);
    if (w->last == LAST_UNSET)
        w->last = LAST_SHOWN;
    w->typed = code == EX_OK ? typed[0] : NULL;
    return code;
}

/* An address is shown as the client that it belongs to. */
static int find_client(struct violations_command *w, struct slice typed, struct err *err)
{
    unsigned v6_prefix = (unsigned)w->cli->settings->throttle.client_v6_prefix;
    struct slice text = slice_from(typed, sizeof HOLDER_CLIENT - 1);
    ptrdiff_t slash = slice_find(text, '/');
    char room[NETWORKS_TEXT_ROOM];
    struct buf name;

    buf_init(&name, 256);
    buf_add_str(&name, HOLDER_CLIENT);
    buf_add(&name, networks_client_text(slash < 0 ? text : slice_to(text, (size_t)slash), v6_prefix,
                                        room));
    w->holder = arena_copy(&w->arena, buf_slice(&name));
    buf_fini(&name);
    return w->holder.ptr != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");
}

/* The hosted set does not matter: what was hosted once may still be looked up. */
static int find_holder(struct violations_command *w, struct err *err)
{
    struct slice typed = slice_str(w->typed);

    if (slice_starts_nocase(typed, SLICE(HOLDER_CLIENT)))
        return find_client(w, typed, err);
    if (typed.len == 0 || typed.ptr[0] == '@') {
        w->holder = typed;
        return 0;
    }
    if (domain_canonical(typed, &w->arena, &w->holder, err) == 0)
        return 0;
    err->code = EX_USAGE;
    return err_prefix(err, "%s", w->typed);
}

/* --- listing --------------------------------------------------------------------------------- */

static void rows_begin(struct violations_command *w)
{
    arena_reset(&w->rows);
    table_init(&w->list, read_violations_columns, read_violations_column_count, &w->rows);
}

static void list_table(const struct violations_command *w, const struct render_style *style,
                       bool head, struct buf *b)
{
    table_table(&w->list, style, head, b);
    if (!w->follow)
        table_note_hidden(&w->list, style, b);
}

static int rows_write(struct violations_command *w)
{
    struct render_style style;
    bool head = !w->has_head;
    struct buf b;
    int code;

    cli_style(&style);
    buf_init(&b, TEXT_BYTES);
    if (w->format == 0)
        list_table(w, &style, head, &b);
    else if (w->format == 1)
        table_csv(&w->list, head, &b);
    else
        table_json_lines(&w->list, &b);
    w->has_head = true;
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static int list_last(struct violations_command *w, struct err *err)
{
    struct violation_list list;

    if (w->last == 0)
        return read_violations_newest(&w->cli->reader, w->holder, &w->seen, err);
    if (read_violations_last(&w->cli->reader, w->holder, (size_t)w->last, &w->arena, &list, err) !=
        0)
        return -1;
    rows_begin(w);
    for (size_t i = 0; i < list.count; i++) {
        read_violations_add_row(&w->list, &list.items[i].v);
        w->seen = list.items[i].id;
    }
    if (list.count == 0 && !w->follow && w->format == 0)
        (void)printf("No violation is recorded.\n");
    else if (rows_write(w) != EX_OK)
        return err_set(err, EX_IOERR, "cannot write the output");
    return 0;
}

/* --- following ------------------------------------------------------------------------------- */

static int follow_row(void *context, const struct violation_entry *entry, struct err *err)
{
    struct violations_command *w = context;

    (void)err;
    read_violations_add_row(&w->list, &entry->v);
    return 0;
}

/* If the store goes away, that is reported once; reading continues when it is back. Ends only with
 * an error. */
static int follow(struct violations_command *w)
{
    bool is_away = false;

    for (;;) {
        struct err err = {0};
        int result;

        rows_begin(w);
        result = read_violations_wait(&w->cli->reader, w->holder, &w->seen, WAIT_MS, follow_row, w,
                                      &err);
        if (w->list.row_count > 0 && rows_write(w) != EX_OK)
            return EX_IOERR;
        if (result != 0 && err.code != EX_UNAVAILABLE)
            return cli_fail(&err);
        if (result != 0 && !is_away)
            (void)cli_fail(&err);
        if (result == 0 && is_away)
            (void)fprintf(stderr, "tollgate: the store is back\n");
        is_away = result != 0;
        if (is_away)
            clock_sleep_ms(PAUSE_MS);
    }
}

/* --------------------------------------------------------------------------------------------- */

static int run(struct violations_command *w)
{
    struct err err = {0};
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    if (find_holder(w, &err) != 0)
        return cli_fail(&err);
    if (w->summary)
        return violations_summary(w->cli, w->holder, w->from, w->to, (size_t)w->top, w->format);
    if (list_last(w, &err) != 0)
        return cli_fail(&err);
    return w->follow ? follow(w) : EX_OK;
}

int command_violations(struct cli *cli, int argc, char **argv)
{
    struct violations_command w = {.cli = cli, .last = LAST_UNSET};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    arena_init(&w.rows, ARENA_BYTES);
    code = run(&w);
    arena_fini(&w.rows);
    arena_fini(&w.arena);
    return code;
}
