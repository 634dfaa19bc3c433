/* tollgate held: the messages that limits hold, on all nodes. */
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "lib/admin/release_request.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"
#include "lib/core/text.h"
#include "lib/read/read_held.h"
#include "lib/sys/clock.h"
#include "lib/sys/table.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)

enum held_column {
    COL_SINCE,
    COL_TIME,
    COL_FOR,
    COL_ACCOUNT,
    COL_NODE,
    COL_QUEUE_ID,
    COL_ASKED,
    COL_ASKED_BY,
    COL_ASKED_AT,
    COL_ASKED_REASON
};

static const struct table_column columns[] = {
    [COL_SINCE] = {.head = "held since"},
    [COL_TIME] = {.name = "time"},
    [COL_FOR] = {.head = "for", .right = true},
    [COL_ACCOUNT] = {.name = "account", .head = "account"},
    [COL_NODE] = {.name = "node", .head = "node"},
    [COL_QUEUE_ID] = {.name = "queue_id", .head = "queue id"},
    [COL_ASKED] = {.head = "release asked for", .cut = 40, .expendable = true},
    [COL_ASKED_BY] = {.name = "release_by"},
    [COL_ASKED_AT] = {.name = "release_at"},
    [COL_ASKED_REASON] = {.name = "release_reason"},
};

struct held_command {
    struct cli *cli;
    const char *typed;
    int format;
    struct arena arena;
};

static const char *const formats[] = {"table", "csv", "json", NULL};
static const struct options_word words[] = {{"D", "only messages held for this domain"},
                                            {.name = NULL}};
static const struct options_row rows[] = {{.name = "format",
                                           OPTIONS_CHOICE,
                                           offsetof(struct held_command, format),
                                           "table|csv|json",
                                           "output format (table)",
                                           .choices = formats},
                                          {.name = NULL}};
static const struct options_table table = {
    .command = "held",
    .synopsis = "held [D] [--format table|csv|json]",
    .words = words,
    .rows = rows,
    .words_most = 1,
    .notes =
        "Lists the messages that limits keep on hold, on all nodes, the longest held first. "
        "tollgate why QUEUE-ID says why a message is held, tollgate release QUEUE-ID "
        "releases it. A release that was asked for on the web pages is carried out by the node "
        "that holds the message, within a minute."};

static int parse(struct held_command *w, int argc, char **argv)
{
    char **typed;
    int code = options_parse(&table, w->cli, w, argc, argv, &typed);

    if (code == EX_OK)
        w->typed = typed[0];
    return code;
}

/* Messages of the server's or a client's limit wait under _unattributed, counted or not. */
static int add_unattributed(struct held_command *w, struct name_list *names, struct err *err)
{
    struct slice *grown =
        arena_grow(&w->arena, names->items, names->count, &names->room, sizeof *grown);

    if (grown == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    names->items = grown;
    for (size_t i = 0; i < names->count; i++) {
        if (slice_equal(grown[i], SLICE(ACCOUNT_UNATTRIBUTED)))
            return 0;
    }
    grown[names->count++] = SLICE(ACCOUNT_UNATTRIBUTED);
    return 0;
}

static int find_names(struct held_command *w, struct name_list *names, struct err *err)
{
    struct slice typed = slice_str(w->typed);

    if (w->typed == NULL)
        return read_accounts(&w->cli->reader, &w->arena, names, err) == 0
                   ? add_unattributed(w, names, err)
                   : -1;
    names->items = arena_array(&w->arena, 1, sizeof *names->items);
    if (names->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    names->count = names->room = 1;
    names->items[0] = typed;
    if (slice_equal(typed, SLICE(ACCOUNT_UNATTRIBUTED)) ||
        domain_canonical(typed, &w->arena, &names->items[0], err) == 0)
        return 0;
    err->code = EX_USAGE;
    return err_prefix(err, "%s", w->typed);
}

/* --- requests to release --------------------------------------------------------------------- */

/* Of the nodes that hold something, each once; read as the first message of the node comes. */
struct held_node {
    struct slice name;
    struct release_requests requests;
};

struct held_nodes {
    struct held_node *items;
    size_t count;
};

static struct held_node *node_find(const struct held_nodes *nodes, struct slice name)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (slice_equal(nodes->items[i].name, name))
            return &nodes->items[i];
    }
    return NULL;
}

static int requests_read(struct held_command *w, const struct held_entries *list,
                         struct held_nodes *nodes, struct err *err)
{
    *nodes = (struct held_nodes){arena_array(&w->arena, list->count + 1, sizeof *nodes->items), 0};
    if (nodes->items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        struct release_request_place place = {.store = w->cli->store,
                                              .prefix = w->cli->reader.prefix,
                                              .node = list->items[i].node,
                                              .timeout_ms = READ_TIMEOUT_MS};
        struct held_node *node = &nodes->items[nodes->count];

        if (node_find(nodes, place.node) != NULL)
            continue;
        node->name = place.node;
        if (release_request_list(&place, &w->arena, &node->requests, err) != 0)
            return -1;
        nodes->count++;
    }
    return 0;
}

static void add_request(struct table *l, const struct held_nodes *nodes, const struct held_entry *e,
                        int64_t now_s)
{
    const struct release_request *asked = release_request_find(&node_find(nodes, e->node)->requests,
                                                               e->queue_id, e->account, e->time_s);
    struct buf text;

    if (asked == NULL)
        return;
    buf_init(&text, 4096);
    text_clock(&text, asked->at_s, now_s);
    buf_add_str(&text, ", by ");
    buf_add(&text, asked->by);
    table_shown(l, COL_ASKED, buf_slice(&text));
    buf_fini(&text);
    table_text(l, COL_ASKED_BY, asked->by);
    table_number(l, COL_ASKED_AT, (uint64_t)asked->at_s, SLICE_NONE);
    if (asked->reason.len > 0)
        table_text(l, COL_ASKED_REASON, asked->reason);
}

/* --- showing --------------------------------------------------------------------------------- */

static void add_row(struct table *l, const struct held_entry *e, int64_t now_s)
{
    struct buf text;

    buf_init(&text, 4096);
    table_row(l);
    text_clock(&text, e->time_s, now_s);
    table_shown(l, COL_SINCE, buf_slice(&text));
    table_number(l, COL_TIME, (uint64_t)e->time_s, SLICE_NONE);
    buf_reset(&text);
    text_duration(&text, now_s > e->time_s ? now_s - e->time_s : 0);
    table_shown(l, COL_FOR, buf_slice(&text));
    table_text(l, COL_ACCOUNT, e->account);
    table_text(l, COL_NODE, e->node);
    table_text(l, COL_QUEUE_ID, e->queue_id);
    buf_fini(&text);
}

static int show(struct held_command *w, const struct held_entries *list,
                const struct held_nodes *nodes)
{
    int64_t now_s = clock_unix_ms() / 1000;
    struct render_style style;
    struct table l;
    struct buf b;
    int code;

    table_init(&l, columns, sizeof columns / sizeof columns[0], &w->arena);
    for (size_t i = 0; i < list->count; i++) {
        add_row(&l, &list->items[i], now_s);
        add_request(&l, nodes, &list->items[i], now_s);
    }
    cli_style(&style);
    buf_init(&b, TEXT_BYTES);
    if (w->format == 1)
        table_csv(&l, true, &b);
    else if (w->format == 2)
        cli_add_json(&b, table_json(&l));
    else if (list->count > 0)
        table_table(&l, &style, true, &b);
    else
        buf_addf(&b, "No mail is held%s%s.\n", w->typed != NULL ? " for " : "",
                 w->typed != NULL ? w->typed : "");
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

static int run(struct held_command *w)
{
    struct name_list names = {.count = 0};
    struct held_entries list;
    struct held_nodes nodes;
    struct err err = {0};
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    if (find_names(w, &names, &err) != 0 ||
        read_held_entries(&w->cli->reader, &names, &w->arena, &list, &err) != 0 ||
        requests_read(w, &list, &nodes, &err) != 0)
        return cli_fail(&err);
    return show(w, &list, &nodes);
}

int command_held(struct cli *cli, int argc, char **argv)
{
    struct held_command w = {.cli = cli};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    code = run(&w);
    arena_fini(&w.arena);
    return code;
}
