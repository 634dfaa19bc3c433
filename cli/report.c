/* tollgate report: counters of a range of time as table, CSV, JSON, chart, image or page. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/customers.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/report_lists.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"

#define MEMORY_BYTES ((size_t)1 << 30)

static const char *const by_names[] = {"node", "domain", "user", "customer", NULL};
static const char *const step_names[] = {"hour", "day", "week", "month", "quarter", NULL};
static const enum period_kind step_kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH,
                                              PERIOD_QUARTER};
static const char *const format_names[] = {"table", "csv", "json", "chart", "svg", "html", NULL};
static const char *const chart_names[] = {"bar", "line", "area", NULL};

struct report {
    struct cli *cli;
    const struct report_kind *kind;
    const struct list_kind *list; /* in place of kind */
    bool server;
    const char *domain_text, *user_text, *customer, *from, *to, *sort;
    int by;   /* into by_names, an enum report_by */
    int step; /* into step_names; -1: none */
    bool reverse;
    uint64_t top;
    int format;
    int chart; /* an enum render_svg_kind; -1: not given */

    struct range range;
    struct report_question question;
    struct report_grid grid;
    struct hosted *customers; /* NULL: not needed */
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static int list_reports(void)
{
    const struct report_kind *kind;
    const struct list_kind *list;

    (void)printf("Reports (`tollgate report NAME'; --help shows the options):\n\n");
    for (size_t i = 0; (kind = report_at(i)) != NULL; i++)
        (void)printf("  %-22s  %s\n", kind->name, kind->help);
    for (size_t i = 0; (list = read_list_at(i)) != NULL; i++)
        (void)printf("  %-22s  %s\n", list->name, list->help);
    return EX_OK;
}

static int unknown_report(const char *typed)
{
    const char *names[64];
    size_t count = 0;

    for (; count < 64 && report_at(count) != NULL; count++)
        names[count] = report_at(count)->name;
    for (size_t i = 0; count < 64 && read_list_at(i) != NULL; i++)
        names[count++] = read_list_at(i)->name;
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
    {.name = "customer",
     OPTIONS_TEXT,
     offsetof(struct report, customer),
     "NAME",
     "the domains of a customer together (billing.customers)"},
    {.name = "by",
     OPTIONS_CHOICE,
     offsetof(struct report, by),
     "BY",
     "a line for each node, domain, user or customer; a domain without a customer has one of its "
     "own",
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
     "table (default), csv, json, chart (of characters), svg (an image) or html (a page)",
     .choices = format_names},
    {.name = "chart",
     OPTIONS_CHOICE,
     offsetof(struct report, chart),
     "KIND",
     "what svg and html draw over time: bar (default), line or area",
     .choices = chart_names},
    {.name = NULL}};
static const struct options_table table = {
    .command = "report",
    .synopsis = "report NAME [--server | --domain D | --user U | --customer NAME]\n"
                "                       [--by node|domain|user|customer]\n"
                "                       [--from DATE] [--to DATE] [--step "
                "hour|day|week|month|quarter]\n"
                "                       [--sort COLUMN] [--reverse] [--top N]\n"
                "                       [--format table|csv|json|chart|svg|html]\n                 "
                "      [--chart bar|line|area]",
    .words = words,
    .rows = rows,
    .words_most = 1};

/* Users have counters of some groups, and no hours. */
static int check_users(const struct report *r)
{
    if (!report_is_of_users(r->kind))
        return cli_usage("report",
                         "the report %s exists for the server and for domains, not for users",
                         r->kind->name);
    if (r->step == 0)
        return cli_usage("report", "users are counted by month and day, not by hour");
    return EX_OK;
}

static enum report_scope scope_of(const struct report *r)
{
    return r->customer != NULL      ? SCOPE_CUSTOMER
           : r->user_text != NULL   ? SCOPE_USER
           : r->domain_text != NULL ? SCOPE_DOMAIN
                                    : SCOPE_SERVER;
}

/* Lines that the scope does not have. */
static int check_by(const struct report *r, enum report_scope scope)
{
    if (scope == SCOPE_USER && r->by != BY_NOTHING)
        return cli_usage("report", "--by %s excludes --user: one user is one line",
                         by_names[r->by]);
    if (scope != SCOPE_SERVER && r->by == BY_NODE)
        return cli_usage("report", "--by node needs --server: the counters of a domain are the sum "
                                   "over all nodes");
    if ((scope == SCOPE_DOMAIN && r->by == BY_DOMAIN) ||
        (scope != SCOPE_SERVER && r->by == BY_CUSTOMER))
        return cli_usage("report", "--by %s needs --server", by_names[r->by]);
    return EX_OK;
}

static int check_scope(const struct report *r)
{
    enum report_scope scope = scope_of(r);
    bool is_node = scope == SCOPE_SERVER && (r->by == BY_NOTHING || r->by == BY_NODE);

    if (r->chart >= 0 && r->format < FORMAT_SVG)
        return cli_usage("report", "--chart needs --format svg or html");
    if (r->server && scope != SCOPE_SERVER)
        return cli_usage("report", "--server excludes --domain, --user and --customer");
    if (scope == SCOPE_CUSTOMER && (r->domain_text != NULL || r->user_text != NULL))
        return cli_usage("report", "--customer excludes --domain and --user");
    if (check_by(r, scope) != EX_OK)
        return EX_USAGE;
    if (report_fillers(r->kind, is_node).nobody)
        return cli_usage("report",
                         "the report %s exists for the server and its nodes only: use --server, "
                         "with --by node or without --by",
                         r->kind->name);
    return scope == SCOPE_USER || r->by == BY_USER ? check_users(r) : EX_OK;
}

/* A list has no counters to be summed, sorted or drawn. */
static int check_list(const struct report *r)
{
    if (r->user_text != NULL || r->customer != NULL || r->by != BY_NOTHING || r->step >= 0 ||
        r->sort != NULL || r->reverse || r->format > FORMAT_JSON)
        return cli_usage("report",
                         "the report %s is a list: it takes --domain, --from, --to, --top and "
                         "--format table|csv|json",
                         r->list->name);
    if (r->server && r->domain_text != NULL)
        return cli_usage("report", "--server excludes --domain and --user");
    return EX_OK;
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
    r->list = read_list_find(slice_str(names[0]));
    if (r->list != NULL)
        return check_list(r);
    r->kind = report_find(slice_str(names[0]));
    return r->kind != NULL ? check_scope(r) : unknown_report(names[0]);
}

/* --- the question ---------------------------------------------------------------------------- */

static int parse_account(struct report *r, const char *text, struct err *err)
{
    if (strcmp(text, ACCOUNT_UNATTRIBUTED) == 0)
        r->question.account = slice_str(text);
    else if (domain_canonical(slice_str(text), &r->arena, &r->question.account, err) != 0)
        return cli_bad_value(err, "--domain", text);
    return 0;
}

static int parse_user(struct report *r, struct err *err)
{
    struct slice delimiters;
    struct address a;

    if (address_parse(slice_str(r->user_text), &r->arena, &a, err) != 0)
        return cli_bad_value(err, "--user", r->user_text);
    if (a.domain.len == 0)
        return err_set(err, EX_USAGE,
                       "--user %s: give the whole address, such as alice@example.com",
                       r->user_text);
    if (source_user_delimiters(r->cli->settings, &r->arena, &delimiters, err) != 0)
        return -1;
    r->question.user = address_user_by(&a, delimiters, &r->arena);
    if (r->domain_text == NULL)
        r->question.account = a.domain;
    return 0;
}

/* A name never counted may be a mistyped one. */
static int note_unknown(struct report *r, struct err *err)
{
    bool known;

    if (r->question.scope == SCOPE_SERVER || r->question.scope == SCOPE_CUSTOMER)
        return 0;
    if (read_is_account(&r->cli->reader, r->question.account, &known, err) != 0)
        return -1;
    if (!known)
        (void)fprintf(stderr, "tollgate: nothing has ever been counted for %.*s%s\n",
                      SLICE_FMT(r->question.account),
                      r->question.scope == SCOPE_USER
                          ? "; where its mail is charged to another domain, name that by --domain"
                          : "");
    return 0;
}

static int ask(struct report *r, struct err *err)
{
    struct report_question *q = &r->question;

    *q = (struct report_question){
        .kind = r->kind,
        .scope = scope_of(r),
        .by = (enum report_by)r->by,
        .step = r->step >= 0 ? step_kinds[r->step] : PERIOD_TOTAL,
        .time = r->range.time,
        .from_text = slice_str(r->range.from_text),
        .to_text = slice_str(r->range.to_text),
        .timezone = r->range.time.hours ? SLICE("UTC") : slice_str(r->cli->settings->timezone),
        .sort = slice_str(r->sort),
        .reverse = r->reverse,
        .over_time = r->format == FORMAT_CHART || r->format == FORMAT_SVG,
        .top = (size_t)r->top};
    if (r->domain_text != NULL && parse_account(r, r->domain_text, err) != 0)
        return -1;
    if (r->user_text != NULL && parse_user(r, err) != 0)
        return -1;
    if (q->by == BY_CUSTOMER || r->customer != NULL) {
        if (customers_load(r->cli, r->customer, &r->customers, err) != 0)
            return -1;
        q->customers = r->customers;
    }
    if (r->customer != NULL)
        q->account = slice_str(r->customer);
    return note_unknown(r, err);
}

static int run_list(struct report *r)
{
    struct list_question q = {.kind = r->list,
                              .range = &r->range,
                              .top = (size_t)r->top,
                              .timezone = r->cli->settings->timezone};
    struct err err = {0};

    if (range_parse(r->cli, &r->range, r->from, r->to, false, &err) != 0 ||
        (r->domain_text != NULL && parse_account(r, r->domain_text, &err) != 0))
        return cli_fail(&err);
    q.domain = r->question.account;
    return report_list_write(r->cli, &q, (enum format)r->format);
}

static int run(struct report *r)
{
    const int64_t began_ms = clock_monotonic_ms();
    struct progress progress;
    struct err err = {0};
    int code = cli_open(r->cli);

    if (code != EX_OK)
        return code;
    if (r->list != NULL)
        return run_list(r);
    progress_start(&progress, r->cli, began_ms);
    code = range_parse(r->cli, &r->range, r->from, r->to, r->step == 0, &err);
    if (code == 0)
        code = ask(r, &err);
    if (code == 0)
        code = read_report(&r->cli->reader, &r->question, &r->arena, &r->grid, &err);
    progress_end(&progress);
    if (code != 0)
        return cli_fail(&err);
    return cli_write_grid(&r->grid, (enum format)r->format,
                          r->chart < 0 ? RENDER_SVG_BAR : (enum render_svg_kind)r->chart);
}

int command_report(struct cli *cli, int argc, char **argv)
{
    struct report r = {.cli = cli, .by = BY_NOTHING, .step = -1, .chart = -1};
    int code = parse(&r, argc, argv);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&r.arena, MEMORY_BYTES);
    code = run(&r);
    report_grid_fini(&r.grid);
    hosted_free(r.customers);
    arena_fini(&r.arena);
    return code;
}
