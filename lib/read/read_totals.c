#include "lib/read/read_totals.h"

#include <string.h>

#include "lib/read/read_customers.h"
#include "lib/read/read_remarks.h"

struct totals_reading {
    const struct totals_question *q;
    struct report_grid *g;
    struct slice account; /* of the users that are read */
};

/* An account that is named gets its row even if there is nothing in it. */
static int add_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct totals_reading *d = context;

    if (tally_is_empty(sum) && d->q->accounts.count == 0)
        return 0;
    return report_grid_add_sums(d->g, SLICE_NONE, name, sum, err);
}

/* The account is that of a row without a customer. */
static int add_customer(void *context, struct slice customer, struct slice account,
                        const struct tally *sum, struct err *err)
{
    struct totals_reading *d = context;

    if (tally_is_empty(sum) && d->q->accounts.count == 0)
        return 0;
    return report_grid_add_sums(d->g, customer, account, sum, err);
}

/* What users do not have is unknown of them, not 0. */
static int add_user(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct totals_reading *d = context;
    const struct report_kind *kind = d->g->kind;
    struct report_cell cells[COUNTER_COUNT];

    TG_ASSERT(kind->column_count <= COUNTER_COUNT);
    for (size_t i = 0; i < kind->column_count; i++) {
        enum counter id = kind->columns[i].counters[0];

        cells[i].value = counter_is_of_users(id) ? sum->value[id] : REPORT_UNKNOWN;
        cells[i].share = cells[i].value;
    }
    return tally_is_empty(sum) ? 0 : report_grid_add(d->g, d->account, name, cells, NULL, err);
}

static int read_all_users(struct reader *r, const struct name_list *names,
                          const struct stored_periods *periods, struct counter_list *counters,
                          struct totals_reading *d, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < counters->count; i++) {
        if (counter_is_of_users(counters->ids[i]))
            counters->ids[kept++] = counters->ids[i];
    }
    counters->count = kept;
    for (size_t i = 0; i < names->count; i++) {
        struct name_list one = {.items = &names->items[i], .count = 1, .room = 1};

        d->account = names->items[i];
        if (read_users(r, &one, periods, counters, add_user, d, err) != 0)
            return -1;
    }
    return 0;
}

static int read_names(struct reader *r, const struct totals_question *q, struct arena *arena,
                      struct name_list *names, struct err *err)
{
    if (q->customer.len > 0)
        return read_customers_accounts(r, q->customers, q->customer, arena, names, err);
    *names = q->accounts;
    return names->count > 0 ? 0 : read_accounts(r, arena, names, err);
}

static int read_rows(struct reader *r, const struct name_list *names,
                     const struct stored_periods *periods, struct totals_reading *d,
                     struct err *err)
{
    struct counter_list counters;

    report_counters(d->g->kind, &counters);
    if (d->q->by_user)
        return read_all_users(r, names, periods, &counters, d, err);
    if (d->q->by_customer)
        return read_customers(r, d->q->customers, names, periods, &counters, add_customer, d, err);
    return read_counters(r, names, periods, &counters, add_row, d, err);
}

static int start(const struct totals_question *q, size_t memory_bytes, struct report_grid *g,
                 struct err *err)
{
    const char *first = q->by_user ? "account" : q->by_customer ? "customer" : NULL;

    if (report_grid_init(g, report_totals(), first, q->by_user ? "user" : "account", memory_bytes,
                         err) != 0 ||
        report_grid_order(g, q->by_user ? SLICE("user") : SLICE("account"), false, 0, err) != 0)
        return -1;
    g->billing = true;
    g->scope = "accounts";
    g->from = slice_str(q->range->from_text);
    g->to = slice_str(q->range->to_text);
    g->timezone = slice_str(q->timezone);
    return 0;
}

int read_totals(struct reader *r, const struct totals_question *q, struct arena *arena,
                struct report_grid *g, struct err *err)
{
    struct report_time time = q->range->time, *t = &time;
    struct totals_reading d = {q, g, SLICE_NONE};
    struct name_list names;
    struct stored_periods periods;
    struct node_infos nodes;

    memset(g, 0, sizeof *g);
    if (q->by_user)
        time.days_kept_s = time.users_days_kept_s;
    /* The nodes are asked before the names and counters: what is complete then is complete in
     * them. */
    if (start(q, arena->cap_bytes, g, err) != 0 ||
        read_report_cover(t, t->from, t->to, arena, &periods, err) != 0 ||
        read_node_infos(r, arena, &nodes, err) != 0 ||
        read_remarks_complete(&nodes, t->to, t->now, arena, &g->complete, &g->note, err) != 0 ||
        read_names(r, q, arena, &names, err) != 0 || read_rows(r, &names, &periods, &d, err) != 0)
        return -1;
    report_grid_finish(g);
    return 0;
}
