#include "lib/read/read_totals.h"

#include <string.h>

#include "lib/read/read_remarks.h"

struct totals_reading {
    const struct totals_question *q;
    struct report_grid *g;
};

/* An account that is named gets its row even if there is nothing in it. */
static int add_row(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct totals_reading *d = context;

    if (tally_is_empty(sum) && d->q->accounts.count == 0)
        return 0;
    return report_grid_add_sums(d->g, SLICE_NONE, name, sum, err);
}

static int start(const struct totals_question *q, size_t memory_bytes, struct report_grid *g,
                 struct err *err)
{
    if (report_grid_init(g, report_totals(), NULL, "account", memory_bytes, err) != 0 ||
        report_grid_order(g, SLICE("account"), false, 0, err) != 0)
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
    const struct report_time *t = &q->range->time;
    struct totals_reading d = {q, g};
    struct name_list names = q->accounts;
    struct stored_periods periods;
    struct counter_list counters;
    struct node_infos nodes;

    memset(g, 0, sizeof *g);
    /* The nodes are asked before the names and counters: what is complete then is complete in
     * them. */
    if (start(q, arena->cap_bytes, g, err) != 0 ||
        read_report_cover(t, t->from, t->to, arena, &periods, err) != 0 ||
        read_node_infos(r, arena, &nodes, err) != 0 ||
        read_remarks_complete(&nodes, t->to, t->now, arena, &g->complete, &g->note, err) != 0 ||
        (names.count == 0 && read_accounts(r, arena, &names, err) != 0))
        return -1;
    report_counters(g->kind, &counters);
    if (read_counters(r, &names, &periods, &counters, add_row, &d, err) != 0)
        return -1;
    report_grid_finish(g);
    return 0;
}
