#include "cli/limit_all.h"

#include <sysexits.h>

#include "cli/limit_show.h"
#include "cli/progress.h"
#include "lib/admin/limit_holders.h"
#include "lib/admin/limit_list.h"
#include "lib/core/text.h"
#include "lib/sys/clock.h"
#include "lib/sys/table.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define TEXT_BYTES  ((size_t)256 << 20)
#define NAME_BYTES  4096

enum all_column {
    COL_ACCOUNT,
    COL_KIND,
    COL_NAME,
    COL_OF,
    COL_MAX,
    COL_ACTION,
    COL_STATE,
    COL_UNTIL,
    COL_AUTHOR,
    COL_REASON
};

static const struct table_column columns[] = {
    [COL_ACCOUNT] = {.name = "account", .head = "account", .canonical = true, .cut = 30},
    [COL_KIND] = {.name = "kind", .head = "kind"},
    [COL_NAME] = {.name = "name", .head = "name"},
    [COL_OF] = {.name = "of", .head = "of", .cut = 20},
    [COL_MAX] = {.name = "max", .head = "max", .right = true},
    [COL_ACTION] = {.name = "action", .head = "action", .minor = true},
    [COL_STATE] = {.name = "state", .head = "state"},
    [COL_UNTIL] = {.name = "until", .head = "until", .minor = true},
    [COL_AUTHOR] = {.name = "author", .head = "by", .cut = 12},
    [COL_REASON] = {.name = "reason", .head = "reason", .cut = 30, .expendable = true},
};

struct all_reading {
    struct table table;
    int64_t now_s;
    struct arena arena;
};

/* --- rows ------------------------------------------------------------------------------------ */

static void row_begin(struct table *l, const struct holder *h, const char *kind)
{
    table_row(l);
    table_text(l, COL_ACCOUNT, h->name);
    table_text(l, COL_KIND, slice_str(kind));
}

/* A plan that is not configured is shown: it has no effect. */
static void plan_add(struct table *l, const struct holder *h, struct slice plan, const char *state)
{
    row_begin(l, h, "plan");
    table_text(l, COL_NAME, plan);
    table_text(l, COL_STATE, slice_str(state));
}

static void plans_add(struct table *l, const struct limit_holder *of)
{
    const struct holder_limits *limits = &of->limits;
    bool given = limits->origin == PLAN_GIVEN, assigned = limits->origin == PLAN_ASSIGNED;

    if (limits->said.plan.len > 0)
        plan_add(l, &of->holder, limits->said.plan, given ? "set" : "set, not configured");
    if (of->holder.assigned.len > 0)
        plan_add(l, &of->holder, of->holder.assigned,
                 assigned ? "assigned"
                 : given  ? "assigned, replaced"
                          : "assigned, not configured");
}

static void override_numbers(struct table *l, const struct limit *o, struct buf *b)
{
    buf_reset(b);
    text_amount(b, o->metric, o->max);
    if (o->max == LIMIT_UNLIMITED)
        table_text(l, COL_MAX, buf_slice(b));
    else
        table_number(l, COL_MAX, o->max, buf_slice(b));
    if (o->until_s == 0)
        return;
    buf_reset(b);
    text_time(b, o->until_s);
    table_number(l, COL_UNTIL, (uint64_t)o->until_s, buf_slice(b));
}

static void override_add(struct table *l, const struct holder *h, const struct limit *o,
                         int64_t now_s)
{
    struct buf b;

    buf_init(&b, NAME_BYTES);
    row_begin(l, h, "override");
    limit_name(o, &b);
    table_text(l, COL_NAME, buf_slice(&b));
    if (o->subject.len > 0)
        table_text(l, COL_OF, o->subject);
    override_numbers(l, o, &b);
    table_text(l, COL_ACTION, slice_str(limit_action_name(o->action)));
    table_text(l, COL_STATE, slice_str(limit_show_state(h, o, now_s)));
    if (o->author.len > 0)
        table_text(l, COL_AUTHOR, o->author);
    if (o->reason.len > 0)
        table_text(l, COL_REASON, o->reason);
    buf_fini(&b);
}

static int take(void *context, struct limit_holder *holders, size_t count, struct err *err)
{
    struct all_reading *w = context;

    for (size_t i = 0; i < count; i++) {
        const struct limit_holder *of = &holders[i];

        limit_list_sort(&of->limits);
        plans_add(&w->table, of);
        for (size_t k = 0; k < of->limits.said.count; k++)
            override_add(&w->table, &of->holder, &of->limits.said.overrides[k], w->now_s);
    }
    return w->table.failed ? err_set(err, EX_OSERR, "out of memory") : 0;
}

/* --- showing --------------------------------------------------------------------------------- */

static int show(const struct table *l, enum format format)
{
    struct render_style style;
    struct buf b;
    int code;

    cli_style(&style);
    buf_init(&b, TEXT_BYTES);
    if (format == FORMAT_CSV)
        table_csv(l, true, &b);
    else if (format == FORMAT_JSON)
        cli_add_json(&b, table_json(l));
    else if (l->row_count == 0)
        buf_add_str(
            &b, "Nobody has a plan or a limit of his own: the plan \"default\" holds for all.\n");
    else {
        table_table(l, &style, true, &b);
        table_note_hidden(l, &style, &b);
    }
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int limit_all(struct cli *cli, const struct setup *s, enum format format)
{
    struct all_reading w = {.now_s = clock_unix_ms() / 1000};
    struct progress progress;
    struct err err = {0};
    int code;

    arena_init(&w.arena, ARENA_BYTES);
    table_init(&w.table, columns, sizeof columns / sizeof columns[0], &w.arena);
    progress_start(&progress, cli, clock_monotonic_ms());
    code = limit_holders_each(s, &cli->reader, w.now_s, take, &w, &err);
    progress_end(&progress);
    code = code == 0 ? show(&w.table, format) : cli_fail(&err);
    arena_fini(&w.arena);
    return code;
}
