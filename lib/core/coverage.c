#include "lib/core/coverage.h"

#include <inttypes.h>

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void add_state(struct coverage *c, int64_t through_s, int64_t to_s, int64_t now_s)
{
    bool running = to_s > now_s;

    c->is_running = c->is_running || running;
    c->is_behind = c->is_behind || through_s < (running ? now_s - COVERAGE_LATE_S : to_s);
}

void coverage_add_node(struct coverage *c, int64_t pushed_through_s, int64_t from_s, int64_t to_s,
                       int64_t now_s)
{
    int64_t end = smaller(smaller(to_s, pushed_through_s), now_s);

    c->nodes++;
    c->covered_s += (uint64_t)larger(end - from_s, 0);
    add_state(c, pushed_through_s, to_s, now_s);
}

/* The part of [from, to) that no gap takes; what they take goes into c->gap_s. */
static int64_t without_gaps(struct coverage *c, const struct coverage_log *log, int64_t from_s,
                            int64_t to_s)
{
    int64_t reached = from_s, lost = 0;

    for (size_t i = 0; i < log->gap_count; i++) {
        const struct coverage_gap *g = &log->gaps[i];
        int64_t start = larger(g->from_s, reached), end = smaller(g->to_s, to_s);

        if (g->from_s >= to_s || larger(g->to_s, g->from_s + 1) <= from_s)
            continue;
        c->has_gap = true;
        c->lost += g->lost;
        lost += larger(end - start, 0);
        reached = larger(reached, end);
    }
    c->gap_s += (uint64_t)lost;
    return to_s - from_s - lost;
}

void coverage_add_log(struct coverage *c, const struct coverage_log *log, int64_t from_s,
                      int64_t to_s, int64_t now_s)
{
    int64_t end = smaller(smaller(to_s, log->through_s), now_s);
    int64_t start = larger(from_s, smaller(log->from_s, smaller(to_s, now_s)));

    c->nodes++;
    if (!log->is_there) {
        c->silent++;
        c->is_running = c->is_running || to_s > now_s;
        return;
    }
    if (start > from_s) {
        c->has_gap = true;
        c->gap_s += (uint64_t)(start - from_s);
    }
    if (end > start)
        c->covered_s += (uint64_t)without_gaps(c, log, start, end);
    add_state(c, log->through_s, to_s, now_s);
}

void coverage_join(struct coverage *c, const struct coverage *other)
{
    c->is_running = c->is_running || other->is_running;
    c->is_behind = c->is_behind || other->is_behind;
}

bool coverage_is_blank(const struct coverage *c)
{
    return c->covered_s == 0;
}

static bool is_silent(const struct coverage *c)
{
    return c->nodes > 0 && c->silent == c->nodes;
}

static void part(struct buf *b, size_t start)
{
    if (b->len > start)
        buf_add_str(b, "; ");
}

static void add_gap(const struct coverage *c, struct buf *b)
{
    buf_add_str(b, "gap");
    if (c->gap_s > 0)
        buf_addf(b, " %" PRIu64 " s", c->gap_s);
    if (c->lost > 0)
        buf_addf(b, " %" PRIu64 " %s", c->lost, c->lost == 1 ? "line" : "lines");
}

void coverage_text(const struct coverage *c, struct buf *b)
{
    size_t start = b->len;

    if (c->is_behind || c->nodes == 0)
        buf_add_str(b, "incomplete");
    else if (c->is_running)
        buf_add_str(b, "so far");
    if (c->has_gap) {
        part(b, start);
        add_gap(c, b);
    }
    if (c->silent > 0) {
        part(b, start);
        if (is_silent(c))
            buf_add_str(b, "no collector");
        else
            buf_addf(b, "without %zu of %zu nodes", c->silent, c->nodes);
    }
    if (b->len == start)
        buf_add_str(b, "complete");
}

void coverage_marks(const struct coverage *c, char marks[COVERAGE_MARKS])
{
    size_t n = 0;

    if (c->is_behind || c->is_running || c->nodes == 0)
        marks[n++] = c->is_behind || c->nodes == 0 ? '!' : '*';
    if (c->has_gap)
        marks[n++] = '~';
    if (c->silent > 0)
        marks[n++] = '?';
    marks[n] = '\0';
}

enum coverage_bound coverage_bound_join(enum coverage_bound a, enum coverage_bound b)
{
    if (a == BOUND_EXACT || a == b)
        return b;
    return b == BOUND_EXACT ? a : BOUND_UNKNOWN;
}

enum coverage_bound coverage_bound_of(const struct coverage_log *log, enum counter id)
{
    enum coverage_bound bound = BOUND_EXACT;

    for (size_t i = 0; i < log->note_count; i++) {
        if (log->notes[i].counter == id)
            bound = coverage_bound_join(bound, log->notes[i].bound);
    }
    return bound;
}
