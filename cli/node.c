/* tollgate node: lists the nodes of the store, and retires one that is gone for good. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "lib/core/text.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/throttle/account_change.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define ALIVE_S     60 /* a node writes its hash every second */
#define NAME_BYTES  256

static const char *const verbs[] = {"list", "retire", NULL};
enum node_verb { VERB_LIST, VERB_RETIRE };

struct node_command {
    struct cli *cli;
    enum node_verb verb;
    const char *name;
    int64_t now_s;

    struct arena arena;
    struct node_infos nodes;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {{"NAME", "a node of the store"}, {.name = NULL}};
static const struct options_row rows[] = {{.name = NULL}};
static const struct options_table table = {
    .command = "node",
    .verbs = verbs,
    .synopsis = "node list\n"
                "       tollgate node retire NAME",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 2,
    .missing = "expected list or retire",
    .notes = "retire is for a node that never comes back: its figures stay in all sums, and no "
             "period waits for it any more. A node that is started again counts as before."};

static int parse(struct node_command *w, int argc, char **argv)
{
    char **typed;
    int verb, code = options_parse_verb(&table, w->cli, w, argc, argv, &typed, &verb);

    if (code != EX_OK)
        return code;
    w->verb = (enum node_verb)verb;
    w->name = typed[1];
    if (w->verb == VERB_RETIRE && w->name == NULL)
        return cli_usage("node", "node retire needs NAME, such as: node retire mx3");
    if (w->verb == VERB_LIST && w->name != NULL)
        return cli_usage("node", "unexpected argument \"%s\"", w->name);
    return EX_OK;
}

/* --- list ------------------------------------------------------------------------------------ */

static const char *state_of(const struct node_command *w, const struct node_info *n)
{
    if (n->is_retired)
        return "retired";
    if (n->is_renamed)
        return "renamed";
    if (n->is_collector_only)
        return "collector";
    if (n->seen == 0)
        return "never seen";
    return w->now_s - n->seen <= ALIVE_S ? "running" : "away";
}

static void add_time(struct buf *b, int64_t unix_s)
{
    if (unix_s > 0)
        text_time(b, unix_s);
    else
        buf_add_str(b, "-");
}

static int list(struct node_command *w)
{
    struct buf line;

    buf_init(&line, 4096);
    (void)printf("%-20s %-10s %-20s %-20s %s\n", "node", "state", "last seen", "complete until",
                 "version");
    for (size_t i = 0; i < w->nodes.count; i++) {
        const struct node_info *n = &w->nodes.items[i];

        buf_reset(&line);
        add_time(&line, n->seen);
        (void)printf("%-20.*s %-10s %-20.*s ", SLICE_FMT(n->name), state_of(w, n),
                     SLICE_FMT(buf_slice(&line)));
        buf_reset(&line);
        add_time(&line, n->pushed_through);
        (void)printf("%-20.*s %.*s\n", SLICE_FMT(buf_slice(&line)), SLICE_FMT(n->version));
    }
    buf_fini(&line);
    return EX_OK;
}

/* --- retire ---------------------------------------------------------------------------------- */

static const struct node_info *node_find(const struct node_command *w)
{
    for (size_t i = 0; i < w->nodes.count; i++) {
        if (slice_equal(w->nodes.items[i].name, slice_str(w->name)))
            return &w->nodes.items[i];
    }
    return NULL;
}

static int unknown_node(struct node_command *w)
{
    const char **names = arena_array(&w->arena, w->nodes.count + 1, sizeof *names);

    for (size_t i = 0; names != NULL && i < w->nodes.count; i++)
        names[i] = w->nodes.items[i].name.ptr;
    return cli_unknown("node", "node", w->name, names, names != NULL ? w->nodes.count : 0);
}

/* As a change at run time, of which each node keeps a copy. */
static int write_retired(const struct node_command *w, struct err *err)
{
    char holder[NAME_BYTES];
    struct account_change change = {
        .store = w->cli->store, .prefix = w->cli->reader.prefix, .timeout_ms = READ_TIMEOUT_MS};

    (void)snprintf(holder, sizeof holder, "@%s", w->name);
    change.holder = slice_str(holder);
    return account_change_node_retire(&change, w->now_s, err);
}

/* Its last run has ended in order. No, where it cannot be asked. */
static bool is_stopped(const struct node_command *w)
{
    redisReply *reply;
    struct buf key;
    bool stopped;

    buf_init(&key, NAME_BYTES);
    key_node(&key, w->cli->reader.prefix, w->name);
    reply = store_command(w->cli->store, 3,
                          (const struct slice[]){SLICE("HGET"), buf_slice(&key), SLICE("_stopped")},
                          READ_TIMEOUT_MS, NULL);
    buf_fini(&key);
    stopped = reply != NULL && slice_equal(link_reply_text(reply), SLICE("1"));
    if (reply != NULL)
        freeReplyObject(reply);
    return stopped;
}

static int retire(struct node_command *w)
{
    const struct node_info *n = node_find(w);
    struct err err = {0};

    if (n == NULL)
        return unknown_node(w);
    if (w->now_s - n->seen <= ALIVE_S && !is_stopped(w)) {
        (void)err_set(&err, EX_UNAVAILABLE,
                      "node %s wrote to the store %" PRId64 " s ago: stop its tollgated first",
                      w->name, w->now_s - n->seen);
        return cli_fail(&err);
    }
    if (write_retired(w, &err) != 0)
        return cli_fail(&err);
    (void)printf("%s: retired. Its figures stay; periods no longer wait for it.\n", w->name);
    if (n->dirty_rows > 0)
        (void)printf("%s had %" PRId64 " rows that are not in the store, and are lost unless it is "
                     "started again.\n",
                     w->name, n->dirty_rows);
    return EX_OK;
}

/* --------------------------------------------------------------------------------------------- */

static int run(struct node_command *w)
{
    struct err err = {0};
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    w->now_s = clock_unix_ms() / 1000;
    if (read_node_infos(&w->cli->reader, &w->arena, &w->nodes, &err) != 0)
        return cli_fail(&err);
    return w->verb == VERB_LIST ? list(w) : retire(w);
}

int command_node(struct cli *cli, int argc, char **argv)
{
    struct node_command w = {.cli = cli};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, ARENA_BYTES);
    code = run(&w);
    arena_fini(&w.arena);
    return code;
}
