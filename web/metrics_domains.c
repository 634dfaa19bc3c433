#include "web/metrics_domains.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "web/metrics_counter.h"

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for the metrics of domains");
}

/* The counters that tollgate_domain_message_bytes has. */
static struct counter_list byte_counters(void)
{
    struct counter_list list = {.count = 0};
    size_t family = metrics_counter(COUNTER_IN_BYTES).family;

    for (int id = 0; id < COUNTER_COUNT; id++) {
        if (metrics_counter((enum counter)id).family == family)
            list.ids[list.count++] = (enum counter)id;
    }
    return list;
}

static uint64_t bytes_of(const struct tally *t, const struct counter_list *counters)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < counters->count; i++)
        sum += t->value[counters->ids[i]];
    return sum;
}

static struct stored_period period_at(enum period_kind kind, time_t t)
{
    struct stored_period p = {.kind = kind};

    period_name(kind, t, p.name);
    return p;
}

/* --- choosing -------------------------------------------------------------------------------- */

struct ranked {
    struct slice name;
    uint64_t bytes;
};

struct ranking {
    struct ranked *items;
    size_t at; /* in the order of the accounts */
    const struct counter_list *counters;
};

static int take_month(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct ranking *k = context;

    (void)err;
    k->items[k->at++] = (struct ranked){name, bytes_of(sum, k->counters)};
    return 0;
}

static int take_today(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct ranking *k = context;
    struct ranked *item = &k->items[k->at++];
    uint64_t today = bytes_of(sum, k->counters);

    (void)name;
    (void)err;
    item->bytes = item->bytes > today ? item->bytes - today : 0;
    return 0;
}

static int larger_first(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return slice_compare(a->name, b->name);
}

static int by_name(const void *left, const void *right)
{
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

/* What the month had before this day. */
static int rank(struct reader *r, const struct name_list *accounts, time_t now, struct ranking *k,
                struct err *err)
{
    time_t yesterday = period_start(PERIOD_DAY, now) - 1;
    struct stored_period month = period_at(PERIOD_MONTH, yesterday);
    struct stored_period today = period_at(PERIOD_DAY, now);
    const struct stored_periods months = {.items = &month, .count = 1};
    const struct stored_periods days = {.items = &today, .count = 1};

    if (read_counters(r, accounts, &months, k->counters, take_month, k, err) != 0)
        return -1;
    k->at = 0;
    if (period_end(PERIOD_MONTH, yesterday) <= now)
        return 0;
    return read_counters(r, accounts, &days, k->counters, take_today, k, err);
}

int metrics_domains_choose(struct reader *r, size_t most, time_t now, struct arena *arena,
                           struct name_list *out, struct err *err)
{
    const struct counter_list counters = byte_counters();
    struct ranking k = {.counters = &counters};
    struct name_list accounts;

    *out = (struct name_list){.count = 0};
    if (read_accounts(r, arena, &accounts, err) != 0)
        return -1;
    k.items = arena_array(arena, accounts.count + 1, sizeof *k.items);
    out->items = arena_array(arena, most + 1, sizeof *out->items);
    if (k.items == NULL || out->items == NULL)
        return no_memory(err);
    if (rank(r, &accounts, now, &k, err) != 0)
        return -1;
    qsort(k.items, accounts.count, sizeof *k.items, larger_first);
    while (out->count < most && out->count < accounts.count && k.items[out->count].bytes > 0) {
        out->items[out->count] = k.items[out->count].name;
        out->count++;
    }
    qsort(out->items, out->count, sizeof *out->items, by_name);
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

struct domains_reading {
    const struct name_list *chosen;
    struct metrics_domain *items; /* one behind the chosen: all others */
};

static int take_total(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    const struct domains_reading *g = context;
    const struct slice *found =
        bsearch(&name, g->chosen->items, g->chosen->count, sizeof name, by_name);
    size_t at = found != NULL ? (size_t)(found - g->chosen->items) : g->chosen->count;

    (void)err;
    tally_add(&g->items[at].total, sum);
    return 0;
}

int metrics_domains_read(struct reader *r, const struct name_list *chosen, struct arena *arena,
                         struct metrics_domain **out, struct err *err)
{
    struct stored_period total = {.kind = PERIOD_TOTAL};
    const struct stored_periods periods = {.items = &total, .count = 1};
    const struct counter_list counters = byte_counters();
    struct domains_reading g = {.chosen = chosen};
    struct name_list accounts;

    *out = NULL;
    g.items = arena_array(arena, chosen->count + 1, sizeof *g.items);
    if (g.items == NULL)
        return no_memory(err);
    for (size_t i = 0; i < chosen->count; i++)
        g.items[i].name = chosen->items[i];
    g.items[chosen->count].name = SLICE(METRICS_OTHER);
    if (read_accounts(r, arena, &accounts, err) != 0 ||
        read_counters(r, &accounts, &periods, &counters, take_total, &g, err) != 0)
        return -1;
    *out = g.items;
    return 0;
}
