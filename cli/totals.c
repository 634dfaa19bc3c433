/* tollgate totals: every counter of every account, for billing. */
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/range.h"
#include "lib/core/address.h"
#include "lib/core/classify.h"

#define MEMORY_BYTES ((size_t)1 << 30)

static const char help[] =
    "usage: tollgate totals --month 2026-11 | --from DATE --to DATE [--domain D]\n"
    "                       [--format csv|json]\n"
    "\n"
    "A line for each account that has counted anything, with every counter, exact, and whether "
    "the\n"
    "time is complete: every node has handed in all it counted of it.\n";

struct totals {
    struct cli *cli;
    const char *month, *from, *to, *domain;
    int format;
    struct range range;
    struct name_list names;
    struct counter_list counters;
    struct report_grid grid;
    struct arena arena;
};

enum totals_option { OPT_MONTH = 256, OPT_FROM, OPT_TO, OPT_DOMAIN, OPT_FORMAT };

static const struct option options[] = {{"month", required_argument, NULL, OPT_MONTH},
                                        {"from", required_argument, NULL, OPT_FROM},
                                        {"to", required_argument, NULL, OPT_TO},
                                        {"domain", required_argument, NULL, OPT_DOMAIN},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {NULL, 0, NULL, 0}};

static const char *const format_names[] = {"csv", "json"};
static const enum format formats[] = {FORMAT_CSV, FORMAT_JSON};

static bool set_option(struct totals *t, int id)
{
    switch (id) {
    case OPT_MONTH:
        t->month = optarg;
        return true;
    case OPT_FROM:
        t->from = optarg;
        return true;
    case OPT_TO:
        t->to = optarg;
        return true;
    case OPT_DOMAIN:
        t->domain = optarg;
        return true;
    default:
        t->format = cli_option_choice("totals", "--format", format_names, 2);
        return t->format >= 0;
    }
}

/* A bill is never for a time that somebody forgot to name. */
static int check(const struct totals *t)
{
    struct slice month = slice_str(t->month);
    enum period_kind kind;
    time_t start;

    if (t->month != NULL && (t->from != NULL || t->to != NULL))
        return cli_usage("totals", "--month goes without --from and --to");
    if (t->month == NULL && (t->from == NULL || t->to == NULL))
        return cli_usage("totals", "which time? Give --month 2026-11, or both --from and --to");
    if (t->month != NULL && (!period_parse(month, &kind, &start) || kind != PERIOD_MONTH))
        return cli_usage("totals", "--month wants a month such as 2026-11, not \"%s\"", t->month);
    return EX_OK;
}

static int parse(struct totals *t, int argc, char **argv)
{
    int id;

    while ((id = cli_option_next(t->cli, help, argc, argv, options)) != OPTION_END) {
        if (id == OPTION_HELP)
            return OPTION_HELP;
        if (id == OPTION_WRONG || !set_option(t, id))
            return EX_USAGE;
    }
    if (optind < argc)
        return cli_usage("totals", "what is \"%s\"? A domain is named by --domain", argv[optind]);
    return check(t);
}

static int find_names(struct totals *t, struct err *err)
{
    struct slice name;

    if (t->domain == NULL)
        return read_accounts(&t->cli->reader, &t->arena, &t->names, err);
    if (strcmp(t->domain, ACCOUNT_UNATTRIBUTED) == 0)
        name = slice_str(t->domain);
    else if (domain_canonical(slice_str(t->domain), &t->arena, &name, err) != 0)
        return cli_bad_value(err, "--domain", t->domain);
    t->names.items = arena_array(&t->arena, 1, sizeof *t->names.items);
    if (t->names.items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    t->names.items[0] = name;
    t->names.count = 1;
    return 0;
}

/* One domain that is asked for by name gets its line even if there is nothing in it. */
static int add_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct totals *t = context;

    if (tally_is_empty(sum) && t->domain == NULL)
        return 0;
    return report_grid_add(&t->grid, SLICE_NONE, name, sum, err);
}

static int fill_grid(struct totals *t, struct err *err)
{
    struct report_grid *g = &t->grid;
    struct stored_periods periods;

    if (report_grid_init(g, report_totals(), NULL, "account", MEMORY_BYTES, err) != 0 ||
        report_grid_order(g, SLICE("account"), false, 0, err) != 0 ||
        range_cover(&t->range, t->range.from, t->range.to, &t->arena, &periods, err) != 0)
        return -1;
    g->billing = true;
    g->scope = "accounts";
    g->from = slice_str(t->range.from_text);
    g->to = slice_str(t->range.to_text);
    g->timezone = slice_str(t->cli->settings->timezone);
    report_counters(g->kind, &t->counters);
    /* Asked before the names and counters are read: what is complete then is complete in them. */
    if (range_complete(t->cli, &t->range, &t->arena, &g->complete, &g->note, err) != 0 ||
        find_names(t, err) != 0 ||
        read_counters(&t->cli->reader, &t->names, &periods, &t->counters, add_row, t, err) != 0)
        return -1;
    report_grid_finish(g);
    return 0;
}

static int run(struct totals *t)
{
    struct err err = {0};
    int code = cli_open(t->cli);

    if (code != EX_OK)
        return code;
    if (t->month != NULL)
        t->from = t->to = t->month;
    if (range_parse(&t->range, t->from, t->to, false, &err) != 0 || fill_grid(t, &err) != 0)
        return cli_fail(&err);
    code = cli_write_grid(&t->grid, formats[t->format]);
    if (code == EX_OK && t->grid.note.len > 0 && t->format == 0)
        (void)fprintf(stderr, "tollgate: %.*s\n", SLICE_FMT(t->grid.note));
    return code;
}

int command_totals(struct cli *cli, int argc, char **argv)
{
    struct totals t = {.cli = cli};
    int code = parse(&t, argc, argv);

    if (code != EX_OK)
        return code == OPTION_HELP ? EX_OK : code;
    arena_init(&t.arena, MEMORY_BYTES);
    code = run(&t);
    report_grid_fini(&t.grid);
    arena_fini(&t.arena);
    return code;
}
