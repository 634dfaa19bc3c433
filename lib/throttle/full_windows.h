#ifndef TG_THROTTLE_FULL_WINDOWS_H
#define TG_THROTTLE_FULL_WINDOWS_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"

/*
 * What answers of the throttle have taught this process: windows with no room left. With it a
 * recipient of an account that is over its limit is refused without a trip and without taking the
 * body.
 *
 * A fact is kept for a sixtieth of its window, 5 s at most, so that room is never found later than
 * the window itself would give it.
 *
 * Threads: all; one lock, never held across I/O.  Limits: LEARNED_MAX facts; then it starts afresh.
 */

#define LEARNED_MAX    10000
#define LEARNED_AGE_MS 5000

struct full_windows;

void full_windows_free(struct full_windows *l);
struct full_windows *full_windows_new(struct err *err) TG_FREED_BY(full_windows_free);

/* Notes what an answer says of a check's window: full, or that there is room after all. */
void full_windows_note(struct full_windows *l, const struct limit_check *d, uint64_t used,
                       int64_t retry_after_ms, int64_t now_ms) TG_NONNULL(1);
/* Is it known that not even 1 more fits under the limit? *retry_after_ms: when to come again. */
bool full_windows_is_full(struct full_windows *l, const struct limit_check *like,
                          const struct limit *limit, int64_t now_ms, uint64_t *used,
                          int64_t *retry_after_ms) TG_NONNULL(1);

#endif
