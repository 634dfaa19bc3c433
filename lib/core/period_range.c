#include "lib/core/period_range.h"

#include <string.h>
#include <sysexits.h>

#define PERIODS_MAX ((size_t)100000)

static int list_full(struct err *err)
{
    return err_set(err, EX_USAGE, "the time range has too many periods; use a shorter one");
}

static int cover_add(enum period_kind kind, time_t start, struct arena *arena,
                     struct stored_periods *out, struct err *err)
{
    struct stored_period *items =
        arena_grow(arena, out->items, out->count, &out->room, sizeof *items);

    if (items == NULL || out->count >= PERIODS_MAX)
        return list_full(err);
    out->items = items;
    items[out->count].kind = kind;
    items[out->count].start = start;
    items[out->count].end = period_end(kind, start);
    period_name(kind, start, items[out->count].name);
    out->count++;
    return 0;
}

/* The coarsest period that begins at t and ends within the range, or PERIOD_TOTAL for none. */
static enum period_kind coarsest(time_t t, time_t to, bool open_end, bool hours)
{
    static const enum period_kind kinds[] = {PERIOD_MONTH, PERIOD_DAY, PERIOD_HOUR};

    for (size_t i = hours ? 2 : 0; i < (hours ? 3 : 2); i++) {
        if (period_start(kinds[i], t) == t && (open_end || period_end(kinds[i], t) <= to))
            return kinds[i];
    }
    return PERIOD_TOTAL;
}

int period_range_stored(time_t from, time_t to, time_t now, bool hours, struct arena *arena,
                        struct stored_periods *out, struct err *err)
{
    bool open_end = to > now;
    time_t t = from;

    *out = (struct stored_periods){0};
    while (t < to && (t == from || t <= now)) {
        enum period_kind kind = coarsest(t, to, open_end, hours);

        if (kind == PERIOD_TOTAL)
            return err_set(
                err, EX_USAGE,
                hours ? "the time range does not begin and end on the hour"
                      : "the time range does not begin and end with a day: use whole days, "
                        "or --step hour");
        if (cover_add(kind, t, arena, out, err) != 0)
            return -1;
        t = out->items[out->count - 1].end;
    }
    return 0;
}

static int step_add(enum period_kind kind, time_t from, time_t to, struct arena *arena,
                    struct step_list *out, struct err *err)
{
    struct step *items = arena_grow(arena, out->items, out->count, &out->room, sizeof *items);

    if (items == NULL || out->count >= PERIODS_MAX)
        return list_full(err);
    out->items = items;
    items[out->count] = (struct step){.from = from, .to = to};
    period_name(kind, from, items[out->count].name);
    out->count++;
    return 0;
}

int period_range_steps(enum period_kind kind, time_t from, time_t to, time_t now,
                       struct arena *arena, struct step_list *out, struct err *err)
{
    time_t t = from;

    *out = (struct step_list){0};
    if (kind == PERIOD_TOTAL)
        return step_add(kind, from, to, arena, out, err);
    while (t < to && (t == from || t <= now)) {
        time_t end = period_end(kind, t);

        if (end > to)
            end = to;
        if (step_add(kind, t, end, arena, out, err) != 0)
            return -1;
        t = end;
    }
    return 0;
}
