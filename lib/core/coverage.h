#ifndef TG_CORE_COVERAGE_H
#define TG_CORE_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/slice.h"

/*
 * What a figure stands for: how many seconds of its time were counted, and why not all of them. A
 * node's tollgated has counted until its pushed_through; a node's collector what its logs say of
 * [from, through), without the gaps.  Pure.
 *
 * Units: Unix seconds; [from, to).
 */

/* A hole in the logs of a node; a point where both times are equal. */
struct coverage_gap {
    int64_t from_s, to_s;
    uint64_t lost; /* lines; 0: not known */
    struct slice reason;
};

enum coverage_bound { BOUND_EXACT, BOUND_LEAST, BOUND_MOST, BOUND_UNKNOWN };

/* What the logs of a node cannot tell. */
struct coverage_note {
    enum coverage_bound bound;
    enum counter counter;
    struct slice text;
};

/* What the collector of a node has read. */
struct coverage_log {
    bool is_there;
    int64_t from_s, through_s;
    const struct coverage_gap *gaps; /* in the order of from_s; they may overlap */
    size_t gap_count;
    const struct coverage_note *notes;
    size_t note_count;
};

/* Of a row: one node's, or that of several added up. All 0: of none. */
struct coverage {
    size_t nodes, silent; /* silent: of which no log is read */
    uint64_t covered_s;   /* summed over the nodes */
    uint64_t gap_s, lost; /* lost: lines */
    bool has_gap;         /* a gap may have no length */
    bool is_running;      /* not over yet */
    bool is_behind;       /* what is over has not arrived from every node */
};

#define COVERAGE_LATE_S 120 /* a node that is no further behind is up to date */

/* Adds a node: what its tollgated has counted, what its collector has read. */
void coverage_add_node(struct coverage *c, int64_t pushed_through_s, int64_t from_s, int64_t to_s,
                       int64_t now_s) TG_NONNULL(1);
void coverage_add_log(struct coverage *c, const struct coverage_log *log, int64_t from_s,
                      int64_t to_s, int64_t now_s) TG_NONNULL(1, 2);
/* Adds up what both programs say of the same nodes: covered seconds are those of `c`. */
void coverage_join(struct coverage *c, const struct coverage *other) TG_NONNULL(1, 2);

/* "complete", or parts like "so far; gap 240 s", "incomplete", "no collector". */
void coverage_text(const struct coverage *c, struct buf *b) TG_NONNULL(1, 2);
/* The same as marks behind a label: `*` so far, `!` incomplete, `~` gap, `?` without a collector;
 * nothing where it is complete. */
#define COVERAGE_MARKS 4
void coverage_marks(const struct coverage *c, char marks[COVERAGE_MARKS]) TG_NONNULL(1);
/* Is nothing known of that time? */
bool coverage_is_blank(const struct coverage *c) TG_NONNULL(1);

/* What the notes say of a counter. */
enum coverage_bound coverage_bound_of(const struct coverage_log *log, enum counter id)
    TG_NONNULL(1);
/* "?" is more than ">=", which is more than nothing; ">=" with "<=" is "?". */
enum coverage_bound coverage_bound_join(enum coverage_bound a, enum coverage_bound b);

#endif
