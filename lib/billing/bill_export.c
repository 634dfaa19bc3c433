#include "lib/billing/bill_export.h"

#include <sysexits.h>

#define BATCH_MAX ((size_t)100)

struct bill_batch {
    const struct bill_item *items[BATCH_MAX];
    size_t count;
};

static int set(struct bill_export *x, const struct bill_batch *batch, enum bill_outbox_state state,
               struct err *err)
{
    return bill_outbox_set(x->outbox, x->target->name, batch->items, batch->count, state, err);
}

static int refuse(struct bill_export *x, size_t count, const struct err *err)
{
    x->refusals += count;
    x->refused(err);
    return 0;
}

/* It may be said of what was refused, and of what never left, that it is not there. */
static int give_up(struct bill_export *x, const struct bill_batch *batch, struct err *err)
{
    struct err ignored;

    if (err->code == EX_DATAERR || err->code == EX_NOHOST || err->code == EX_CONFIG)
        TG_IGNORE(set(x, batch, OUTBOX_NEW, &ignored)); /* else it is asked for, as well */
    return err->code == EX_DATAERR ? refuse(x, batch->count, err) : -1;
}

static int send_batch(struct bill_export *x, struct bill_batch *batch, struct err *err)
{
    int result = 0;

    if (batch->count == 0)
        return 0;
    if (set(x, batch, OUTBOX_SENT, err) != 0)
        return -1;
    if (bill_target_send(x->target, x->bill, batch->items, batch->count, err) != 0)
        result = give_up(x, batch, err);
    else if (set(x, batch, OUTBOX_CONFIRMED, err) != 0)
        result = -1;
    else
        x->sent += batch->count;
    batch->count = 0;
    return result;
}

/* 1: it is there, and confirmed now. */
static int look(struct bill_export *x, const struct bill_item *item, struct err *err)
{
    struct bill_batch one = {{item}, 1};
    bool has;

    if (bill_target_ask(x->target, x->bill, item, &has, err) != 0)
        return -1;
    if (!has)
        return 0;
    x->found++;
    return set(x, &one, OUTBOX_CONFIRMED, err) != 0 ? -1 : 1;
}

static int take(struct bill_export *x, const struct bill_item *item, struct bill_batch *batch,
                struct err *err)
{
    enum bill_outbox_state state;
    int takes, found = 0;

    if (bill_outbox_state(x->outbox, x->target->name, item, &state, err) != 0)
        return -1;
    if (state == OUTBOX_CONFIRMED && !x->again) {
        x->before++;
        return 0;
    }
    takes = bill_target_takes(x->target, item, err);
    if (takes <= 0)
        return takes < 0 ? refuse(x, 1, err) : 0;
    if (state != OUTBOX_NEW || bill_target_asks_first(x->target))
        found = look(x, item, err);
    if (found < 0 && err->code == EX_DATAERR)
        return refuse(x, 1, err);
    if (found != 0)
        return found > 0 ? 0 : -1;
    batch->items[batch->count++] = item;
    return batch->count == bill_target_batch(x->target) ? send_batch(x, batch, err) : 0;
}

/* Accounts without a customer are the same item either way. */
int bill_export_check(const struct bill_export *x, const struct bill_items *other, struct err *err)
{
    for (size_t i = 0; i < other->count; i++) {
        const struct bill_item *item = &other->items[i];
        enum bill_outbox_state state;

        if (item->row->customer.len == 0)
            continue;
        if (bill_outbox_state(x->outbox, x->target->name, item, &state, err) != 0)
            return -1;
        if (state != OUTBOX_NEW)
            return err_set(err, EX_USAGE,
                           "%.*s of %.*s has gone to %s already: a month goes there by account, "
                           "or by customer (--by customer), not both",
                           SLICE_FMT(item->account), SLICE_FMT(x->bill->month), x->target->name);
    }
    return 0;
}

int bill_export_run(struct bill_export *x, struct err *err)
{
    struct bill_batch batch = {.count = 0};

    TG_ASSERT(bill_target_batch(x->target) <= BATCH_MAX);
    for (size_t i = 0; i < x->items->count; i++) {
        if (take(x, &x->items->items[i], &batch, err) != 0)
            return -1;
    }
    return send_batch(x, &batch, err);
}
