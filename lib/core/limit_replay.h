#ifndef TG_CORE_LIMIT_REPLAY_H
#define TG_CORE_LIMIT_REPLAY_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/limit.h"
#include "lib/core/strmap.h"
#include "lib/core/window.h"

/*
 * What a limit would have done to messages of the past. Pure.
 *
 * Message by message it is what the throttle does: a message passes, and consumes, where all of it
 * fits; one that is stopped consumes nothing; one that only passes a forwarder consumes and is not
 * stopped, unless the limit says forwards = true. Of hours alone, only bounds can be told.
 *
 * Units: ms and amounts of the limit's metric.  Owner: the arena given.  Threads: none.
 */

/* What a message wants of the window of one account or user. */
struct limit_replay_part {
    struct slice subject; /* empty: the account itself */
    uint64_t amount;
    bool sends; /* more than mail that passes a forwarder */
};

struct limit_replay {
    const struct limit *limit;
    struct arena *arena;
    struct strmap windows; /* by subject */
};

void limit_replay_init(struct limit_replay *r, const struct limit *limit, struct arena *arena)
    TG_NONNULL(1, 2, 3);
void limit_replay_fini(struct limit_replay *r) TG_NONNULL(1);

struct limit_replay_answer {
    bool stopped, crossing; /* crossing: the first after a time within the limit */
    uint64_t used;          /* before this message, of the window that stops it, else the fullest */
    size_t part;            /* whose window that is */
};

/* The next message, not before the last one. -1: the arena's cap is reached. */
int limit_replay_message(struct limit_replay *r, int64_t time_ms,
                         const struct limit_replay_part *parts, size_t count,
                         struct limit_replay_answer *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 5);

/* --- hours ----------------------------------------------------------------------------------- */

#define LIMIT_REPLAY_HOUR_MS INT64_C(3600000)

/* One hour of an account or user. */
struct limit_replay_hour {
    int64_t start_ms;
    uint64_t sent, all; /* all: with what forwarders pass on */
    uint64_t passed;    /* at most, of `sent` */
    bool may_stop;      /* something of it may have been stopped; else nothing was */
};

/* Hours that follow each other without a hole, the first one with an empty window. Marks those in
 * which the limit may have stopped something, and returns how much of `sent` it must have stopped
 * together, however the messages lay in their hours. */
uint64_t limit_replay_hours(const struct limit *limit, struct limit_replay_hour *hours,
                            size_t count) TG_NONNULL(1);

#endif
