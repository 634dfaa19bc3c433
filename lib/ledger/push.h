#ifndef TG_LEDGER_PUSH_H
#define TG_LEDGER_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/identity.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/push_keep.h"
#include "lib/ledger/push_seal.h"
#include "lib/redis/store.h"

/*
 * From the ledger to Redis: rows that changed go there as this node's absolute share of each key
 * (push.lua makes the plain fields the sum of all shares), so pushing again, late or out of order
 * changes nothing.
 *
 * Whether this ledger may go on as the one that Redis knows is decided before the first row
 * (lib/ledger/learn), and again whenever the node's hash is not as this run left it. No row goes
 * out before the ledger has all that was in the journal when the run began: the ledger may be older
 * than the journal and Redis. Nor before the node's hash says up to which number the share may
 * count.
 *
 * Redis may have lost what it was given. Three things find that out, and all end in pushing every
 * row again (a walk through the ledger):
 * - a new connection: at full speed;
 * - the stamp, a number that grows with each writing of the node's hash, is not the one last
 *   written (Redis was flushed, restored from an older snapshot, or another server has
 *   taken over): at full speed, and pushed_through goes back to what Redis itself says of it;
 * - the scrub: every row once in `scrub_ms`, whatever happened; it also undoes what others changed.
 *
 * In a fleet the same walk seals rows of periods that are over (lib/ledger/push_seal).
 *
 * Held messages go along (lib/ledger/push_held), changes at once and all of them with each walk;
 * they count nothing, so pushed_through does not wait for them.
 *
 * pushed_through: all messages dated before it are in Redis. It advances when every row that was
 * dirty at its time has been taken, none is refused, no walk after a loss is under way, and the
 * node's hash has been written since over the same connection (so that a server which came
 * back without its last second cannot pass).
 *
 * The collector's ledger is pushed in the same way, as another share; its hash is `collect` instead
 * of `node`. Such a ledger has no journal that gives the same records again, so the hash also says
 * up to where in the logs its claim has counted (_source). Where it goes on under a new share, it
 * counts again from there (push_config.resume).
 *
 * Units: in the names.  Threads: one.  Errors: those of the store and the ledger; a row refused is
 * no error of a step, but a finding.
 */

#define SCRUB_MS 590000

/* Whose ledger it is, and so which hash is written. */
enum push_program { PUSH_MILTER, PUSH_COLLECTOR };

/* What the hash tells besides. */
enum push_gauge {
    PUSH_JOURNAL_RECORDS = 0, /* PUSH_MILTER: waiting to be folded; on the disk */
    PUSH_JOURNAL_BYTES = 1,
    PUSH_DISK_FREE = 2, /* bytes of the journal's disk */
    PUSH_DISK_MIN = 3,  /* ledger.min_free */
    PUSH_LINES = 0,     /* PUSH_COLLECTOR: read since ever */
    PUSH_GAPS = 1,      /* holes in the logs */
    PUSH_LOG_FROM = 2,  /* nothing before that time was read (Unix seconds) */
    PUSH_LOST_ENDS = 3, /* sessions whose end was not read */
    PUSH_GAUGES = 4
};
enum push_text {
    PUSH_SOURCES,         /* PUSH_COLLECTOR: the logs that are read */
    PUSH_NOTES,           /* what they cannot tell */
    PUSH_SOURCES_THROUGH, /* a line for each: Unix time up to which it is read, blank, name */
    PUSH_QUEUE,           /* messages in the queue of the mail server; empty: unknown */
    PUSH_TEXTS
};

/* Where another ledger's claim on our share ends; times are Unix seconds. */
struct push_resume {
    struct slice source; /* as its ledger_source_set had it */
    int64_t counted_through, pushed_through;
};

struct push_config {
    enum push_program program;
    /* PUSH_COLLECTOR: within a transaction, sets the ledger to count again from there. */
    int (*resume)(void *context, const struct push_resume *from, struct err *err);
    void *context;
    const char *prefix;       /* store.prefix; copied */
    const char *version;      /* of this program; static */
    const char *timezone;     /* of days and months; copied */
    struct identity identity; /* of this run, which the ledger has begun */
    int64_t watch_ms;         /* LEARN_WATCH_MS */
    int64_t started_s;
    int64_t scrub_ms;
    struct push_keep keep;
    int64_t seal_after_s; /* PUSH_SEAL_AFTER_S; 0: rows are not sealed */
};

/* What the caller knows better. */
struct push_now {
    int64_t now_s, counted_through;
    bool is_caught_up; /* what was in the journal when the run began is in the ledger */
    /* After each trip of changed rows, and of a walk through all, as lib/ledger/rest does. */
    unsigned rest_times, walk_rest_times;
    uint64_t gauges[PUSH_GAUGES];
    struct slice texts[PUSH_TEXTS]; /* borrowed for the call */
};

/* What a person should know, and no step fails of. The caller empties them. */
struct push_findings {
    uint64_t refused, undone; /* rows since the caller looked last */
    struct err refused_first, undone_first;
    uint64_t losses;  /* times Redis was found to have lost something */
    struct err rival; /* another program writes our node's hash; code 0: none */
    struct err left;  /* the share was left for a new one; code 0: it was not */
};

struct push;

void push_free(struct push *p); /* NULL is allowed */
struct push *push_new(const struct push_config *config, struct ledger *ledger, struct store *store,
                      struct err *err) TG_NONNULL(1) TG_MUST_USE;

/* Works for about `budget_ms`. 1: there is more to do at once; 0: not now; -1: *err; try again
 * after a pause. */
int push_step(struct push *p, const struct push_now *now, int64_t budget_ms,
              struct err *err) TG_MUST_USE TG_NONNULL(1);

/* To be stepped until push_is_finished, or until patience ends. Then all that Redis takes is there,
 * and the node's hash says so; `is_last`: also that this run is over. */
void push_finish(struct push *p, bool is_last) TG_NONNULL(1);
bool push_is_finished(const struct push *p) TG_NONNULL(1);

int64_t push_through(const struct push *p) TG_NONNULL(1);
struct push_findings *push_findings(struct push *p) TG_NONNULL(1);

#endif
