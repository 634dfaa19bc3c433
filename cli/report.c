/* tollgate report: counters of a range of time as table, CSV, JSON or chart. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/range.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"

#define MEMORY_BYTES ((size_t)1 << 30)

enum scope { SCOPE_SERVER, SCOPE_DOMAIN, SCOPE_USER };
enum by { BY_NOTHING = -1, BY_NODE, BY_DOMAIN, BY_USER };

static const char *const scope_names[] = {"server", "domain", "user"};
static const char *const by_names[] = {"node", "domain", "user", NULL};
static const char *const step_names[] = {"hour", "day", "week", "month", "quarter", NULL};
static const enum period_kind step_kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH,
                                              PERIOD_QUARTER};
static const char *const format_names[] = {"table", "csv", "json", "chart", NULL};

struct report {
    struct cli *cli;
    const struct report_kind *kind;
    bool server;
    const char *domain_text, *user_text, *from, *to, *sort;
    int by;   /* into by_names, an enum by */
    int step; /* into step_names; -1: none */
    bool reverse;
    uint64_t top;
    int format;

    enum scope scope;
    struct slice account, user; /* canonical */
    struct range range;
    struct counter_list counters;
    struct name_list names; /* the accounts that are read */
    struct report_grid grid;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static int list_reports(void)
{
    const struct report_kind *kind;

    (void)printf("Reports (`tollgate report NAME'; --help shows the options):\n\n");
    for (size_t i = 0; (kind = report_at(i)) != NULL; i++)
        (void)printf("  %-22s  %s\n", kind->name, kind->help);
    return EX_OK;
}

static int unknown_report(const char *typed)
{
    const char *names[64];
    size_t count = 0;

    for (; count < 64 && report_at(count) != NULL; count++)
        names[count] = report_at(count)->name;
    return cli_unknown("report", "report", typed, names, count);
}

static const struct options_word words[] = {
    {"NAME", "a report; `tollgate report' alone lists them"}, {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "server",
     OPTIONS_FLAG,
     offsetof(struct report, server),
     NULL,
     "all nodes together (the default)"},
    {.name = "domain",
     OPTIONS_TEXT,
     offsetof(struct report, domain_text),
     "D",
     "one domain; with --user, the domain that the user is charged to"},
    {.name = "user",
     OPTIONS_TEXT,
     offsetof(struct report, user_text),
     "U",
     "one user, such as alice@example.com"},
    {.name = "by",
     OPTIONS_CHOICE,
     offsetof(struct report, by),
     "node|domain|user",
     "a line for each node, domain or user",
     .choices = by_names},
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct report, from),
     "DATE",
     "first day: 2026-11-21, 2026-11, today, yesterday, -7days (default: this month)"},
    {.name = "to", OPTIONS_TEXT, offsetof(struct report, to), "DATE", "last day, included"},
    {.name = "step",
     OPTIONS_CHOICE,
     offsetof(struct report, step),
     "STEP",
     "a line for each hour (UTC), day, week, month or quarter",
     .choices = step_names},
    {.name = "sort",
     OPTIONS_TEXT,
     offsetof(struct report, sort),
     "COLUMN",
     "sort by this column, largest first; a chart draws it"},
    {.name = "reverse", OPTIONS_FLAG, offsetof(struct report, reverse), NULL, "reverse the order"},
    {.name = "top",
     OPTIONS_NUMBER,
     offsetof(struct report, top),
     "N",
     "the first N lines; of each step, if there are steps",
     .least = 1,
     .most = UINT32_MAX},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct report, format),
     "FORMAT",
     "table (default), csv, json or chart",
     .choices = format_names},
    {.name = NULL}};
static const struct options_table table = {
    .command = "report",
    .synopsis = "report NAME [--server | --domain D | --user U] [--by node|domain|user]\n"
                "                       [--from DATE] [--to DATE] [--step "
                "hour|day|week|month|quarter]\n"
                "                       [--sort COLUMN] [--reverse] [--top N]\n"
                "                       [--format table|csv|json|chart]",
    .words = words,
    .rows = rows,
    .words_most = 1};

/* Users have counters of some groups, and no hours. */
static int check_users(const struct report *r)
{
    struct counter_list list;

    if (r->step == 0)
        return cli_usage("report", "users are counted by month and day, not by hour");
    report_counters(r->kind, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (!counter_is_of_users(list.ids[i]))
            return cli_usage("report",
                             "the report %s exists for the server and for domains, not for "
                             "users",
                             r->kind->name);
    }
    return EX_OK;
}

static int check_scope(struct report *r)
{
    r->scope = r->user_text != NULL     ? SCOPE_USER
               : r->domain_text != NULL ? SCOPE_DOMAIN
                                        : SCOPE_SERVER;
    if (r->server && r->scope != SCOPE_SERVER)
        return cli_usage("report", "--server excludes --domain and --user");
    if (r->scope == SCOPE_USER && r->by != BY_NOTHING)
        return cli_usage("report", "--by %s excludes --user: one user is one line",
                         by_names[r->by]);
    if (r->scope == SCOPE_DOMAIN && r->by == BY_NODE)
        return cli_usage("report", "--by node needs --server: the counters of a domain are the sum "
                                   "over all nodes");
    if (r->scope == SCOPE_DOMAIN && r->by == BY_DOMAIN)
        return cli_usage("report", "--by domain needs --server");
    return r->scope == SCOPE_USER || r->by == BY_USER ? check_users(r) : EX_OK;
}

/* EX_OK, OPTIONS_DONE or an exit code. */
static int parse(struct report *r, int argc, char **argv)
{
    char **names;
    int code = options_parse(&table, r->cli, r, argc, argv, &names);

    if (code != EX_OK)
        return code;
    if (names[0] == NULL) {
        (void)list_reports();
        return OPTIONS_DONE;
    }
    r->kind = report_find(slice_str(names[0]));
    return r->kind != NULL ? check_scope(r) : unknown_report(names[0]);
}

/* --- what is read ---------------------------------------------------------------------------- */

static int name_one(struct report *r, struct slice name, struct err *err)
{
    r->names.items = arena_array(&r->arena, 1, sizeof *r->names.items);
    if (r->names.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    r->names.items[0] = name;
    r->names.count = 1;
    return 0;
}

static int parse_account(struct report *r, const char *text, struct err *err)
{
    if (strcmp(text, ACCOUNT_UNATTRIBUTED) == 0)
        r->account = slice_str(text);
    else if (domain_canonical(slice_str(text), &r->arena, &r->account, err) != 0)
        return cli_bad_value(err, "--domain", text);
    return 0;
}

static int parse_user(struct report *r, struct err *err)
{
    struct address a;

    if (address_parse(slice_str(r->user_text), &r->arena, &a, err) != 0)
        return cli_bad_value(err, "--user", r->user_text);
    if (a.domain.len == 0)
        return err_set(err, EX_USAGE,
                       "--user %s: give the whole address, such as alice@example.com",
                       r->user_text);
    r->user = address_user(&a, &r->arena);
    if (r->domain_text == NULL)
        r->account = a.domain;
    return 0;
}

/* Nodes have accounts of their own, "@" and the node's name. */
static int names_of_nodes(struct report *r, struct err *err)
{
    if (read_nodes(&r->cli->reader, &r->arena, &r->names, err) != 0)
        return -1;
    for (size_t i = 0; i < r->names.count; i++) {
        struct buf b;

        buf_init(&b, 1024);
        buf_add_char(&b, '@');
        buf_add(&b, r->names.items[i]);
        r->names.items[i] = arena_copy(&r->arena, buf_slice(&b));
        buf_fini(&b);
        if (r->names.items[i].ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
}

static int find_names(struct report *r, struct err *err)
{
    if (r->domain_text != NULL && parse_account(r, r->domain_text, err) != 0)
        return -1;
    if (r->user_text != NULL && parse_user(r, err) != 0)
        return -1;
    if (r->scope != SCOPE_SERVER)
        return name_one(r, r->account, err);
    if (r->by == BY_DOMAIN || r->by == BY_USER)
        return read_accounts(&r->cli->reader, &r->arena, &r->names, err);
    return names_of_nodes(r, err);
}

/* A name never counted may be a mistyped one. */
static int note_unknown(struct report *r, struct err *err)
{
    bool known;

    if (r->scope == SCOPE_SERVER)
        return 0;
    if (read_is_account(&r->cli->reader, r->account, &known, err) != 0)
        return -1;
    if (!known)
        (void)fprintf(stderr, "tollgate: nothing has ever been counted for %.*s%s\n",
                      SLICE_FMT(r->account),
                      r->scope == SCOPE_USER
                          ? "; where its mail is charged to another domain, name that by --domain"
                          : "");
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

struct step_reading {
    struct report *report;
    const struct step *step;
    struct tally sum; /* where the rows are added up */
};

static struct slice step_label(const struct step_reading *s)
{
    return s->report->step >= 0 ? slice_str(s->step->name) : SLICE_NONE;
}

static int row_sum(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct step_reading *s = context;

    (void)name;
    (void)err;
    tally_add(&s->sum, sum);
    return 0;
}

static int row_node(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct step_reading *s = context;

    return report_grid_add(&s->report->grid, step_label(s), slice_from(name, 1), sum, err);
}

static int row_named(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct step_reading *s = context;

    if (tally_is_empty(sum))
        return 0;
    return report_grid_add(&s->report->grid, step_label(s), name, sum, err);
}

static int read_sum(struct step_reading *s, const struct stored_periods *periods, struct err *err)
{
    struct report *r = s->report;
    int result;

    memset(&s->sum, 0, sizeof s->sum);
    if (r->scope == SCOPE_USER)
        result =
            read_user(&r->cli->reader, r->account, r->user, periods, &r->counters, &s->sum, err);
    else
        result = read_counters(&r->cli->reader, &r->names, periods, &r->counters, row_sum, s, err);
    if (result != 0)
        return -1;
    return report_grid_add(&r->grid, step_label(s), SLICE_NONE, &s->sum, err);
}

static int read_step(struct report *r, const struct step *step, struct err *err)
{
    struct step_reading s = {.report = r, .step = step};
    struct stored_periods periods;

    if (range_cover(&r->range, step->from, step->to, &r->arena, &periods, err) != 0)
        return -1;
    switch ((enum by)r->by) {
    case BY_NODE:
        return read_counters(&r->cli->reader, &r->names, &periods, &r->counters, row_node, &s, err);
    case BY_DOMAIN:
        return read_counters(&r->cli->reader, &r->names, &periods, &r->counters, row_named, &s,
                             err);
    case BY_USER:
        return read_users(&r->cli->reader, &r->names, &periods, &r->counters, row_named, &s, err);
    case BY_NOTHING:
        break;
    }
    return read_sum(&s, &periods, err);
}

static int read_steps(struct report *r, struct err *err)
{
    enum period_kind kind = r->step >= 0 ? step_kinds[r->step] : PERIOD_TOTAL;
    struct step_list steps;

    if (period_range_steps(kind, r->range.from, r->range.to, r->range.now, &r->arena, &steps,
                           err) != 0)
        return -1;
    for (size_t i = 0; i < steps.count; i++) {
        if (read_step(r, &steps.items[i], err) != 0)
            return -1;
    }
    return 0;
}

static int fill_grid(struct report *r, struct err *err)
{
    struct report_grid *g = &r->grid;

    if (report_grid_init(g, r->kind, r->step >= 0 ? step_names[r->step] : NULL,
                         r->by != BY_NOTHING ? by_names[r->by] : NULL, MEMORY_BYTES, err) != 0 ||
        report_grid_order(g, slice_str(r->sort), r->reverse, (size_t)r->top, err) != 0)
        return -1;
    g->over_time = r->format == FORMAT_CHART;
    g->scope = scope_names[r->scope];
    g->from = slice_str(r->range.from_text);
    g->to = slice_str(r->range.to_text);
    g->timezone = r->range.hours ? SLICE("UTC") : slice_str(r->cli->settings->timezone);
    report_counters(r->kind, &r->counters);
    /* Asked before the names and counters are read: what is complete then is complete in them. */
    if (range_complete(r->cli, &r->range, &r->arena, &g->complete, &g->note, err) != 0 ||
        find_names(r, err) != 0 || note_unknown(r, err) != 0 || read_steps(r, err) != 0)
        return -1;
    g->name = r->scope == SCOPE_USER ? r->user : r->account;
    report_grid_finish(g);
    return 0;
}

static int run(struct report *r)
{
    struct err err = {0};
    int code = cli_open(r->cli);

    if (code != EX_OK)
        return code;
    if (range_parse(&r->range, r->from, r->to, r->step == 0, &err) != 0 || fill_grid(r, &err) != 0)
        return cli_fail(&err);
    return cli_write_grid(&r->grid, (enum format)r->format);
}

int command_report(struct cli *cli, int argc, char **argv)
{
    struct report r = {.cli = cli, .by = BY_NOTHING, .step = -1};
    int code = parse(&r, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&r.arena, MEMORY_BYTES);
    code = run(&r);
    report_grid_fini(&r.grid);
    arena_fini(&r.arena);
    return code;
}
