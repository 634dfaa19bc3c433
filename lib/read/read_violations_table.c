#include "lib/read/read_violations_table.h"

#include "lib/core/format.h"
#include "lib/core/text.h"

enum violations_column {
    COL_TIME,
    COL_TIME_MS,
    COL_WHO,
    COL_ACCOUNT,
    COL_USER,
    COL_SHORT,
    COL_LIMIT,
    COL_MAX,
    COL_USED,
    COL_WANTED,
    COL_ACTION,
    COL_EVENT,
    COL_OBSERVED,
    COL_RETRY,
    COL_QUEUE_ID,
    COL_CLIENT,
    COL_FROM,
    COL_LOGIN
};

const struct table_column read_violations_columns[] = {
    [COL_TIME] = {.name = "time", .head = "time", .least = 14},
    [COL_TIME_MS] = {.name = "time_ms"},
    [COL_WHO] = {.head = "account", .cut = 14, .least = 20},
    [COL_ACCOUNT] = {.name = "account", .canonical = true},
    [COL_USER] = {.name = "user"},
    [COL_SHORT] = {.head = "limit", .least = 15, .expendable = true},
    [COL_LIMIT] = {.name = "limit"},
    [COL_MAX] = {.name = "max"},
    [COL_USED] = {.name = "used", .head = "used+more/max", .least = 13},
    [COL_WANTED] = {.name = "wanted"},
    [COL_ACTION] = {.name = "action", .head = "outcome", .least = 11},
    [COL_EVENT] = {.name = "event"},
    [COL_OBSERVED] = {.name = "observed"},
    [COL_RETRY] = {.name = "retry_after_s"},
    [COL_QUEUE_ID] = {.name = "queue_id", .head = "queue id", .least = 12},
    [COL_CLIENT] = {.name = "client", .head = "client", .minor = true, .least = 12},
    [COL_FROM] = {.name = "from", .head = "from", .minor = true},
    [COL_LOGIN] = {.name = "login", .head = "login", .minor = true},
};
const size_t read_violations_column_count =
    sizeof read_violations_columns / sizeof read_violations_columns[0];

const char *read_violations_outcome(const struct violation *v)
{
    static const char *const acted[] = {[ACTION_LOG] = "logged",
                                        [ACTION_HOLD] = "held",
                                        [ACTION_DEFER] = "deferred",
                                        [ACTION_REJECT] = "refused"};
    static const char *const would[] = {[ACTION_LOG] = "logged",
                                        [ACTION_HOLD] = "would hold",
                                        [ACTION_DEFER] = "would defer",
                                        [ACTION_REJECT] = "would refuse"};

    return v->soft ? "soft limit" : v->observed ? would[v->action] : acted[v->action];
}

static void add_times(struct table *list, const struct violation *v, struct buf *b)
{
    buf_reset(b);
    text_time_exact(b, v->time_ms / 1000);
    table_text(list, COL_TIME, buf_slice(b));
    buf_reset(b);
    text_time(b, v->time_ms / 1000);
    /* in tables without the year */
    table_shorten(list, COL_TIME, slice_from(buf_slice(b), sizeof "2026-" - 1));
    table_number(list, COL_TIME_MS, (uint64_t)v->time_ms, SLICE_NONE);
}

static void add_limit(struct table *list, const struct violation *v, struct buf *b)
{
    struct limit l = {.scope = v->scope, .metric = v->metric, .per = v->per};

    buf_reset(b);
    buf_addf(b, "%s/%.*s", limit_metric_name(v->metric), SLICE_FMT(v->per));
    table_shown(list, COL_SHORT, buf_slice(b));
    buf_reset(b);
    limit_name(&l, b);
    table_text(list, COL_LIMIT, buf_slice(b));
    table_number(list, COL_MAX, v->max, SLICE_NONE);
}

static void add_used(struct table *list, const struct violation *v, struct buf *b)
{
    buf_reset(b);
    text_compact(b, v->metric, v->used);
    buf_add_char(b, '+');
    text_compact(b, v->metric, v->wanted);
    buf_add_char(b, '/');
    text_compact(b, v->metric, v->max);
    table_number(list, COL_USED, v->used, buf_slice(b));
    table_number(list, COL_WANTED, v->wanted, SLICE_NONE);
}

static void add_some(struct table *list, enum violations_column column, struct slice text)
{
    if (text.len > 0)
        table_text(list, column, text);
}

void read_violations_add_row(struct table *list, const struct violation *v)
{
    struct buf b;

    buf_init(&b, 4096);
    table_row(list);
    add_times(list, v, &b);
    table_shown(list, COL_WHO, violation_subject(v).len > 0 ? v->user : v->domain);
    table_text(list, COL_ACCOUNT, v->domain);
    add_some(list, COL_USER, v->user);
    add_limit(list, v, &b);
    add_used(list, v, &b);
    table_text(list, COL_ACTION, slice_str(limit_action_name(v->action)));
    table_shorten(list, COL_ACTION, slice_str(read_violations_outcome(v)));
    table_text(list, COL_EVENT, slice_str(violation_event(v)));
    table_bool(list, COL_OBSERVED, v->observed, "");
    if (v->retry_after_s >= 0 && !v->soft)
        table_number(list, COL_RETRY, (uint64_t)v->retry_after_s, SLICE_NONE);
    add_some(list, COL_QUEUE_ID, v->queue_id);
    add_some(list, COL_CLIENT, v->client);
    add_some(list, COL_FROM, v->sender);
    add_some(list, COL_LOGIN, v->login);
    buf_fini(&b);
}
