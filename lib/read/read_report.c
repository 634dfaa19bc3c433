#include "lib/read/read_report.h"

#include <string.h>
#include <sysexits.h>

#include "lib/read/read_coverage.h"
#include "lib/read/read_customers.h"
#include "lib/read/read_remarks.h"
#include "lib/read/read_reply.h"

#define NODE_NAME 1024

static const char *const scope_names[] = {"server", "domain", "user", "customer"};
static const char *const by_names[] = {"node", "domain", "user", "customer"};
static const char *const step_names[] = {[PERIOD_HOUR] = "hour",
                                         [PERIOD_DAY] = "day",
                                         [PERIOD_WEEK] = "week",
                                         [PERIOD_MONTH] = "month",
                                         [PERIOD_QUARTER] = "quarter"};

/* A report being read. */
struct reading {
    struct reader *r;
    const struct report_question *q;
    struct arena *arena;
    struct report_grid *g;
    bool is_node;  /* the accounts that are read are nodes' */
    bool has_mean; /* quotients by status_seconds */
    struct report_fillers fillers;
    struct coverage_nodes nodes;
    struct name_list names; /* the accounts that are read */
    struct counter_list counters;
    /* One a node, or one for all accounts that are no nodes. */
    struct report_basis *bases;
    size_t base_count;

    /* Of the step. */
    const struct step *step;
    struct coverage *covered; /* one a base */
    size_t row;               /* of the accounts that are read */
    struct report_cell *cells;
    struct coverage *sum;
};

/* --- accounts -------------------------------------------------------------------------------- */

/* Nodes have accounts of their own, "@" and the node's name. */
static int names_of_nodes(struct reading *d, struct err *err)
{
    const struct node_infos *nodes = &d->nodes.nodes;

    d->names.items = arena_array(d->arena, nodes->count + 1, sizeof *d->names.items);
    if (d->names.items == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < nodes->count; i++) {
        struct buf b;

        buf_init(&b, NODE_NAME);
        buf_add_char(&b, '@');
        buf_add(&b, nodes->items[i].name);
        d->names.items[i] = arena_copy(d->arena, buf_slice(&b));
        buf_fini(&b);
        if (d->names.items[i].ptr == NULL)
            return read_no_memory(err);
    }
    d->names.count = nodes->count;
    return 0;
}

static int find_names(struct reading *d, struct err *err)
{
    if (d->is_node)
        return names_of_nodes(d, err);
    if (d->q->scope == SCOPE_CUSTOMER)
        return read_customers_accounts(d->r, d->q->customers, d->q->account, d->arena, &d->names,
                                       err);
    if (d->q->scope == SCOPE_SERVER)
        return read_accounts(d->r, d->arena, &d->names, err);
    d->names.items = arena_array(d->arena, 1, sizeof *d->names.items);
    if (d->names.items == NULL)
        return read_no_memory(err);
    d->names.items[0] = d->q->account;
    d->names.count = 1;
    return 0;
}

/* --- what the figures rest on ---------------------------------------------------------------- */

/* What a row of this report says of a node's coverage: of both programs, as far as they fill it. */
static struct coverage joint(const struct reading *d, const struct node_coverage *c)
{
    struct coverage sum = d->fillers.collector ? c->log : c->milter;

    if (d->fillers.collector && d->fillers.milter)
        coverage_join(&sum, &c->milter);
    return sum;
}

static void add_up(struct coverage *into, const struct coverage *c)
{
    into->nodes += c->nodes;
    into->silent += c->silent;
    into->covered_s += c->covered_s;
    into->gap_s += c->gap_s;
    into->lost += c->lost;
    into->has_gap = into->has_gap || c->has_gap;
    coverage_join(into, c);
}

/* The seconds of accounts that are no nodes: what was counted for them on all nodes is divided by
 * the mean of what these have covered. */
struct mean_seconds {
    uint64_t sum;
    size_t count;
};

static void mean_add(struct mean_seconds *m, uint64_t seconds)
{
    m->sum += seconds;
    m->count += seconds > 0;
}

static uint64_t mean(const struct mean_seconds *m)
{
    return m->count > 0 ? m->sum / m->count : 0;
}

/* covered[] and coverage of [from, to): of each node, or of all together. */
static void cover(const struct reading *d, time_t from, time_t to, bool range,
                  struct coverage *covered)
{
    struct mean_seconds milter = {0, 0}, log = {0, 0};

    memset(covered, 0, d->base_count * sizeof *covered);
    for (size_t i = 0; i < d->nodes.nodes.count; i++) {
        size_t at = d->is_node ? i : 0;
        uint64_t *seconds = range ? d->bases[at].covered_range : d->bases[at].covered;
        struct node_coverage c;
        struct coverage both;

        read_coverage_of(&d->nodes, i, from, to, d->q->time.now, &c);
        both = joint(d, &c);
        add_up(&covered[at], &both);
        mean_add(&milter, c.milter.covered_s);
        mean_add(&log, c.log.covered_s);
        seconds[FILLER_MILTER] = d->is_node ? c.milter.covered_s : mean(&milter);
        seconds[FILLER_COLLECTOR] = d->is_node ? c.log.covered_s : mean(&log);
    }
}

/* The server's status is sampled: what was not watched is missing, whatever the log has. A second
 * now and then is not worth a mark. */
static void watch(struct coverage *c, uint64_t watched_s)
{
    uint64_t elapsed_s = c->covered_s + c->gap_s;

    c->has_gap = watched_s + 60 < elapsed_s && watched_s < elapsed_s - elapsed_s / 100;
    c->gap_s = c->has_gap ? elapsed_s - watched_s : 0;
    c->lost = 0;
}

static int range_watched(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct reading *d = context;

    (void)name;
    (void)err;
    d->bases[d->row++].watched_range = sum->value[COUNTER_STATUS_SECONDS];
    return 0;
}

static int read_watched(struct reading *d, struct err *err)
{
    static const struct counter_list list = {.count = 1, .ids = {COUNTER_STATUS_SECONDS}};
    const struct report_time *t = &d->q->time;
    struct stored_periods periods;

    d->row = 0;
    return read_report_cover(t, t->from, t->to, d->arena, &periods, err) == 0
               ? read_counters(d->r, &d->names, &periods, &list, range_watched, d, err)
               : -1;
}

/* Where no log tells a node's SMTP sessions (Sendmail), they are those that the milter saw. */
static bool is_by_milter(const struct reading *d, size_t node)
{
    return d->is_node && coverage_bound_of(&d->nodes.collectors[node].log,
                                           COUNTER_SMTP_IN_CONNECTIONS) == BOUND_UNKNOWN;
}

static enum coverage_bound bound_of_node(const struct reading *d, size_t node,
                                         const struct report_column *column)
{
    if (is_by_milter(d, node) && report_is_of_sessions(column->counters[0]))
        return BOUND_EXACT;
    return read_coverage_bound(&d->nodes.collectors[node].log, column);
}

/* Of all nodes together: a figure that some of them do not know is at least that of the others. */
static enum coverage_bound bound_of_all(const struct reading *d, const struct report_column *column)
{
    size_t there = 0, unknown = 0;
    enum coverage_bound all = BOUND_EXACT;

    for (size_t i = 0; i < d->nodes.nodes.count; i++) {
        const struct coverage_log *log = &d->nodes.collectors[i].log;
        enum coverage_bound bound = bound_of_node(d, i, column);

        if (!log->is_there)
            continue;
        there++;
        unknown += bound == BOUND_UNKNOWN;
        if (bound == BOUND_UNKNOWN || (all != BOUND_EXACT && bound != BOUND_EXACT && all != bound))
            bound = BOUND_LEAST;
        all = coverage_bound_join(all, bound);
    }
    return there > 0 && unknown == there ? BOUND_UNKNOWN : all;
}

static int find_bounds(struct reading *d, struct err *err)
{
    size_t columns = d->q->kind->column_count;
    enum coverage_bound *all = arena_array(d->arena, columns, sizeof *all);

    if (all == NULL)
        return read_no_memory(err);
    for (size_t c = 0; c < columns; c++) {
        if (report_filler(&d->q->kind->columns[c], d->is_node) == FILLER_COLLECTOR)
            all[c] = bound_of_all(d, &d->q->kind->columns[c]);
    }
    d->g->bounds = all;
    for (size_t i = 0; i < d->base_count; i++) {
        enum coverage_bound *own = arena_array(d->arena, columns, sizeof *own);

        if (own == NULL)
            return read_no_memory(err);
        for (size_t c = 0; c < columns; c++)
            own[c] = d->is_node && all[c] != BOUND_EXACT
                         ? bound_of_node(d, i, &d->q->kind->columns[c])
                         : all[c];
        d->bases[i].bounds = own;
    }
    return 0;
}

static int find_bases(struct reading *d, struct err *err)
{
    d->base_count = d->is_node ? d->nodes.nodes.count : 1;
    d->bases = arena_array(d->arena, d->base_count + 1, sizeof *d->bases);
    d->cells = arena_array(d->arena, d->q->kind->column_count, sizeof *d->cells);
    if (d->bases == NULL || d->cells == NULL)
        return read_no_memory(err);
    for (size_t i = 0; i < d->base_count; i++) {
        d->bases[i].is_node = d->is_node;
        d->bases[i].by_milter = is_by_milter(d, i);
    }
    return find_bounds(d, err);
}

/* Coverage of the whole range; and what the sums begin with, so that what nobody knows is not 0. */
static int cover_range(struct reading *d, struct err *err)
{
    const struct report_time *t = &d->q->time;
    struct coverage *covered = arena_array(d->arena, d->base_count + 1, sizeof *covered);
    struct coverage *sum = arena_alloc(d->arena, sizeof *sum);
    const struct tally nothing = {{0}};

    if (covered == NULL || sum == NULL)
        return read_no_memory(err);
    cover(d, t->from, t->to, true, covered);
    if (d->has_mean && read_watched(d, err) != 0)
        return -1;
    report_cells_init(d->q->kind, d->cells);
    for (size_t i = 0; i < d->base_count; i++) {
        memcpy(d->bases[i].covered, d->bases[i].covered_range, sizeof d->bases[i].covered);
        if (d->has_mean)
            watch(&covered[i], d->bases[i].watched_range);
        add_up(sum, &covered[i]);
        report_cells_add(d->q->kind, &nothing, &d->bases[i], d->cells);
    }
    report_grid_start(d->g, d->cells);
    d->g->coverage = sum;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct slice step_label(const struct reading *d)
{
    return d->q->step != PERIOD_TOTAL ? slice_str(d->step->name) : SLICE_NONE;
}

/* A node's counters: a row, or a part of the server's. */
static int row_node(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct reading *d = context;
    size_t i = d->row++;

    if (d->has_mean)
        watch(&d->covered[i], sum->value[COUNTER_STATUS_SECONDS]);
    report_cells_add(d->q->kind, sum, &d->bases[i], d->cells);
    add_up(d->sum, &d->covered[i]);
    if (d->q->by != BY_NODE || (d->covered[i].nodes == 0 && tally_is_empty(sum)))
        return 0; /* in no row of its own; or a node that has no such figures at all */
    if (report_grid_add(d->g, step_label(d), slice_from(name, 1), d->cells, &d->covered[i], err) !=
        0)
        return -1;
    report_cells_init(d->q->kind, d->cells);
    return 0;
}

static int row_named(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    struct reading *d = context;

    if (d->q->by != BY_NOTHING && tally_is_empty(sum))
        return 0;
    report_cells_init(d->q->kind, d->cells);
    report_cells_add(d->q->kind, sum, &d->bases[0], d->cells);
    return report_grid_add(d->g, step_label(d), d->q->by != BY_NOTHING ? name : SLICE_NONE,
                           d->cells, &d->covered[0], err);
}

/* Of a customer, or a domain without one. */
static int row_customer(void *context, struct slice customer, struct slice account,
                        const struct tally *sum, struct err *err)
{
    return row_named(context, customer.len > 0 ? customer : account, sum, err);
}

static int add_sum(void *context, struct slice name, const struct tally *sum, struct err *err)
{
    (void)name;
    (void)err;
    tally_add(context, sum);
    return 0;
}

/* The domains of a customer together. */
static int read_one_customer(struct reading *d, const struct stored_periods *periods,
                             struct err *err)
{
    struct tally sum = {{0}};

    if (read_counters(d->r, &d->names, periods, &d->counters, add_sum, &sum, err) != 0)
        return -1;
    return row_named(d, SLICE_NONE, &sum, err);
}

static int read_one_user(struct reading *d, const struct stored_periods *periods, struct err *err)
{
    struct tally sum;

    if (read_user(d->r, d->q->account, d->q->user, periods, &d->counters, &sum, err) != 0)
        return -1;
    return row_named(d, d->q->user, &sum, err);
}

static int read_accounts_of_step(struct reading *d, const struct stored_periods *periods,
                                 struct err *err)
{
    if (d->q->scope == SCOPE_USER)
        return read_one_user(d, periods, err);
    if (d->q->scope == SCOPE_CUSTOMER && d->q->by == BY_NOTHING)
        return read_one_customer(d, periods, err);
    if (d->q->by == BY_CUSTOMER)
        return read_customers(d->r, d->q->customers, &d->names, periods, &d->counters, row_customer,
                              d, err);
    if (d->q->by == BY_USER)
        return read_users(d->r, &d->names, periods, &d->counters, row_named, d, err);
    return read_counters(d->r, &d->names, periods, &d->counters, d->is_node ? row_node : row_named,
                         d, err);
}

static int read_step(struct reading *d, const struct step *step, struct err *err)
{
    struct stored_periods periods;

    d->step = step;
    d->row = 0;
    d->covered = arena_array(d->arena, d->base_count + 1, sizeof *d->covered);
    d->sum = arena_alloc(d->arena, sizeof *d->sum);
    if (d->covered == NULL || d->sum == NULL)
        return read_no_memory(err);
    cover(d, step->from, step->to, false, d->covered);
    report_cells_init(d->q->kind, d->cells);
    if (read_report_cover(&d->q->time, step->from, step->to, d->arena, &periods, err) != 0 ||
        read_accounts_of_step(d, &periods, err) != 0)
        return -1;
    if (!d->is_node || d->q->by == BY_NODE)
        return 0;
    return report_grid_add(d->g, step_label(d), SLICE_NONE, d->cells, d->sum, err);
}

static int read_steps(struct reading *d, struct err *err)
{
    const struct report_time *t = &d->q->time;
    struct step_list steps;

    if (period_range_steps(d->q->step, t->from, t->to, t->now, d->arena, &steps, err) != 0)
        return -1;
    d->r->progress.parts = steps.count;
    for (size_t i = 0; i < steps.count; i++) {
        d->r->progress.part = i;
        if (read_step(d, &steps.items[i], err) != 0)
            return -1;
    }
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int describe(struct reading *d, struct err *err)
{
    const struct report_time *t = &d->q->time;
    struct remark_list remarks = {.count = 0};

    d->g->over_time = d->q->over_time;
    d->g->scope = scope_names[d->q->scope];
    d->g->name = d->q->scope == SCOPE_USER ? d->q->user : d->q->account;
    d->g->from = d->q->from_text;
    d->g->to = d->q->to_text;
    d->g->timezone = d->q->timezone;
    if (read_remarks_complete(&d->nodes.nodes, t->to, t->now, d->arena, &d->g->complete,
                              &d->g->note, err) != 0)
        return -1;
    if (d->fillers.collector && read_remarks_logs(&d->nodes, d->q->kind, t->from, t->to, t->now,
                                                  d->arena, &remarks, err) != 0)
        return -1;
    d->g->remarks = remarks.items;
    d->g->remark_count = remarks.count;
    return 0;
}

/* Those that stand in for SMTP sessions are read with them. */
static void add_milter_sessions(struct reading *d)
{
    bool has_sessions = false;

    for (size_t i = 0; i < d->counters.count; i++)
        has_sessions = has_sessions || report_is_of_sessions(d->counters.ids[i]);
    if (!d->is_node || !has_sessions)
        return;
    d->counters.ids[d->counters.count++] = COUNTER_MILTER_SESSIONS;
    d->counters.ids[d->counters.count++] = COUNTER_MILTER_SESSION_SECONDS;
}

static int start(struct reading *d, struct err *err)
{
    const struct report_question *q = d->q;

    if (report_grid_init(d->g, q->kind, q->step != PERIOD_TOTAL ? step_names[q->step] : NULL,
                         q->by != BY_NOTHING ? by_names[q->by] : NULL, d->arena->cap_bytes,
                         err) != 0 ||
        report_grid_order(d->g, q->sort, q->reverse, q->top, err) != 0)
        return -1;
    d->g->borrows_by = q->by == BY_DOMAIN; /* names, of the reading's arena */
    d->is_node = q->scope == SCOPE_SERVER && (q->by == BY_NOTHING || q->by == BY_NODE);
    d->fillers = report_fillers(q->kind, d->is_node);
    for (size_t c = 0; c < q->kind->column_count; c++)
        d->has_mean = d->has_mean || q->kind->columns[c].kind == COLUMN_MEAN;
    report_counters(q->kind, &d->counters);
    add_milter_sessions(d);
    return 0;
}

int read_report(struct reader *r, const struct report_question *q, struct arena *arena,
                struct report_grid *g, struct err *err)
{
    struct report_question own = *q;
    struct reading d = {.r = r, .q = &own, .arena = arena, .g = g};

    if (q->scope == SCOPE_USER || q->by == BY_USER)
        own.time.days_kept_s = own.time.users_days_kept_s;
    memset(g, 0, sizeof *g);
    /* The nodes are asked before the counters: what is complete then is complete in them. */
    if (start(&d, err) != 0 ||
        read_coverage_nodes(r, d.fillers.collector, arena, &d.nodes, err) != 0 ||
        describe(&d, err) != 0 || find_names(&d, err) != 0 || find_bases(&d, err) != 0 ||
        cover_range(&d, err) != 0 || read_steps(&d, err) != 0)
        return -1;
    report_grid_finish(g);
    g->complete = g->complete && !g->coverage->is_behind && g->coverage->silent == 0;
    return 0;
}
