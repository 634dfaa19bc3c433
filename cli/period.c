/* tollgate period: months that are closed, and never change afterwards. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/period.h"
#include "lib/billing/bill_ledger.h"
#include "lib/billing/bill_verified.h"
#include "lib/core/text.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define MEMORY_BYTES ((size_t)2 << 30)
#define LATE_SHOWN   100
#define NAMES_BYTES  65536

static const char *const verbs[] = {"list", "show", "close", "verify", "carry", "export", NULL};
enum period_verb { VERB_LIST, VERB_SHOW, VERB_CLOSE, VERB_VERIFY, VERB_CARRY, VERB_EXPORT };

static const struct options_word words[] = {
    {"P", "a month, such as 2026-11, or last: the month before this one"}, {.name = NULL}};
static const char *const by_names[] = {"customer", NULL};
static const struct options_row rows[] = {
    {.name = "force",
     OPTIONS_TEXT,
     offsetof(struct period_command, force),
     "REASON",
     "close a month that is over although somebody has not reported all of it; the reason is kept"},
    {.name = "to",
     OPTIONS_CHOICE,
     offsetof(struct period_command, to),
     "TARGET",
     "export: csv, json, whmcs, command, cloudevents, plesk or hostbill",
     .choices = period_export_names},
    {.name = "by",
     OPTIONS_CHOICE,
     offsetof(struct period_command, by),
     "customer",
     "export: the sums of customers, as billing.customers had them when the month was closed; to "
     "json, command, cloudevents or hostbill",
     .choices = by_names},
    {.name = "dry-run",
     OPTIONS_FLAG,
     offsetof(struct period_command, dry_run),
     NULL,
     "export: print what would be sent"},
    {.name = "again",
     OPTIONS_FLAG,
     offsetof(struct period_command, again),
     NULL,
     "export: what was sent before, too, under the same ids"},
    {.name = NULL}};
static const struct options_table table = {
    .command = "period",
    .synopsis = "period list\n"
                "       tollgate period show P\n"
                "       tollgate period close P [--force REASON]\n"
                "       tollgate period verify [P]\n"
                "       tollgate period carry\n"
                "       tollgate period export P --to TARGET [--by customer] [--dry-run] [--again]",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 2,
    .missing = "expected list, show, close, verify, carry or export",
    .verbs = verbs,
    .notes = "The file of a closed month and its hash are kept in STATE_DIR/periods and in Redis. "
             "What changes in it later becomes an adjustment of the next month."};

/* --- the command line ------------------------------------------------------------------------ */

static int check(const struct period_command *w)
{
    bool needs_month = w->verb == VERB_SHOW || w->verb == VERB_CLOSE || w->verb == VERB_EXPORT;

    if (needs_month && w->typed == NULL)
        return cli_usage("period", "%s needs a month, such as: period %s 2026-11", verbs[w->verb],
                         verbs[w->verb]);
    if (w->typed != NULL && (w->verb == VERB_LIST || w->verb == VERB_CARRY))
        return cli_usage("period", "unexpected argument \"%s\"", w->typed);
    if (w->force != NULL && w->verb != VERB_CLOSE)
        return cli_usage("period", "--force needs period close");
    if ((w->to >= 0) != (w->verb == VERB_EXPORT) ||
        (w->verb != VERB_EXPORT && (w->dry_run || w->again || w->by >= 0)))
        return cli_usage("period", w->verb == VERB_EXPORT
                                       ? "export needs --to, such as: --to csv"
                                       : "--to, --by, --dry-run and --again need period export");
    if (w->by >= 0 && period_export_is_by_domain(w->to))
        return cli_usage("period", "--by customer is for json, command, cloudevents and hostbill: "
                                   "the others know domains alone");
    if (w->force != NULL && slice_trim(slice_str(w->force)).len == 0)
        return cli_usage("period", "--force needs a reason");
    return EX_OK;
}

static int parse(struct period_command *w, int argc, char **argv)
{
    char **typed;
    int verb, code = options_parse_verb(&table, w->cli, w, argc, argv, &typed, &verb);

    if (code != EX_OK)
        return code;
    w->verb = verb;
    w->typed = typed[1];
    return check(w);
}

static int find_month(struct period_command *w, struct err *err)
{
    return w->typed == NULL ? 0 : bill_month_parse(slice_str(w->typed), w->now, &w->month, err);
}

/* --- list ------------------------------------------------------------------------------------ */

static int list(struct period_command *w)
{
    const struct bill_chain *chain = &w->book.chain;

    (void)printf("%-8s  %-20s  %-16s  %-16s  %s\n", "period", "closed at", "by", "hash", "reason");
    for (size_t i = 0; i < chain->count; i++) {
        const struct bill_entry *e = &chain->items[i];

        (void)printf("%-8.*s  %-20.*s  %-16.*s  %-16.16s  %.*s\n", SLICE_FMT(e->month),
                     SLICE_FMT(e->closed_at), SLICE_FMT(e->by), e->hash.ptr, SLICE_FMT(e->reason));
    }
    return EX_OK;
}

/* --- show ------------------------------------------------------------------------------------ */

static int not_closed(const struct period_command *w)
{
    struct err err = {0};

    (void)err_set(&err, EX_NOINPUT, "%s is not closed: tollgate period close %s", w->month.name,
                  w->month.name);
    return cli_fail(&err);
}

static int show(struct period_command *w)
{
    const struct bill_entry *e = bill_chain_find(&w->book.chain, slice_str(w->month.name));
    struct slice file;
    struct err err = {0};

    if (e == NULL)
        return not_closed(w);
    if (bill_book_file(&w->book, (size_t)(e - w->book.chain.items), &file, &err) != 0)
        return cli_fail(&err);
    (void)fwrite(file.ptr, 1, file.len, stdout);
    return EX_OK;
}

/* --- verify ---------------------------------------------------------------------------------- */

static void say_late(const struct bill_entry *e, const struct bill_late_list *late, size_t *open)
{
    struct buf text;

    buf_init(&text, 65536);
    for (size_t i = 0; i < late->count; i++) {
        if (!bill_late_is_open(&late->items[i]) || ++*open > LATE_SHOWN)
            continue;
        buf_reset(&text);
        bill_late_text(&late->items[i], &text);
        (void)printf("%.*s: %.*s: %.*s\n", SLICE_FMT(e->month), SLICE_FMT(late->items[i].account),
                     SLICE_FMT(buf_slice(&text)));
    }
    buf_fini(&text);
    if (*open > LATE_SHOWN)
        (void)printf("%.*s: %zu more accounts differ\n", SLICE_FMT(e->month), *open - LATE_SHOWN);
}

static void say_nodes(const struct bill_verified *v, bool there, struct buf *b)
{
    bool is_first = true;

    for (size_t i = 0; i < v->count; i++) {
        const struct bill_verified_node *n = &v->items[i];

        if (n->is_there != there)
            continue;
        buf_addf(b, "%s%.*s", is_first ? "" : ", ", SLICE_FMT(n->name));
        if (there)
            buf_addf(b, " (%.*s, %.*s)", SLICE_FMT(n->at), SLICE_FMT(n->by));
        else if (n->is_retired)
            buf_add_str(b, " (retired)");
        is_first = false;
    }
}

/* Each node sees its own ledger. 1 where all have agreed and yet do not add up to the store. */
static int verify_nodes(struct period_command *w, size_t i, uint64_t store_sum)
{
    struct slice month = w->book.chain.items[i].month;
    struct bill_verified v;
    struct err err = {0};
    struct buf names;

    if (bill_verified_read(&w->book, i, &v, &err) != 0)
        return cli_fail(&err);
    if (v.count < 2)
        return EX_OK;
    buf_init(&names, NAMES_BYTES);
    say_nodes(&v, true, &names);
    if (v.there > 0)
        (void)printf("%.*s: verified on %.*s\n", SLICE_FMT(month), SLICE_FMT(buf_slice(&names)));
    buf_reset(&names);
    say_nodes(&v, false, &names);
    if (v.there < v.count)
        (void)printf("%.*s: not yet verified on %.*s: run it there\n", SLICE_FMT(month),
                     SLICE_FMT(buf_slice(&names)));
    else
        (void)printf("%.*s: together their ledgers counted %s\n", SLICE_FMT(month),
                     v.sum == store_sum ? "exactly what the store has"
                                        : "something else than the store has; where a node has "
                                          "counted since, run it there again");
    buf_fini(&names);
    return v.there == v.count && v.sum != store_sum ? 1 : EX_OK;
}

/* 1 where the ledger of this host has counted something else than the store has. */
static int verify_ledger(struct period_command *w, size_t i)
{
    struct slice month = w->book.chain.items[i].month;
    struct bill_ledger l;
    struct err err = {0};

    if (bill_ledger_compare(&w->book, i, w->now, &l, &err) != 0)
        return cli_fail(&err);
    for (size_t k = 0; k < l.count && k < LATE_SHOWN; k++)
        (void)printf("%.*s: %.*s: %s: the ledger of this host counted %" PRId64
                     ", the store has %" PRId64 "\n",
                     SLICE_FMT(month), SLICE_FMT(l.items[k].account),
                     counter_table[l.items[k].id].name, l.items[k].ledger, l.items[k].store);
    if (l.count > LATE_SHOWN)
        (void)printf("%.*s: %zu more differences\n", SLICE_FMT(month), l.count - LATE_SHOWN);
    if (l.is_there && l.count == 0 &&
        bill_verified_note(&w->book, i, cli_author(), w->now, l.sum, &err) != 0)
        (void)cli_fail(&err);
    if (!l.is_there)
        (void)fprintf(
            stderr, "tollgate: %.*s: no ledger is compared: run it where tollgated runs, as root\n",
            SLICE_FMT(month));
    else if (l.count == 0)
        (void)printf("%.*s: %s the ledger of this host, %zu accounts\n", SLICE_FMT(month),
                     l.is_alone ? "the same as" : "no less than", l.accounts);
    return l.count > 0 ? 1 : verify_nodes(w, i, l.store_sum);
}

/* 0, 1 where something differs, or an exit code, said. */
static int verify_one(struct period_command *w, size_t i)
{
    const struct bill_entry *e = &w->book.chain.items[i];
    struct bill_late_list late;
    struct err err = {0};
    size_t open = 0;

    if (bill_late_find(&w->book, i, w->now, &late, &err) != 0)
        return cli_fail(&err);
    say_late(e, &late, &open);
    if (open > 0)
        return 1;
    (void)printf("%.*s: good, %.*s\n", SLICE_FMT(e->month), SLICE_FMT(e->hash));
    if (late.count > 0)
        (void)printf("%.*s: %zu accounts changed later; adjustments of later months have it all\n",
                     SLICE_FMT(e->month), late.count);
    return EX_OK;
}

static int export_month(struct period_command *w)
{
    const struct bill_entry *e = bill_chain_find(&w->book.chain, slice_str(w->month.name));

    return e == NULL ? not_closed(w) : period_export(w, (size_t)(e - w->book.chain.items));
}

static int verify(struct period_command *w)
{
    int worst = EX_OK;
    bool late = false;

    if (w->typed != NULL && bill_chain_find(&w->book.chain, slice_str(w->month.name)) == NULL)
        return not_closed(w);
    for (size_t i = 0; i < w->book.chain.count; i++) {
        int code = EX_OK;

        if (w->typed != NULL &&
            !slice_equal(w->book.chain.items[i].month, slice_str(w->month.name)))
            continue;
        code = verify_ledger(w, i);
        worst = code > worst ? code : worst;
        code = verify_one(w, i);
        late = late || code == 1;
        worst = code > worst ? code : worst;
    }
    if (late)
        (void)printf("The next period close, or `tollgate period carry', makes adjustments of "
                     "it.\n");
    return worst;
}

/* --- close ----------------------------------------------------------------------------------- */

static void say_missing(const struct bill_closing *c)
{
    struct buf time;

    buf_init(&time, 256);
    for (size_t i = 0; i < c->missing.count; i++) {
        const struct bill_missing *m = &c->missing.items[i];

        buf_reset(&time);
        if (m->through_s > 0)
            text_time(&time, m->through_s);
        (void)fprintf(stderr, "tollgate: %s of node %.*s has reported %s%.*s\n",
                      m->is_collector ? "tollgate-collect" : "tollgated", SLICE_FMT(m->node),
                      m->through_s > 0 ? "until " : "nothing", SLICE_FMT(buf_slice(&time)));
    }
    buf_fini(&time);
}

/* A month that was closed before: is it still what the figures say? */
static int again(struct period_command *w, const struct bill_entry *e)
{
    (void)printf("%s was closed on %.*s by %.*s.\n", w->month.name, SLICE_FMT(e->closed_at),
                 SLICE_FMT(e->by));
    return verify(w);
}

static int close_month(struct period_command *w)
{
    struct bill_closing c = {.month = &w->month,
                             .by = cli_author(),
                             .reason = slice_trim(slice_str(w->force)),
                             .now = w->now};
    struct err err = {0};

    if (bill_close(&w->book, &c, &err) != 0) {
        say_missing(&c);
        return cli_fail(&err);
    }
    if (c.was_closed)
        return again(w, c.entry);
    cli_log(w->cli);
    log_event(LOG_NOTICE, "period closed", LOG_TEXT("by", c.entry->by),
              LOG_TEXT("period", c.entry->month), LOG_TEXT("hash", c.entry->hash),
              LOG_NUM("missing", c.missing.count), LOG_TEXT("reason", c.entry->reason));
    say_missing(&c);
    if (c.carried > 0)
        (void)printf("%zu accounts have adjustments in %s for what came late in earlier months.\n",
                     c.carried, w->month.name);
    (void)printf("%s is closed: %.*s\n", w->month.name, SLICE_FMT(c.entry->hash));
    return EX_OK;
}

/* --- carry ----------------------------------------------------------------------------------- */

static int carry(struct period_command *w)
{
    const struct bill_entry *last = bill_chain_last(&w->book.chain);
    struct bill_month closed, next;
    struct err err = {0};
    size_t count;

    if (last == NULL) {
        (void)printf("No month is closed.\n");
        return EX_OK;
    }
    if (bill_month_parse(last->month, w->now, &closed, &err) != 0)
        return cli_fail(&err);
    bill_month_next(&closed, &next);
    if (bill_late_carry(&w->book, slice_str(next.name), cli_author(), w->now, &count, &err) != 0)
        return cli_fail(&err);
    (void)printf("%zu accounts have new adjustments in %s.\n", count, next.name);
    return EX_OK;
}

/* --------------------------------------------------------------------------------------------- */

static int run_open(struct period_command *w)
{
    switch ((enum period_verb)w->verb) {
    case VERB_LIST:
        return list(w);
    case VERB_SHOW:
        return show(w);
    case VERB_CLOSE:
        return close_month(w);
    case VERB_VERIFY:
        return verify(w);
    case VERB_EXPORT:
        return export_month(w);
    case VERB_CARRY:
        break;
    }
    return carry(w);
}

static int run(struct period_command *w)
{
    bool writes =
        w->verb == VERB_CLOSE || w->verb == VERB_CARRY || (w->verb == VERB_EXPORT && !w->dry_run);
    struct err err = {0};
    int code = cli_open(w->cli);

    if (code != EX_OK)
        return code;
    w->now = (time_t)(clock_unix_ms() / 1000);
    if (find_month(w, &err) != 0)
        return cli_fail(&err);
    if (bill_book_open(&w->book, w->cli->settings, &w->cli->reader, &w->arena, writes, &err) != 0)
        return cli_fail(&err);
    code = run_open(w);
    bill_book_close(&w->book);
    return code;
}

int command_period(struct cli *cli, int argc, char **argv)
{
    struct period_command w = {.cli = cli, .to = -1, .by = -1};
    int code = parse(&w, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&w.arena, MEMORY_BYTES);
    code = run(&w);
    arena_fini(&w.arena);
    return code;
}
