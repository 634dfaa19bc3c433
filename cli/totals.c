/* tollgate totals: every counter of every account, for billing. */
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/customers.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"
#include "lib/read/read_totals.h"
#include "lib/sys/clock.h"

#define MEMORY_BYTES ((size_t)1 << 30)

struct totals {
    struct cli *cli;
    const char *month, *from, *to, *customer;
    struct options_list domains;
    int format, by; /* by: an enum totals_by */
    bool require_complete;
    struct range range;
    struct name_list names;
    struct hosted *customers; /* NULL: not needed */
    struct report_grid grid;
    struct arena arena;
};

enum totals_by { BY_ACCOUNT = -1, BY_USERS, BY_CUSTOMERS };

static const char *const by_names[] = {"user", "customer", NULL};
static const char *const format_names[] = {"csv", "json", NULL};
static const enum format formats[] = {FORMAT_CSV, FORMAT_JSON};

static const struct options_word words[] = {{.name = NULL}};
static const struct options_row rows[] = {
    {.name = "month",
     OPTIONS_TEXT,
     offsetof(struct totals, month),
     "MONTH",
     "a month, such as 2026-11, or last: the one before this month"},
    {.name = "from", OPTIONS_TEXT, offsetof(struct totals, from), "DATE", "first day; with --to"},
    {.name = "to", OPTIONS_TEXT, offsetof(struct totals, to), "DATE", "last day, included"},
    {.name = "domain",
     OPTIONS_LIST,
     offsetof(struct totals, domains),
     "D",
     "only this domain; may be given more than once"},
    {.name = "customer",
     OPTIONS_TEXT,
     offsetof(struct totals, customer),
     "NAME",
     "only the domains of this customer (billing.customers)"},
    {.name = "by",
     OPTIONS_CHOICE,
     offsetof(struct totals, by),
     "user|customer",
     "one line for each user of the accounts, or for each customer; a domain without a customer "
     "has "
     "a line of its own",
     .choices = by_names},
    {.name = "require-complete",
     OPTIONS_FLAG,
     offsetof(struct totals, require_complete),
     NULL,
     "print nothing, and end with code 75, unless the time is complete"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct totals, format),
     "csv|json",
     "output format (csv)",
     .choices = format_names},
    {.name = NULL}};
static const struct options_table table = {
    .command = "totals",
    .synopsis =
        "totals --month MONTH | --from DATE --to DATE [--domain D]... [--customer NAME]\n"
        "                       [--by user|customer] [--require-complete] [--format csv|json]",
    .words = words,
    .rows = rows,
    .notes = "One line for each account that has counted anything, with every counter, exact, and "
             "whether the period is complete: all nodes have reported all they counted in it."};

/* A bill is never for a time that somebody forgot to name. */
static int check(const struct totals *t)
{
    struct slice month = slice_str(t->month);
    enum period_kind kind;
    time_t start;

    if (t->month != NULL && (t->from != NULL || t->to != NULL))
        return cli_usage("totals", "--month excludes --from and --to");
    if (t->month == NULL && (t->from == NULL || t->to == NULL))
        return cli_usage("totals", "give --month 2026-11, or both --from and --to");
    if (t->month != NULL && !slice_equal(month, SLICE("last")) &&
        (!period_parse(month, &kind, &start) || kind != PERIOD_MONTH))
        return cli_usage("totals", "--month %s: expected a month such as 2026-11, or last",
                         t->month);
    if (t->customer != NULL && t->domains.count > 0)
        return cli_usage("totals", "--customer excludes --domain");
    return EX_OK;
}

static int parse(struct totals *t, int argc, char **argv)
{
    char **none;
    int code = options_parse(&table, t->cli, t, argc, argv, &none);

    return code == EX_OK ? check(t) : code;
}

static int add_name(struct totals *t, const char *typed, struct err *err)
{
    struct slice *name = &t->names.items[t->names.count];

    if (strcmp(typed, ACCOUNT_UNATTRIBUTED) == 0)
        *name = slice_str(typed);
    else if (domain_canonical(slice_str(typed), &t->arena, name, err) != 0)
        return cli_bad_value(err, "--domain", typed);
    for (size_t i = 0; i < t->names.count; i++) {
        if (slice_equal(t->names.items[i], *name))
            return 0; /* on the bill once */
    }
    t->names.count++;
    return 0;
}

static int find_names(struct totals *t, struct err *err)
{
    t->names.items = arena_array(&t->arena, t->domains.count + 1, sizeof *t->names.items);
    if (t->names.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < t->domains.count; i++) {
        if (add_name(t, t->domains.items[i], err) != 0)
            return -1;
    }
    return 0;
}

static int fill_grid(struct totals *t, struct err *err)
{
    struct totals_question q = {.range = &t->range,
                                .timezone = t->cli->settings->timezone,
                                .by_user = t->by == BY_USERS,
                                .by_customer = t->by == BY_CUSTOMERS,
                                .customer = slice_str(t->customer)};

    if (find_names(t, err) != 0)
        return -1;
    if ((q.by_customer || t->customer != NULL) &&
        customers_load(t->cli, t->customer, &t->customers, err) != 0)
        return -1;
    q.customers = t->customers;
    q.accounts = t->names;
    return read_totals(&t->cli->reader, &q, &t->arena, &t->grid, err);
}

static const char *month_typed(const struct totals *t, char last[PERIOD_TEXT])
{
    if (!slice_equal(slice_str(t->month), SLICE("last")))
        return t->month;
    period_name(PERIOD_MONTH, period_step(PERIOD_MONTH, (time_t)(clock_unix_ms() / 1000), -1),
                last);
    return last;
}

static int say_incomplete(const struct totals *t)
{
    struct err err = {0};

    (void)err_set(&err, EX_TEMPFAIL, "%s to %s is not complete: %.*s", t->range.from_text,
                  t->range.to_text, SLICE_FMT(t->grid.note));
    return cli_fail(&err);
}

static int run(struct totals *t)
{
    const int64_t began_ms = clock_monotonic_ms();
    char last[PERIOD_TEXT];
    struct progress progress;
    struct err err = {0};
    int code = cli_open(t->cli);

    if (code != EX_OK)
        return code;
    progress_start(&progress, t->cli, began_ms);
    if (t->month != NULL)
        t->from = t->to = month_typed(t, last);
    code = range_parse(t->cli, &t->range, t->from, t->to, false, &err);
    if (code == 0)
        code = fill_grid(t, &err);
    progress_end(&progress);
    if (code != 0)
        return cli_fail(&err);
    if (t->require_complete && !t->grid.complete)
        return say_incomplete(t);
    code = cli_write_grid(&t->grid, formats[t->format], RENDER_SVG_BAR);
    if (code == EX_OK && t->grid.note.len > 0 && t->format == 0)
        (void)fprintf(stderr, "tollgate: %.*s\n", SLICE_FMT(t->grid.note));
    return code;
}

int command_totals(struct cli *cli, int argc, char **argv)
{
    struct totals t = {.cli = cli, .by = BY_ACCOUNT};
    int code;

    arena_init(&t.arena, MEMORY_BYTES);
    code = parse(&t, argc, argv);
    code = code == OPTIONS_DONE ? EX_OK : code != EX_OK ? code : run(&t);
    options_list_free(&t.domains);
    report_grid_fini(&t.grid);
    hosted_free(t.customers);
    arena_fini(&t.arena);
    return code;
}
