#include "lib/read/read_remarks.h"

#include <inttypes.h>

#include "lib/read/read_reply.h"

#define REMARK_BYTES 4096
#define GAPS_TOLD    5

static void add_time(struct buf *b, int64_t unix_s, bool zone)
{
    time_t t = (time_t)unix_s;
    char text[64] = "", name[64] = "";
    struct tm tm;

    if (localtime_r(&t, &tm) == NULL)
        return;
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    (void)strftime(name, sizeof name, " %Z", &tm);
    buf_addf(b, "%s%s", text, zone ? name : "");
}

/* --- tollgated ------------------------------------------------------------------------------- */

static void note_text(const struct node_infos *nodes, time_t to, time_t now, struct buf *b)
{
    const struct node_info *last = read_node_infos_last(nodes);
    const char *lead = to > now ? "So far" : "Incomplete";

    if (last == NULL) {
        buf_addf(b, "%s: no node has ever reported to this store.", lead);
    } else if (last->pushed_through == 0) {
        buf_addf(b, "%s: the node %.*s does not report until when it has counted.", lead,
                 SLICE_FMT(last->name));
    } else if (to > now && last->pushed_through + COVERAGE_LATE_S >= now) {
        buf_addf(b, "%s: counted until ", lead);
        add_time(b, last->pushed_through, true);
        buf_add_char(b, '.');
    } else {
        buf_addf(b, "%s: the node %.*s has reported its counters only until ", lead,
                 SLICE_FMT(last->name));
        add_time(b, last->pushed_through, true);
        buf_add_str(b, " (see `tollgate doctor').");
    }
}

static int keep(struct arena *arena, const struct buf *b, struct slice *text, struct err *err)
{
    *text = arena_copy(arena, buf_slice(b));
    return text->ptr != NULL && !b->failed ? 0 : read_no_memory(err);
}

int read_remarks_complete(const struct node_infos *nodes, time_t to, time_t now,
                          struct arena *arena, bool *complete, struct slice *note, struct err *err)
{
    const struct node_info *last = read_node_infos_last(nodes);
    struct buf b;
    int result;

    *note = SLICE_NONE;
    *complete = last != NULL && to <= now && last->pushed_through >= to;
    if (*complete)
        return 0;
    buf_init(&b, REMARK_BYTES);
    note_text(nodes, to, now, &b);
    result = keep(arena, &b, note, err);
    buf_fini(&b);
    return result;
}

/* --- the collectors -------------------------------------------------------------------------- */

struct remarking {
    const struct coverage_nodes *n;
    const struct report_kind *kind;
    time_t from, to, now;
    struct arena *arena;
    struct remark_list *out;
    struct buf b;
};

static int add(struct remarking *m, struct err *err)
{
    struct slice *items;

    if (m->b.len == 0)
        return 0;
    items = arena_grow(m->arena, m->out->items, m->out->count, &m->out->room, sizeof *items);
    if (items == NULL)
        return read_no_memory(err);
    m->out->items = items;
    if (keep(m->arena, &m->b, &items[m->out->count], err) != 0)
        return -1;
    m->out->count++;
    buf_reset(&m->b);
    return 0;
}

static bool is_gone(const struct node_info *node)
{
    return node->is_retired || node->is_renamed;
}

static int add_silent(struct remarking *m, struct err *err)
{
    const struct node_infos *nodes = &m->n->nodes;
    size_t silent = 0;

    for (size_t i = 0; i < nodes->count; i++) {
        if (is_gone(&nodes->items[i]) || m->n->collectors[i].log.is_there)
            continue;
        buf_addf(&m->b, "%s%.*s", silent++ > 0 ? ", " : "No collector runs on ",
                 SLICE_FMT(nodes->items[i].name));
    }
    if (silent > 0)
        buf_addf(&m->b, ": what only a collector knows is missing (see tollgate-collect(8)).");
    return add(m, err);
}

static int add_behind(struct remarking *m, size_t node, struct err *err)
{
    const struct coverage_log *log = &m->n->collectors[node].log;
    time_t due = m->to < m->now ? m->to : m->now - COVERAGE_LATE_S;
    struct slice name = m->n->nodes.items[node].name;

    if (log->from_s > m->from) {
        buf_addf(&m->b, "The log of %.*s is read from ", SLICE_FMT(name));
        add_time(&m->b, log->from_s, true);
        buf_add_str(&m->b, " on.");
        if (add(m, err) != 0)
            return -1;
    }
    if (log->through_s < due && !is_gone(&m->n->nodes.items[node])) {
        buf_addf(&m->b, "The log of %.*s is read only until ", SLICE_FMT(name));
        add_time(&m->b, log->through_s, true);
        buf_add_str(&m->b, " (see `tollgate doctor').");
    }
    return add(m, err);
}

static void gap_text(struct remarking *m, struct slice name, const struct coverage_gap *gap)
{
    buf_addf(&m->b, "Gap on %.*s, ", SLICE_FMT(name));
    add_time(&m->b, gap->from_s, gap->from_s == gap->to_s);
    if (gap->to_s > gap->from_s) {
        buf_add_str(&m->b, " to ");
        add_time(&m->b, gap->to_s, true);
    }
    buf_addf(&m->b, ": %.*s", SLICE_FMT(gap->reason));
    if (gap->lost > 0)
        buf_addf(&m->b, " (%" PRIu64 " %s lost)", gap->lost, gap->lost == 1 ? "line" : "lines");
    buf_add_char(&m->b, '.');
}

static bool is_within(const struct remarking *m, const struct coverage_gap *gap)
{
    return gap->from_s < m->to && (gap->to_s > m->from || gap->from_s >= m->from);
}

/* The newest ones in full, the others as a number. */
static int add_gaps(struct remarking *m, size_t node, struct err *err)
{
    const struct coverage_log *log = &m->n->collectors[node].log;
    struct slice name = m->n->nodes.items[node].name;
    size_t told = 0, more = 0;

    for (size_t i = log->gap_count; i-- > 0;) {
        if (!is_within(m, &log->gaps[i]))
            continue;
        if (told++ >= GAPS_TOLD) {
            more++;
            continue;
        }
        gap_text(m, name, &log->gaps[i]);
        if (add(m, err) != 0)
            return -1;
    }
    if (more > 0)
        buf_addf(&m->b, "%zu more %s on %.*s.", more, more == 1 ? "gap" : "gaps", SLICE_FMT(name));
    return add(m, err);
}

static bool has_counter(const struct report_kind *kind, enum counter id)
{
    struct counter_list list = {.count = 0};

    if (kind != NULL)
        report_counters(kind, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (list.ids[i] == id)
            return true;
    }
    return false;
}

static int add_notes(struct remarking *m, size_t node, struct err *err)
{
    static const char *const words[] = {[BOUND_EXACT] = "",
                                        [BOUND_LEAST] = "at least this much",
                                        [BOUND_MOST] = "at most this much",
                                        [BOUND_UNKNOWN] = "unknown"};
    const struct coverage_log *log = &m->n->collectors[node].log;

    for (size_t i = 0; i < log->note_count; i++) {
        const struct coverage_note *note = &log->notes[i];

        if (!has_counter(m->kind, note->counter))
            continue;
        buf_addf(&m->b, "%s of %.*s is %s", counter_table[note->counter].name,
                 SLICE_FMT(m->n->nodes.items[node].name), words[note->bound]);
        if (note->counter == COUNTER_SMTP_IN_CONNECTIONS && note->bound == BOUND_UNKNOWN)
            buf_add_str(&m->b, ", and taken as the milter saw it");
        if (note->text.len > 0)
            buf_addf(&m->b, ": %.*s", SLICE_FMT(note->text));
        buf_add_char(&m->b, '.');
        if (add(m, err) != 0)
            return -1;
    }
    return 0;
}

/* The server's status is sampled, and no log tells of it. */
static bool is_logged(const struct report_kind *kind)
{
    return kind == NULL || kind->columns[kind->column_count - 1].kind != COLUMN_MEAN;
}

int read_remarks_logs(const struct coverage_nodes *n, const struct report_kind *kind, time_t from,
                      time_t to, time_t now, struct arena *arena, struct remark_list *out,
                      struct err *err)
{
    struct remarking m = {
        .n = n, .kind = kind, .from = from, .to = to, .now = now, .arena = arena, .out = out};
    int result;

    *out = (struct remark_list){.count = 0};
    buf_init(&m.b, REMARK_BYTES);
    result = add_silent(&m, err);
    for (size_t i = 0; result == 0 && i < n->nodes.count; i++) {
        if (!n->collectors[i].log.is_there)
            continue;
        if (add_behind(&m, i, err) != 0 || (is_logged(kind) && add_gaps(&m, i, err) != 0) ||
            add_notes(&m, i, err) != 0)
            result = -1;
    }
    buf_fini(&m.b);
    return result;
}
