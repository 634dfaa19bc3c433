#ifndef TG_COLLECT_COLLECT_FOLD_H
#define TG_COLLECT_COLLECT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/collect_db.h"
#include "collect/counts.h"
#include "collect/feed.h"
#include "collect/machine.h"
#include "collect/shapes.h"
#include "collect/twins.h"
#include "lib/sys/log_limit.h"

/*
 * The logs read into the ledger, fold by fold: some lines of all logs go through the machines, and
 * what they found, what is open and how far the logs are read goes into the ledger in one
 * transaction. Whatever fails drops the fold: all is loaded from the ledger again, and read again
 * after a pause.
 *
 * Threads: one.  Owner: collect_fold_init/collect_fold_fini; what is borrowed outlives it.
 */

#define COLLECT_FOLD_BYTES   ((size_t)4 << 20) /* of lines in a fold */
#define COLLECT_FOLD_TIME_MS 1000              /* to read them */
#define COLLECT_FOLD_IDLE_MS 10000             /* where no line comes, sessions grow so often */

struct collect_fold_parts {
    struct collect_db *db;
    const char *const *sources; /* as in the settings */
    size_t source_count;
    const struct feed_setup *setup;
    const struct machine_rules *rules;
    struct row_sums_config sums;
    struct slice node_account; /* @NODE */
};

struct collect_fold {
    struct collect_fold_parts parts;
    struct feed *feeds;
    struct slice *names, *kept; /* of the feeds; of those that are read */
    struct machine machine;
    struct owners owners;
    struct sink sink;
    struct counts counts;
    struct shapes shapes;
    struct twins *twins;
    uint64_t lines;            /* of this fold */
    uint64_t signs;            /* of what the logs lack (collect/notes.h) */
    int64_t reached_ms;        /* all logs are read up to there */
    bool must_save;            /* though no line came */
    bool must_load;            /* the ledger is not as this has it */
    int64_t next_ms, saved_ms; /* monotonic: not read again before; last commit */
    struct log_problem log_problem, ledger_problem, source_problem;
};

/* `hosted`: see hosts_use, for &r->owners. -1: as collect_fold_load. */
int collect_fold_init(struct collect_fold *r, const struct collect_fold_parts *parts,
                      const struct hosted *hosted, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
void collect_fold_fini(struct collect_fold *r); /* all zeros is allowed */

/* One fold. True: there is more to read at once. */
bool collect_fold_run(struct collect_fold *r) TG_NONNULL(1);
/* What was read and is not in the ledger is dropped, and all is read from there again: another
 * place in the logs is in force (push_config.resume). */
void collect_fold_reload(struct collect_fold *r) TG_NONNULL(1);

/* The logs are at their end (not of FOLLOW_LIVE). */
bool collect_fold_is_over(const struct collect_fold *r) TG_NONNULL(1);
/* A problem is on. */
bool collect_fold_has_problem(const struct collect_fold *r) TG_NONNULL(1);

#endif
