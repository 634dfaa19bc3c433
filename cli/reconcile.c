/* tollgate reconcile: what tollgated counted, compared with what the mail log says of it. */
#include "cli/reconcile.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "cli/options.h"
#include "lib/core/format.h"
#include "lib/core/text.h"
#include "lib/sys/table.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)1 << 30)

enum reconcile_column {
    COL_WHEN,
    COL_TIME,
    COL_FINDING,
    COL_QUEUE_ID,
    COL_OTHER_ID,
    COL_ACCOUNT,
    COL_EFFECT,
    COL_EVIDENCE
};

static const struct table_column columns[] = {
    [COL_WHEN] = {.head = "time"},
    [COL_TIME] = {.name = "time"},
    [COL_FINDING] = {.name = "finding", .head = "finding"},
    [COL_QUEUE_ID] = {.name = "queue_id", .head = "queue id"},
    [COL_OTHER_ID] = {.name = "other_id", .head = "became", .minor = true},
    [COL_ACCOUNT] = {.name = "account", .head = "account", .canonical = true},
    [COL_EFFECT] = {.name = "effect", .head = "effect", .cut = 40},
    [COL_EVIDENCE] = {.name = "evidence", .head = "evidence", .minor = true, .cut = 40},
};

struct reconcile_command {
    struct reconcile w;
    const char *from, *to, *domain;
    int format;
    bool adjust, report;
};

static const char *const formats[] = {"table", "csv", "json", NULL};
static const struct options_word words[] = {{.name = NULL}};
static const struct options_row rows[] = {
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct reconcile_command, from),
     "DATE",
     "the first day: 2026-11-21, today, -7days (default: yesterday)"},
    {.name = "to",
     OPTIONS_TEXT,
     offsetof(struct reconcile_command, to),
     "DATE",
     "the last day, included (default: today)"},
    {.name = "domain",
     OPTIONS_TEXT,
     offsetof(struct reconcile_command, domain),
     "D",
     "only findings that change the figures of this domain"},
    {.name = "adjust",
     OPTIONS_FLAG,
     offsetof(struct reconcile_command, adjust),
     NULL,
     "write the effects down as adjustments, whatever billing.reconcile says"},
    {.name = "report",
     OPTIONS_FLAG,
     offsetof(struct reconcile_command, report),
     NULL,
     "only report them"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct reconcile_command, format),
     "FORMAT",
     "table (default), csv or json",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "reconcile",
    .synopsis = "reconcile [--from DATE] [--to DATE] [--domain D] [--adjust | --report]\n"
                "                [--format table|csv|json]",
    .words = words,
    .rows = rows,
    .notes = "Run it as root on the node: it compares the records that tollgated keeps "
             "(ledger.keep_messages) with what tollgate-collect read in the mail log. Figures are "
             "never edited: adjustments stand beside them, with their evidence."};

/* --- rows ------------------------------------------------------------------------------------- */

/* For people "out_messages -1, out_bytes -1,234"; for programs "out_messages=-1 out_bytes=-1234".
 */
static void add_effect(struct buf *b, const struct reconcile_effect *e, bool is_exact)
{
    size_t start = b->len;

    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        int64_t n = e->amounts[i];

        if (n == 0 || (!is_exact && counter_table[i].group == GROUP_PRIORITY))
            continue;
        if (b->len > start)
            buf_add_str(b, is_exact ? " " : ", ");
        buf_addf(b, "%s%c%c", counter_table[i].name, is_exact ? '=' : ' ', n < 0 ? '-' : '+');
        if (is_exact)
            buf_addf(b, "%" PRIu64, (uint64_t)(n < 0 ? -n : n));
        else
            format_count(b, (uint64_t)(n < 0 ? -n : n));
    }
}

static void add_effects(struct table *l, const struct reconcile_effect *e)
{
    struct buf b;

    buf_init(&b, 65536);
    add_effect(&b, e, true);
    table_text(l, COL_EFFECT, buf_slice(&b));
    buf_reset(&b);
    add_effect(&b, e, false);
    table_shorten(l, COL_EFFECT, buf_slice(&b));
    buf_fini(&b);
    table_text(l, COL_ACCOUNT, e->account);
}

static void add_row(struct table *l, const struct reconcile_finding *f,
                    const struct reconcile_effect *e)
{
    const struct finding *found = f->found;
    struct buf b;

    buf_init(&b, 65536);
    table_row(l);
    text_time(&b, found->time_ms / 1000);
    table_shown(l, COL_WHEN, buf_slice(&b));
    table_number(l, COL_TIME, (uint64_t)(found->time_ms / 1000), SLICE_NONE);
    table_text(l, COL_FINDING, slice_str(finding_kind_name(found->kind)));
    table_text(l, COL_QUEUE_ID, found->queue_id);
    table_text(l, COL_OTHER_ID, found->other_id);
    if (e != NULL)
        add_effects(l, e);
    table_text(l, COL_EVIDENCE, found->evidence);
    buf_fini(&b);
}

/* One a finding and account; the node's own only in CSV and JSON. */
static void add_rows(struct table *l, const struct reconcile_command *c)
{
    for (size_t i = 0; i < c->w.count; i++) {
        const struct reconcile_finding *f = &c->w.list[i];
        bool has_row = false;

        if (f->is_dropped)
            continue;
        for (const struct reconcile_effect *e = f->effects; e != NULL; e = e->next) {
            if (c->format == 0 && slice_equal(e->account, c->w.node_account))
                continue;
            add_row(l, f, e);
            has_row = true;
        }
        if (!has_row)
            add_row(l, f, NULL);
    }
}

/* --- the summary -------------------------------------------------------------------------------
 */

static void add_count(struct buf *b, const char *what, uint64_t n)
{
    struct buf number;

    buf_init(&number, 64);
    format_count(&number, n);
    buf_addf(b, "%12s  %s\n", number.data, what);
    buf_fini(&number);
}

static void add_summary(struct buf *b, const struct reconcile_command *c, size_t written)
{
    const struct findings *f = &c->w.findings;

    add_count(b, "messages counted by tollgated", f->counted);
    add_count(b, "confirmed by the mail log", f->agreed);
    if (f->waiting > 0)
        add_count(b, "on hold in the mail server", f->waiting);
    if (f->unjudged > 0)
        add_count(b, "not compared: the log does not cover them, or not yet", f->unjudged);
    for (size_t k = 0; k < FINDING_KINDS; k++) {
        size_t n = reconcile_count(&c->w, (enum finding_kind)k);
        struct buf what;

        if (n == 0)
            continue;
        buf_init(&what, 256);
        buf_addf(&what, "%s: %s", finding_kind_name((enum finding_kind)k),
                 finding_kind_help((enum finding_kind)k));
        add_count(b, what.data, n);
        buf_fini(&what);
    }
    if (c->adjust)
        add_count(b, written == 1 ? "adjustment written" : "adjustments written", written);
}

static json_t *summary_json(const struct reconcile_command *c, const struct table *l,
                            size_t written)
{
    const struct findings *f = &c->w.findings;
    json_t *counts = json_object();

    for (size_t k = 0; k < FINDING_KINDS; k++)
        (void)json_object_set_new(
            counts, finding_kind_name((enum finding_kind)k),
            json_integer((json_int_t)reconcile_count(&c->w, (enum finding_kind)k)));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "counted", (json_int_t)f->counted,
                     "confirmed", (json_int_t)f->agreed, "on_hold", (json_int_t)f->waiting,
                     "not_compared", (json_int_t)f->unjudged, "adjustments_written",
                     (json_int_t)written, "findings", counts, "rows", table_json(l));
}

static int show(struct reconcile_command *c, size_t written)
{
    struct render_style style;
    struct table l;
    struct buf b;
    int code;

    table_init(&l, columns, sizeof columns / sizeof columns[0], &c->w.arena);
    add_rows(&l, c);
    cli_style(&style);
    buf_init(&b, TEXT_BYTES);
    if (c->format == 1)
        table_csv(&l, true, &b);
    else if (c->format == 2)
        cli_add_json(&b, summary_json(c, &l, written));
    else {
        add_summary(&b, c, written);
        if (l.row_count > 0) {
            buf_add_char(&b, '\n');
            table_table(&l, &style, true, &b);
            table_note_hidden(&l, &style, &b);
        }
    }
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

/* --- the command -------------------------------------------------------------------------------
 */

static int domain_of(struct reconcile_command *c, struct err *err)
{
    if (c->domain == NULL ||
        domain_canonical(slice_str(c->domain), &c->w.arena, &c->w.domain, err) == 0)
        return 0;
    err->code = EX_USAGE;
    return cli_bad_value(err, "domain", c->domain);
}

/* Of one domain alone it says too little. What was found does not depend on it. */
static void tell(struct reconcile_command *c)
{
    struct err err = {0};

    if (c->domain == NULL && reconcile_tell(&c->w, &err) < 0)
        (void)fprintf(stderr, "tollgate: what was found is not told to monitoring: %s\n", err.text);
}

static int run(struct reconcile_command *c)
{
    struct err err = {0};
    size_t written = 0;
    int code = cli_setup(&c->w.setup, c->w.cli);
    struct buf node;

    if (code != EX_OK)
        return code;
    buf_init(&node, 256);
    buf_addf(&node, "@%s", c->w.cli->settings->node);
    c->w.node_account = arena_copy(&c->w.arena, buf_slice(&node));
    buf_fini(&node);
    c->adjust =
        c->adjust || (!c->report && c->w.cli->settings->billing.reconcile == RECONCILE_ADJUST);
    if (domain_of(c, &err) < 0 ||
        range_parse(c->w.cli, &c->w.range, c->from != NULL ? c->from : "-1days", c->to, false,
                    &err) < 0 ||
        reconcile_read(&c->w, &err) < 0 || reconcile_effects(&c->w, &err) < 0 ||
        (c->adjust && reconcile_adjust(&c->w, &written, &err) < 0))
        return cli_fail(&err);
    tell(c);
    return show(c, written);
}

int command_reconcile(struct cli *cli, int argc, char **argv)
{
    struct reconcile_command c = {.w.cli = cli};
    char **typed;
    int code = options_parse(&table, cli, &c, argc, argv, &typed);

    if (code == EX_OK && c.adjust && c.report)
        code = cli_usage("reconcile", "--adjust excludes --report");
    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&c.w.arena, ARENA_BYTES);
    arena_init(&c.w.scratch, ARENA_BYTES);
    findings_init(&c.w.findings);
    code = run(&c);
    setup_close(&c.w.setup);
    findings_fini(&c.w.findings);
    arena_fini(&c.w.scratch);
    arena_fini(&c.w.arena);
    return code;
}
