#ifndef TG_READ_READ_H
#define TG_READ_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/err.h"
#include "lib/core/period_range.h"
#include "lib/core/report.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"
#include "lib/redis/store.h"

/*
 * The read side: counters out of Redis, for reports. Reads only, in pipelined batches, so that
 * neither Redis nor we hold more than a batch at a time; of each hash only the fields asked for.
 *
 * Only plain fields are read. Those beginning with `_` are the nodes' shares, and no counters.
 * Owner: the store and the prefix are borrowed.  Threads: one.
 * Errors: EX_UNAVAILABLE where Redis is away, EX_DATAERR (65) naming the key and what is wrong with
 * it.
 */

/* Told while many rows are read; one reading may be the `part`-th of several of the same length. */
struct read_progress {
    void (*show)(void *context, unsigned percent); /* NULL: nobody looks */
    void *context;
    size_t part, parts;
};

struct reader {
    struct store *store;
    const char *prefix;
    struct read_progress progress;
    int64_t timeout_ms; /* of one trip; READ_TIMEOUT_MS where 0 */
    size_t cost;        /* of what was read so far: a hash counts 1, each field of users too */
};

#define READ_TIMEOUT_MS 10000

/* -1 where the store is not there, or holds the keys of another schema than ours. One that is empty
 * is good. */
int read_schema(struct reader *r, struct err *err) TG_MUST_USE TG_NONNULL(1);

struct name_list {
    struct slice *items; /* sorted, each once */
    size_t count, room;
};

void read_names_settle(struct name_list *list) TG_NONNULL(1);

/* The nodes' names, and the accounts ever counted (without the nodes' own). */
int read_nodes(struct reader *r, struct arena *arena, struct name_list *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1);
int read_accounts(struct reader *r, struct arena *arena, struct name_list *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Has the account ever been counted? */
int read_is_account(struct reader *r, struct slice account, bool *is_account,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Called with each account (user) and the sum over all periods; -1 ends the reading. More may be on
 * the way from the store meanwhile, so that it must not use it. */
typedef int read_row(void *context, struct slice name, const struct tally *sum, struct err *err);

/* Every account given, in this order, those that have nothing too. */
int read_counters(struct reader *r, const struct name_list *accounts,
                  const struct stored_periods *periods, const struct counter_list *counters,
                  read_row *row, void *context, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The users of these accounts, in no order. Only months and days have users. */
int read_users(struct reader *r, const struct name_list *accounts,
               const struct stored_periods *periods, const struct counter_list *counters,
               read_row *row, void *context, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* One user. */
int read_user(struct reader *r, struct slice account, struct slice user,
              const struct stored_periods *periods, const struct counter_list *counters,
              struct tally *sum, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* What a node tells of itself; times in Unix seconds, 0 where it does not. */
struct node_info {
    struct slice name, version;
    int64_t started, seen, counted_through, pushed_through;
    int64_t journal_records; /* accepted and not yet in the ledger */
    int64_t dirty_rows;      /* changed and not yet in Redis */
    int64_t disk_free,
        disk_min;           /* bytes: free where the journal is, ledger.min_free; 0: not told */
    bool is_renamed;        /* a former name of another node, which speaks for it */
    bool is_retired;        /* gone for good: nothing waits for it */
    bool is_collector_only; /* no tollgated has ever run there: it accepts no messages */
    struct slice rival;     /* host of another tollgated that uses the same name; empty: none */
    int64_t rival_seen;     /* when it said so; the hash's own node has `seen` */
};
struct node_infos {
    struct node_info *items;
    size_t count;
};
int read_node_infos(struct reader *r, struct arena *arena, struct node_infos *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The node whose counters in Redis reach least far (pushed_through), those aside that are retired
 * or have no tollgated; NULL where there is none. */
const struct node_info *read_node_infos_last(const struct node_infos *nodes) TG_NONNULL(1);

#endif
