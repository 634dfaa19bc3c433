#include "lib/billing/bill_read.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/read/read_adjustments.h"
#include "lib/read/read_coverage.h"
#include "lib/read/read_reply.h"
#include "lib/read/read_report.h"
#include "lib/redis/keys.h"
#include "lib/sources/source.h"

#define KEY_BYTES   1024
#define NODES_BYTES 65536

/* --- months ---------------------------------------------------------------------------------- */

int bill_month_parse(struct slice text, time_t now, struct bill_month *out, struct err *err)
{
    enum period_kind kind = PERIOD_MONTH;

    if (slice_equal(text, SLICE("last")))
        out->start = period_step(PERIOD_MONTH, now, -1);
    else if (!period_parse(text, &kind, &out->start) || kind != PERIOD_MONTH)
        return err_set(err, EX_USAGE, "%.*s: expected a month such as 2026-11, or last",
                       SLICE_FMT(slice_to(text, 40)));
    out->end = period_end(PERIOD_MONTH, out->start);
    period_name(PERIOD_MONTH, out->start, out->name);
    return 0;
}

void bill_month_next(const struct bill_month *m, struct bill_month *out)
{
    out->start = period_step(PERIOD_MONTH, m->start, 1);
    out->end = period_end(PERIOD_MONTH, out->start);
    period_name(PERIOD_MONTH, out->start, out->name);
}

/* --- columns --------------------------------------------------------------------------------- */

static bool is_billed(const struct settings *s, enum counter id)
{
    for (size_t i = 0; i < s->billing.fields.count; i++) {
        if (counter_find(slice_str(s->billing.fields.items[i])) == (int)id)
            return true;
    }
    return counter_table[id].group == GROUP_TRAFFIC;
}

void bill_read_columns(const struct settings *s, struct bill *out)
{
    out->column_count = 0;
    for (enum counter id = 0; id < COUNTER_COUNT; id++) {
        if (is_billed(s, id))
            out->columns[out->column_count++] = id;
    }
}

static bool needs_collector(const struct bill *b)
{
    for (size_t i = 0; i < b->column_count; i++) {
        if (counter_filler(b->columns[i], false) == FILLER_COLLECTOR)
            return true;
    }
    return false;
}

/* --- who is missing -------------------------------------------------------------------------- */

static int add_missing(struct bill_missing_list *list, struct slice node, bool is_collector,
                       int64_t through_s, struct arena *arena, struct err *err)
{
    struct bill_missing *items =
        arena_grow(arena, list->items, list->count, &list->room, sizeof *items);

    if (items == NULL)
        return read_no_memory(err);
    list->items = items;
    items[list->count++] = (struct bill_missing){node, is_collector, through_s};
    return 0;
}

static int look_at(const struct coverage_nodes *n, size_t i, int64_t until_s, bool collectors,
                   struct arena *arena, struct bill_missing_list *out, struct err *err)
{
    const struct node_info *info = &n->nodes.items[i];
    const struct coverage_log *log = &n->collectors[i].log;

    if (info->is_retired)
        return 0;
    if (!info->is_collector_only && info->pushed_through < until_s &&
        add_missing(out, info->name, false, info->pushed_through, arena, err) != 0)
        return -1;
    if (collectors && log->is_there && !info->is_renamed && log->through_s < until_s &&
        add_missing(out, info->name, true, log->through_s, arena, err) != 0)
        return -1;
    return 0;
}

int bill_read_missing(struct reader *r, const struct settings *s, const struct bill_month *m,
                      const struct bill *columns, struct arena *arena,
                      struct bill_missing_list *out, struct err *err)
{
    int64_t until_s = (int64_t)m->end + s->billing.grace_ms / 1000;
    bool collectors = needs_collector(columns);
    struct coverage_nodes n;

    *out = (struct bill_missing_list){.count = 0};
    if (read_coverage_nodes(r, collectors, arena, &n, err) != 0)
        return -1;
    if (n.nodes.count == 0)
        return err_set(err, EX_TEMPFAIL, "no node has ever reported to this store");
    for (size_t i = 0; i < n.nodes.count; i++) {
        if (look_at(&n, i, until_s, collectors, arena, out, err) != 0)
            return -1;
    }
    return 0;
}

/* --- nodes and their ledgers ----------------------------------------------------------------- */

static int add_ledgers(struct reader *r, const struct name_list *nodes, struct buf *text,
                       struct err *err)
{
    for (size_t i = 0; i < nodes->count; i++) {
        redisReply *reply;
        struct buf key;

        buf_init(&key, KEY_BYTES);
        key_node(&key, r->prefix, nodes->items[i].ptr);
        reply = store_command(
            r->store, 3, (const struct slice[]){SLICE("HGET"), buf_slice(&key), SLICE("_ledger")},
            read_timeout_ms(r), err);
        buf_fini(&key);
        if (reply == NULL)
            return -1;
        buf_addf(text, "%s%.*s", i > 0 ? ", " : "", SLICE_FMT(nodes->items[i]));
        if (reply->type == REDIS_REPLY_STRING)
            buf_addf(text, " %.*s", SLICE_FMT(link_reply_text(reply)));
        freeReplyObject(reply);
    }
    return 0;
}

static int read_ledgers(struct reader *r, struct arena *arena, struct slice *out, struct err *err)
{
    struct name_list nodes;
    struct buf text;
    int result;

    if (read_nodes(r, arena, &nodes, err) != 0)
        return -1;
    buf_init(&text, NODES_BYTES);
    result = add_ledgers(r, &nodes, &text, err);
    *out = arena_copy(arena, buf_slice(&text));
    if (result == 0 && (out->ptr == NULL || text.failed))
        result = read_no_memory(err);
    buf_fini(&text);
    return result;
}

/* --- figures --------------------------------------------------------------------------------- */

struct bill_reading {
    struct bill *bill;
    struct arena *arena;
};

static int take_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct bill_reading *d = context;
    struct bill_row *row = bill_add(d->bill, name, d->arena);

    if (row == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < d->bill->column_count; i++) {
        uint64_t n = sum->value[d->bill->columns[i]];

        if (n > INT64_MAX / 8)
            return err_set(err, EX_DATAERR, "%.*s: %s is larger than any real figure",
                           SLICE_FMT(name), counter_table[d->bill->columns[i]].name);
        row->counted[i] = (int64_t)n;
    }
    return 0;
}

static int read_figures(struct reader *r, const struct settings *s, const struct bill_month *m,
                        time_t now, const struct name_list *names, struct bill_reading *d,
                        struct err *err)
{
    struct report_time time = read_report_time(s, now);
    struct counter_list counters = {.count = d->bill->column_count};
    struct stored_periods periods;

    memcpy(counters.ids, d->bill->columns, sizeof counters.ids);
    if (read_report_cover(&time, m->start, m->end, d->arena, &periods, err) != 0)
        return -1;
    return read_counters(r, names, &periods, &counters, take_row, d, err);
}

/* --- adjustments ----------------------------------------------------------------------------- */

static int adjust_row(struct bill *b, const struct adjustment_entry *e, struct arena *arena,
                      struct err *err)
{
    const struct bill_row *found = bill_find(b, e->account);
    struct bill_row *row = found != NULL ? &b->rows[found - b->rows] : NULL;

    TG_ASSERT(row != NULL);
    if (row->adjusted == NULL)
        row->adjusted = arena_array(arena, b->column_count + 1, sizeof *row->adjusted);
    if (row->adjusted == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < b->column_count; i++) {
        int64_t sum = row->adjusted[i] + e->adjustment.amounts[b->columns[i]];

        if (sum > INT64_MAX / 8 || sum < -(INT64_MAX / 8))
            return err_set(err, EX_DATAERR, "%.*s: the adjustments are larger than any real figure",
                           SLICE_FMT(e->account));
        row->adjusted[i] = sum;
    }
    return 0;
}

static bool is_empty(const struct bill *b, const struct bill_row *row)
{
    for (size_t i = 0; i < b->column_count; i++) {
        if (row->counted[i] != 0 || (row->adjusted != NULL && row->adjusted[i] != 0))
            return false;
    }
    return true;
}

/* Adjustments that come to nothing leave no lines; accounts without figures have none. */
static void tidy(struct bill *b)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->count; i++) {
        bool adjusted = false;

        for (size_t c = 0; b->rows[i].adjusted != NULL && c < b->column_count; c++)
            adjusted = adjusted || b->rows[i].adjusted[c] != 0;
        if (!adjusted)
            b->rows[i].adjusted = NULL;
        if (!is_empty(b, &b->rows[i]))
            b->rows[kept++] = b->rows[i];
    }
    b->count = kept;
}

static int read_corrections(struct reader *r, const struct bill_month *m,
                            const struct name_list *names, struct bill_reading *d, struct err *err)
{
    struct adjustment_list list;

    if (read_adjustments(r, names, slice_str(m->name), d->arena, &list, err) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        if (adjust_row(d->bill, &list.items[i], d->arena, err) != 0)
            return -1;
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

int bill_read(struct reader *r, const struct settings *s, const struct bill_month *m, time_t now,
              struct arena *arena, struct bill *out, struct err *err)
{
    struct bill_reading d = {out, arena};
    struct name_list names;

    out->month = slice_str(m->name);
    out->timezone = slice_str(s->timezone);
    out->rows = NULL;
    out->has_customers = false;
    out->count = out->room = 0;
    if (read_ledgers(r, arena, &out->nodes, err) != 0 ||
        read_accounts(r, arena, &names, err) != 0 ||
        read_figures(r, s, m, now, &names, &d, err) != 0 ||
        read_corrections(r, m, &names, &d, err) != 0)
        return -1;
    tidy(out);
    return 0;
}

int bill_read_customers(const struct settings *s, struct arena *arena, struct bill *b,
                        struct err *err)
{
    struct hosted *customers;
    int result = 0;

    if (s->billing.customers.count == 0)
        return 0;
    customers = source_load_customers(s, NULL, err);
    if (customers == NULL)
        return -1;
    b->has_customers = true;
    for (size_t i = 0; i < b->count && result == 0; i++) {
        b->rows[i].customer = arena_copy(arena, hosted_customer(customers, b->rows[i].account));
        if (b->rows[i].customer.ptr == NULL)
            result = read_no_memory(err);
    }
    hosted_free(customers);
    return result;
}
