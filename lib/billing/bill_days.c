#include "lib/billing/bill_days.h"

#include <sysexits.h>

#include "lib/billing/bill_read.h"

#define ID_BYTES 1024

static const struct counter_list counters[BILL_TRAFFICS] = {
    [BILL_TRAFFIC_IN] = {.count = 1, .ids = {COUNTER_IN_BYTES}},
    [BILL_TRAFFIC_OUT] = {.count = 2, .ids = {COUNTER_OUT_BYTES, COUNTER_FORWARD_BYTES}},
    [BILL_TRAFFIC_MAILBOX] = {.count = 2, .ids = {COUNTER_POP_BYTES, COUNTER_IMAP_BYTES}},
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

/* --- what the store has ---------------------------------------------------------------------- */

struct days_reading {
    struct bill_days *out;
    size_t row, day;
};

static int take_day(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct days_reading *d = context;
    int64_t *bytes = d->out->bytes[d->row++ * d->out->count + d->day];

    (void)name;
    (void)err;
    for (size_t t = 0; t < BILL_TRAFFICS; t++) {
        for (size_t i = 0; i < counters[t].count; i++)
            bytes[t] += (int64_t)(sum->value[counters[t].ids[i]] % INT64_MAX);
    }
    return 0;
}

static int read_day(struct reader *r, const struct name_list *names,
                    const struct stored_periods *periods, struct days_reading *d, struct err *err)
{
    struct counter_list all = {.count = 0};

    for (size_t t = 0; t < BILL_TRAFFICS; t++) {
        for (size_t i = 0; i < counters[t].count; i++)
            all.ids[all.count++] = counters[t].ids[i];
    }
    d->row = 0;
    return read_counters(r, names, periods, &all, take_day, d, err);
}

static int read_days(struct reader *r, const struct report_time *time,
                     const struct bill_month *month, const struct name_list *names,
                     struct arena *arena, struct bill_days *out, struct err *err)
{
    struct days_reading d = {.out = out};
    time_t start = month->start;

    for (d.day = 0; d.day < out->count; d.day++) {
        time_t end = period_step(PERIOD_DAY, start, 1);
        struct stored_periods periods;
        struct err gone;

        if (read_report_cover(time, start, end, arena, &periods, &gone) == 0 &&
            read_day(r, names, &periods, &d, err) != 0)
            return -1;
        start = end;
    }
    return 0;
}

/* --- what was closed ------------------------------------------------------------------------- */

static int64_t closed_sum(const struct bill *b, const struct bill_row *row, size_t traffic)
{
    int64_t sum = 0;

    for (size_t i = 0; i < counters[traffic].count; i++) {
        int column = bill_column(b, counters[traffic].ids[i]);

        sum += column >= 0 ? bill_billed(row, (size_t)column) : 0;
    }
    return sum > 0 ? sum : 0;
}

static void deal_out(const struct bill *b, size_t row, struct bill_days *d)
{
    for (size_t t = 0; t < BILL_TRAFFICS; t++) {
        int64_t left = closed_sum(b, &b->rows[row], t);

        for (size_t day = 0; day < d->count; day++) {
            int64_t *bytes = &d->bytes[row * d->count + day][t];

            if (*bytes > left || day + 1 == d->count)
                *bytes = left;
            left -= *bytes;
        }
    }
}

/* --------------------------------------------------------------------------------------------- */

static void name_days(const struct bill_month *month, struct bill_days *out)
{
    for (time_t t = month->start; t < month->end && out->count < BILL_DAYS_MAX;
         t = period_step(PERIOD_DAY, t, 1))
        period_name(PERIOD_DAY, t, out->names[out->count++]);
}

int bill_days_read(struct reader *r, const struct report_time *time, const struct bill *b,
                   struct arena *arena, struct bill_days *out, struct err *err)
{
    struct name_list names = {.count = b->count};
    struct bill_month month;

    *out = (struct bill_days){.count = 0};
    if (bill_month_parse(b->month, 0, &month, err) != 0)
        return -1;
    name_days(&month, out);
    names.items = arena_array(arena, b->count + 1, sizeof *names.items);
    out->bytes = arena_array(arena, b->count * out->count + 1, sizeof *out->bytes);
    if (names.items == NULL || out->bytes == NULL)
        return no_memory(err);
    for (size_t i = 0; i < b->count; i++)
        names.items[i] = b->rows[i].account;
    if (read_days(r, time, &month, &names, arena, out, err) != 0)
        return -1;
    for (size_t i = 0; i < b->count; i++)
        deal_out(b, i, out);
    return 0;
}

static int item_make(const struct bill *b, const struct bill_row *row, int64_t bytes,
                     struct arena *arena, struct bill_item *out, struct err *err)
{
    struct buf id;

    buf_init(&id, ID_BYTES);
    buf_addf(&id, "%.*s/%.*s/traffic/1", SLICE_FMT(b->month), SLICE_FMT(row->account));
    *out = (struct bill_item){.id = arena_copy(arena, buf_slice(&id)),
                              .account = row->account,
                              .field = "traffic",
                              .amount = bytes,
                              .row = row};
    buf_fini(&id);
    return out->id.ptr != NULL ? 0 : no_memory(err);
}

int bill_days_items(const struct bill *b, struct arena *arena, struct bill_items *out,
                    struct err *err)
{
    *out = (struct bill_items){.items = arena_array(arena, b->count + 1, sizeof *out->items)};
    if (out->items == NULL)
        return no_memory(err);
    for (size_t r = 0; r < b->count; r++) {
        int64_t bytes = 0;

        for (size_t t = 0; t < BILL_TRAFFICS; t++)
            bytes += closed_sum(b, &b->rows[r], t);
        if (bytes > 0 &&
            item_make(b, &b->rows[r], bytes, arena, &out->items[out->count++], err) != 0)
            return -1;
    }
    return 0;
}

const int64_t *bill_days_of(const struct bill_days *d, const struct bill *b,
                            const struct bill_row *row, size_t day)
{
    return d->bytes[(size_t)(row - b->rows) * d->count + day];
}
