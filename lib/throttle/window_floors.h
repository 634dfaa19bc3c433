#ifndef TG_THROTTLE_WINDOW_FLOORS_H
#define TG_THROTTLE_WINDOW_FLOORS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/limit.h"

/*
 * What windows that were forgotten for lack of room may have used: for each kind of window (scope,
 * metric, length) the most that one of them had. A window that is made anew begins with it, so that
 * forgetting lets nothing through that the window would have stopped.
 *
 * Units: ms of any clock.  Threads: none.
 * Limits: WINDOW_FLOORS_MAX kinds; those beyond share one, which then counts for all.
 */

#define WINDOW_FLOORS_MAX 64

struct window_kind {
    enum limit_scope scope;
    enum limit_metric metric;
    int64_t window_ms;
};

struct window_floor {
    struct window_kind kind;
    uint64_t used;
    int64_t until_ms; /* nothing of it is left then */
};

/* All 0: none. */
struct window_floors {
    struct window_floor list[WINDOW_FLOORS_MAX];
    size_t count;
    struct window_floor any; /* of kinds that have no place in the list */
};

/* A window of that kind with so much used is forgotten. */
void window_floors_raise(struct window_floors *f, const struct window_kind *kind, uint64_t used,
                         int64_t until_ms, int64_t now_ms) TG_NONNULL(1, 2);
/* What a new window of that kind may have used, and until when it counts. */
uint64_t window_floors_used(const struct window_floors *f, const struct window_kind *kind,
                            int64_t now_ms, int64_t *until_ms) TG_NONNULL(1, 2, 4);

#endif
