#include "cli/violations_summary.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/range.h"
#include "lib/core/format.h"
#include "lib/core/round_up.h"
#include "lib/core/strmap.h"
#include "lib/core/text.h"
#include "lib/read/read_violations.h"
#include "lib/sys/json.h"
#include "lib/sys/table.h"

#define ARENA_BYTES          ((size_t)1 << 30)
#define TEXT_BYTES           ((size_t)1 << 30)
#define NAME_BYTES           8192
#define STREAM_MAX           100000 /* entries that the store keeps of all, and of a domain */
#define STREAM_OF_DOMAIN_MAX 1000

/* All observed entries of one account (or user) and limit. */
struct summary_group {
    struct slice account, user;
    struct limit limit; /* as of the latest entry */
    uint64_t times, peak;
    int64_t last_ms;
};

struct summary {
    struct cli *cli;
    struct slice holder;
    struct range range;
    struct strmap by_name; /* -> struct summary_group * */
    struct summary_group **groups;
    size_t count, room;
    size_t top;              /* of the groups are shown; 0: all */
    uint64_t acted, entries; /* really stopped; all that were looked at */
    int64_t oldest_ms;       /* of the stream; 0: empty */
    struct table limits, accounts;
    struct arena arena;
};

/* --- the streams ----------------------------------------------------------------------------- */

static struct summary_group *group_new(struct summary *s, struct slice name,
                                       const struct violation *v)
{
    struct summary_group *g = arena_alloc(&s->arena, sizeof *g), **list;
    void **place;

    list = arena_grow(&s->arena, s->groups, s->count, &s->room, sizeof(*list));
    name = arena_copy(&s->arena, name);
    if (g == NULL || list == NULL || name.ptr == NULL)
        return NULL;
    s->groups = list;
    g->account = arena_copy(&s->arena, v->domain);
    g->user = arena_copy(&s->arena, violation_subject(v));
    g->limit.per = arena_copy(&s->arena, v->per);
    place = strmap_add(&s->by_name, name, NULL);
    if (place == NULL || g->account.ptr == NULL || g->limit.per.ptr == NULL)
        return NULL;
    *place = g;
    return list[s->count++] = g;
}

static struct summary_group *group_of(struct summary *s, const struct violation *v)
{
    struct limit l = {.scope = v->scope, .metric = v->metric, .per = v->per};
    struct summary_group *g;
    struct buf name;
    void **place;

    buf_init(&name, NAME_BYTES);
    limit_name(&l, &name);
    buf_addf(&name, " %.*s %.*s", SLICE_FMT(v->domain), SLICE_FMT(violation_subject(v)));
    place = strmap_find(&s->by_name, buf_slice(&name));
    g = place != NULL ? *place : name.failed ? NULL : group_new(s, buf_slice(&name), v);
    buf_fini(&name);
    return g;
}

static int take_entry(void *context, const struct violation_entry *entry, struct err *err)
{
    struct summary *s = context;
    const struct violation *v = &entry->v;
    struct summary_group *g;

    s->entries++;
    if (v->soft)
        return 0;
    if (!v->observed) {
        s->acted += v->peak ? 0 : 1;
        return 0;
    }
    g = group_of(s, v);
    if (g == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    g->times += v->peak ? 0 : 1;
    g->limit.scope = v->scope;
    g->limit.metric = v->metric;
    g->limit.max = v->max;
    g->limit.action = v->action;
    g->last_ms = v->time_ms;
    if (v->used + v->wanted > g->peak)
        g->peak = v->used + v->wanted;
    return 0;
}

static int take_oldest(void *context, const struct violation_entry *entry, struct err *err)
{
    struct summary *s = context;

    (void)err;
    s->oldest_ms = (int64_t)entry->id.ms;
    return 1;
}

static int read_streams(struct summary *s, struct err *err)
{
    struct stream_id from = {(uint64_t)s->range.time.from * 1000, 0};

    if (read_violations_forward(&s->cli->reader, s->holder, (struct stream_id){0, 0}, INT64_MAX,
                                take_oldest, s, err) < 0)
        return -1;
    return read_violations_forward(&s->cli->reader, s->holder, from,
                                   (int64_t)s->range.time.to * 1000, take_entry, s, err);
}

/* --- the suggestion -------------------------------------------------------------------------- */

/* A round limit with a fifth of room above what was seen. */
static uint64_t suggest(const struct summary_group *g)
{
    uint64_t want = g->peak + g->peak / 5 + (g->peak % 5 != 0 ? 1 : 0);

    return g->limit.metric == METRIC_BYTES ? round_up_bytes(want) : round_up_count(want);
}

/* --- by limit -------------------------------------------------------------------------------- */

enum summary_column {
    COL_WHO,
    COL_ACCOUNT,
    COL_USER,
    COL_LIMIT,
    COL_ACTION,
    COL_MAX,
    COL_TIMES,
    COL_PEAK,
    COL_SUGGESTED,
    COL_LAST
};

static const struct table_column columns[] = {
    [COL_WHO] = {.head = "account", .cut = 12},
    [COL_ACCOUNT] = {.name = "account", .canonical = true},
    [COL_USER] = {.name = "user"},
    [COL_LIMIT] = {.name = "limit", .head = "limit"},
    [COL_ACTION] = {.name = "action", .head = "action"},
    [COL_MAX] = {.name = "max", .head = "max", .right = true},
    [COL_TIMES] = {.name = "times", .head = "times", .right = true},
    [COL_PEAK] = {.name = "peak", .head = "peak", .right = true},
    [COL_SUGGESTED] = {.name = "suggested", .head = "suggested", .right = true},
    [COL_LAST] = {.name = "last", .head = "last", .minor = true},
};

static int group_compare(const void *a, const void *b)
{
    const struct summary_group *x = *(struct summary_group *const *)a,
                               *y = *(struct summary_group *const *)b;
    int order = x->times > y->times ? -1 : x->times < y->times;

    if (order == 0)
        order = slice_compare(x->account, y->account);
    if (order == 0)
        order = slice_compare(x->user, y->user);
    return order != 0 ? order : x->last_ms > y->last_ms ? -1 : x->last_ms < y->last_ms;
}

static void add_amount(struct summary *s, enum summary_column column, enum limit_metric metric,
                       uint64_t n, struct buf *b)
{
    buf_reset(b);
    text_amount(b, metric, n);
    table_number(&s->limits, column, n, buf_slice(b));
}

static void add_group(struct summary *s, const struct summary_group *g, struct buf *b)
{
    struct table *l = &s->limits;

    table_row(l);
    table_shown(l, COL_WHO, g->user.len > 0 ? g->user : g->account);
    table_text(l, COL_ACCOUNT, g->account);
    if (g->user.len > 0)
        table_text(l, COL_USER, g->user);
    buf_reset(b);
    limit_name(&g->limit, b);
    table_text(l, COL_LIMIT, buf_slice(b));
    table_text(l, COL_ACTION, slice_str(limit_action_name(g->limit.action)));
    add_amount(s, COL_MAX, g->limit.metric, g->limit.max, b);
    buf_reset(b);
    format_count(b, g->times);
    table_number(l, COL_TIMES, g->times, buf_slice(b));
    add_amount(s, COL_PEAK, g->limit.metric, g->peak, b);
    add_amount(s, COL_SUGGESTED, g->limit.metric, suggest(g), b);
    buf_reset(b);
    text_time_exact(b, g->last_ms / 1000);
    table_text(l, COL_LAST, buf_slice(b));
    buf_reset(b);
    text_time(b, g->last_ms / 1000);
    table_shorten(l, COL_LAST, buf_slice(b));
}

static void fill_limits(struct summary *s)
{
    struct buf b;

    table_init(&s->limits, columns, sizeof columns / sizeof columns[0], &s->arena);
    if (s->count > 0)
        qsort(s->groups, s->count, sizeof *s->groups, group_compare);
    buf_init(&b, NAME_BYTES);
    for (size_t i = 0; i < s->count && (s->top == 0 || i < s->top); i++)
        add_group(s, s->groups[i], &b);
    buf_fini(&b);
}

/* --- by account, from the counters ----------------------------------------------------------- */

static const enum counter observed[] = {COUNTER_OBSERVED_MESSAGES, COUNTER_OBSERVED_RECIPIENTS,
                                        COUNTER_OBSERVED_BYTES, COUNTER_OBSERVED_BOUNCES};

#define OBSERVED_COUNT (sizeof observed / sizeof observed[0])

static const struct table_column account_columns[] = {
    {.name = "account", .head = "account", .cut = 20},
    {.name = "observed_messages", .head = "messages", .right = true},
    {.name = "observed_recipients", .head = "recipients", .right = true},
    {.name = "observed_bytes", .head = "bytes", .right = true},
    {.name = "observed_bounces", .head = "bounces", .right = true},
};

static int add_account(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct summary *s = context;
    struct buf b;

    (void)err;
    if (tally_is_empty(sum))
        return 0;
    table_row(&s->accounts);
    table_text(&s->accounts, 0, name);
    buf_init(&b, 256);
    for (size_t i = 0; i < OBSERVED_COUNT; i++) {
        buf_reset(&b);
        format_value(&b, counter_table[observed[i]].unit, sum->value[observed[i]], false);
        table_number(&s->accounts, 1 + i, sum->value[observed[i]], buf_slice(&b));
    }
    buf_fini(&b);
    return 0;
}

static int read_counted(struct summary *s, struct err *err)
{
    struct name_list accounts = {.items = &s->holder, .count = 1};
    struct counter_list counters = {.count = OBSERVED_COUNT};
    struct stored_periods periods;

    table_init(&s->accounts, account_columns, sizeof account_columns / sizeof *account_columns,
               &s->arena);
    memcpy(counters.ids, observed, sizeof observed);
    if (s->holder.len > 0 && s->holder.ptr[0] == '@')
        return 0; /* what the server's and clients' limits stop counts for no account */
    if (read_report_cover(&s->range.time, s->range.time.from, s->range.time.to, &s->arena, &periods,
                          err) != 0 ||
        (s->holder.len == 0 && read_accounts(&s->cli->reader, &s->arena, &accounts, err) != 0))
        return -1;
    return read_counters(&s->cli->reader, &accounts, &periods, &counters, add_account, s, err);
}

/* --- writing --------------------------------------------------------------------------------- */

static bool is_cut(const struct summary *s)
{
    return s->oldest_ms > (int64_t)s->range.time.from * 1000 &&
           s->entries >= (s->holder.len > 0 ? STREAM_OF_DOMAIN_MAX : STREAM_MAX);
}

static void add_notes(const struct summary *s, struct buf *b)
{
    if (s->limits.row_count < s->count)
        buf_addf(b, "(%zu more)\n", s->count - s->limits.row_count);
    if (is_cut(s)) {
        buf_add_str(b, "\nOnly since ");
        text_time(b, s->oldest_ms / 1000);
        buf_add_str(b, ": the store does not keep older violations.\n");
    }
    if (s->acted > 0) {
        buf_add_char(b, '\n');
        format_count(b, s->acted);
        buf_add_str(b, s->acted == 1 ? " violation is not included: the limit acted.\n"
                                     : " violations are not included: limits acted.\n");
    }
}

static void add_text(const struct summary *s, struct buf *b)
{
    struct render_style style;

    cli_style(&style);
    buf_addf(b, "What limits would have stopped, %s to %s\n\n", s->range.from_text,
             s->range.to_text);
    if (s->limits.row_count == 0)
        buf_add_str(b, "Nothing.\n");
    else
        table_table(&s->limits, &style, true, b);
    add_notes(s, b);
    table_note_hidden(&s->limits, &style, b);
    if (s->accounts.row_count == 0)
        return;
    buf_add_str(b, "\nTotals, as counted:\n\n");
    table_table(&s->accounts, &style, true, b);
}

static json_t *to_json(const struct summary *s)
{
    json_t *o = json_object();

    (void)json_object_set_new(o, "from", json_string(s->range.from_text));
    (void)json_object_set_new(o, "to", json_string(s->range.to_text));
    (void)json_object_set_new(o, "timezone", json_string(s->cli->settings->timezone));
    (void)json_object_set_new(o, "since",
                              is_cut(s) ? json_integer(s->oldest_ms / 1000) : json_null());
    (void)json_object_set_new(o, "acted", json_integer((json_int_t)s->acted));
    (void)json_object_set_new(o, "limits", table_json(&s->limits));
    (void)json_object_set_new(o, "accounts", table_json(&s->accounts));
    return o;
}

static int write_all(const struct summary *s, int format)
{
    struct buf b;
    int code;

    buf_init(&b, TEXT_BYTES);
    if (format == 0)
        add_text(s, &b);
    else if (format == 1)
        table_csv(&s->limits, true, &b);
    else
        cli_add_json(&b, to_json(s));
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int violations_summary(struct cli *cli, struct slice holder, const char *from, const char *to,
                       size_t top, int format)
{
    struct summary s = {.cli = cli, .holder = holder, .top = top};
    struct err err = {0};
    int code;

    arena_init(&s.arena, ARENA_BYTES);
    strmap_init(&s.by_name);
    if (range_parse(cli, &s.range, from, to, false, &err) != 0 || read_streams(&s, &err) < 0 ||
        read_counted(&s, &err) != 0) {
        code = cli_fail(&err);
    } else {
        fill_limits(&s);
        code = write_all(&s, format);
    }
    strmap_fini(&s.by_name);
    arena_fini(&s.arena);
    return code;
}
