#include "lib/read/read_customers.h"

#include "lib/read/read_reply.h"

#define SUMS_BYTES ((size_t)1 << 30)

struct customers_reading {
    const struct hosted *hosted;
    struct arena arena;
    struct strmap sums; /* customer -> struct tally * */
    read_customers_row *row;
    void *context;
};

int read_customers_accounts(struct reader *r, const struct hosted *hosted, struct slice customer,
                            struct arena *arena, struct name_list *out, struct err *err)
{
    size_t kept = 0;

    if (read_accounts(r, arena, out, err) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        if (slice_equal(hosted_customer(hosted, out->items[i]), customer))
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
    return 0;
}

static int add(void *context, struct slice account, const struct tally *sum, struct err *err)
{
    struct customers_reading *d = context;
    struct slice customer = hosted_customer(d->hosted, account);
    void **place;

    if (customer.len == 0)
        return d->row(d->context, SLICE_NONE, account, sum, err);
    place = strmap_add(&d->sums, customer, NULL);
    if (place == NULL)
        return read_no_memory(err);
    if (*place == NULL)
        *place = arena_alloc(&d->arena, sizeof(struct tally));
    if (*place == NULL)
        return read_no_memory(err);
    tally_add(*place, sum);
    return 0;
}

static int rows_give(struct customers_reading *d, struct err *err)
{
    struct slice customer;
    size_t at = 0;
    void *sum;

    while (strmap_next(&d->sums, &at, &customer, &sum)) {
        if (d->row(d->context, customer, SLICE_NONE, sum, err) != 0)
            return -1;
    }
    return 0;
}

int read_customers(struct reader *r, const struct hosted *hosted, const struct name_list *accounts,
                   const struct stored_periods *periods, const struct counter_list *counters,
                   read_customers_row *row, void *context, struct err *err)
{
    struct customers_reading d = {.hosted = hosted, .row = row, .context = context};
    int result;

    arena_init(&d.arena, SUMS_BYTES);
    strmap_init(&d.sums);
    result = read_counters(r, accounts, periods, counters, add, &d, err);
    if (result == 0)
        result = rows_give(&d, err);
    strmap_fini(&d.sums);
    arena_fini(&d.arena);
    return result;
}
