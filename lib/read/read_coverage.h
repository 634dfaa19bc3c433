#ifndef TG_READ_READ_COVERAGE_H
#define TG_READ_READ_COVERAGE_H

#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/coverage.h"
#include "lib/core/findings.h"
#include "lib/core/report.h"
#include "lib/read/read.h"
#include "lib/redis/link.h"

/*
 * How far the figures of the nodes reach: what tollgated has pushed (struct node_info), what the
 * collector has read (tg:{@mx1}:collect, tg:{@mx1}:gaps), and what follows from both for a time.
 *
 * Errors: EX_UNAVAILABLE; EX_DATAERR for a key of another type, or a gap that is none.
 */

/* What the collector of a node tells of itself; times in Unix seconds, 0 where it does not. */
struct collector_info {
    struct slice version, sources;
    int64_t started, seen, log_through;
    uint64_t lines, gaps;         /* since ever */
    struct slice sources_through; /* a line for each log: Unix time, blank, name; empty: not told */
    bool has_queue;
    uint64_t queue_messages; /* in the mail server's queue */
    /* Of the last `tollgate reconcile`; at 0: none ran. */
    int64_t reconcile_at;
    uint64_t reconcile_counted, reconcile_found[FINDING_KINDS];
    struct coverage_log log;
};
/* All in the arena. */
int read_coverage_collector(struct reader *r, struct slice node, struct arena *arena,
                            struct collector_info *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 4);

/* The same without the gaps, as a part of a larger trip: one command, and its reply. */
void read_coverage_ask(struct reader *r, struct slice node) TG_NONNULL(1);
int read_coverage_take(struct reader *r, const redisReply *reply, struct slice node,
                       struct arena *arena, struct collector_info *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);

/* The nodes with their collectors. */
struct coverage_nodes {
    struct node_infos nodes;
    struct collector_info *collectors; /* one a node */
};
/* `collectors` false: they are not read. */
int read_coverage_nodes(struct reader *r, bool collectors, struct arena *arena,
                        struct coverage_nodes *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 4);

/* What is covered of a node's [from, to), by each program. A node that is gone for good, or has
 * another name now, keeps nobody waiting. */
struct node_coverage {
    struct coverage milter, log;
};
void read_coverage_of(const struct coverage_nodes *n, size_t node, time_t from, time_t to,
                      time_t now, struct node_coverage *out) TG_NONNULL(1, 6);

/* What the notes of a node's collector say of a column. */
enum coverage_bound read_coverage_bound(const struct coverage_log *log,
                                        const struct report_column *column) TG_NONNULL(1, 2);

#endif
