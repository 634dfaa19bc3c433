#include "lib/read/read_list_work.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/read/read_lists.h"

struct anomaly_search {
    const struct list_question *q;
    struct arena *arena;
    struct anomaly_entry *items;
    size_t count, room;
};

enum anomaly_column {
    COL_TIME,
    COL_KIND,
    COL_SUBJECT,
    COL_METRIC,
    COL_VALUE,
    COL_USUAL,
    COL_FACTOR,
    COL_NODE
};
static const struct table_column columns[] = {
    [COL_TIME] = {.name = "time", .head = "time"},
    [COL_KIND] = {.name = "kind", .head = "kind", .minor = true},
    [COL_SUBJECT] = {.name = "subject", .head = "who", .cut = 16},
    [COL_METRIC] = {.name = "metric", .head = "metric", .cut = 16},
    [COL_VALUE] = {.name = "value", .head = "an hour", .right = true},
    [COL_USUAL] = {.name = "usual", .head = "usual", .right = true},
    [COL_FACTOR] = {.name = "factor", .head = "factor", .right = true},
    [COL_NODE] = {.name = "node", .head = "node", .minor = true},
};

/* A login is of the domain behind its @. */
static bool is_asked(const struct anomaly_search *s, struct slice subject)
{
    ptrdiff_t at = slice_find_last(subject, '@');

    return s->q->domain.len == 0 ||
           slice_equal(at < 0 ? subject : slice_from(subject, (size_t)at + 1), s->q->domain);
}

static bool copy(struct arena *arena, struct slice *text)
{
    *text = arena_copy(arena, *text);
    return text->ptr != NULL;
}

static int take(void *context, const struct anomaly_entry *e, struct err *err)
{
    struct anomaly_search *s = context;
    struct anomaly_entry *items, *kept;

    if (!is_asked(s, e->subject))
        return 0;
    items = arena_grow(s->arena, s->items, s->count, &s->room, sizeof *items);
    if (items == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    s->items = items;
    kept = &items[s->count++];
    *kept = *e;
    if (copy(s->arena, &kept->node) && copy(s->arena, &kept->kind) &&
        copy(s->arena, &kept->subject) && copy(s->arena, &kept->metric) &&
        copy(s->arena, &kept->usual) && copy(s->arena, &kept->factor))
        return 0;
    return err_set(err, EX_OSERR, "out of memory");
}

static int entries_compare(const void *left, const void *right)
{
    const struct anomaly_entry *a = left, *b = right;

    if (a->time_ms != b->time_ms)
        return a->time_ms > b->time_ms ? -1 : 1;
    return slice_compare(a->subject, b->subject);
}

static void add_row(struct table *t, const struct anomaly_entry *e)
{
    table_row(t);
    table_time(t, COL_TIME, e->time_ms);
    table_text(t, COL_KIND, e->kind);
    table_text(t, COL_SUBJECT, e->subject);
    table_text(t, COL_METRIC, e->metric);
    table_number(t, COL_VALUE, e->value, SLICE_NONE);
    table_text(t, COL_USUAL, e->usual);
    table_text(t, COL_FACTOR, e->factor);
    table_text(t, COL_NODE, e->node);
}

int read_list_anomalies(struct reader *r, const struct list_question *q, struct arena *arena,
                        struct list_report *out, struct err *err)
{
    struct anomaly_search s = {.q = q, .arena = arena};
    size_t shown;

    table_init(&out->table, columns, sizeof columns / sizeof columns[0], arena);
    if (read_lists_anomalies(r, (int64_t)q->range->time.from * 1000,
                             (int64_t)q->range->time.to * 1000, take, &s, err) != 0)
        return -1;
    if (s.count > 1)
        qsort(s.items, s.count, sizeof s.items[0], entries_compare);
    shown = q->top > 0 && q->top < s.count ? q->top : s.count;
    for (size_t i = 0; i < shown; i++)
        add_row(&out->table, &s.items[i]);
    out->more = s.count - shown;
    return 0;
}
