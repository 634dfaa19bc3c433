#ifndef TG_THROTTLE_FULL_WINDOWS_H
#define TG_THROTTLE_FULL_WINDOWS_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"

/*
 * Windows that the throttle found full, so that a recipient of an account over its limit is refused
 * without a trip to the store and before the body is sent.
 *
 * Threads: all; one lock, never held across I/O.
 * Limits: FULL_WINDOWS_MAX entries; when they are used up the table is emptied.
 */

#define FULL_WINDOWS_MAX    10000
#define FULL_WINDOWS_AGE_MS 1000
#define FULL_WINDOWS_TESTS  4 /* that are remembered of one window */

struct full_windows;

void full_windows_free(struct full_windows *l);
struct full_windows *full_windows_new(struct err *err) TG_FREED_BY(full_windows_free);

/* Remembers or forgets the check's window, as the throttle's answer says that it is full or not. It
 * is remembered from the first message that it stops, not from the one that fills it. */
void full_windows_note(struct full_windows *l, const struct limit_check *d,
                       const struct test_answer *answers, int64_t now_ms) TG_NONNULL(1);
/* False: none is full now. */
bool full_windows_are_there(const struct full_windows *l, int64_t now_ms) TG_NONNULL(1);
/* True where the window is known to have no room for 1 more under the limit. *retry_after_ms: when
 * room comes back; -1: never. It is not known any longer than that, nor than a sixtieth of the
 * window or FULL_WINDOWS_AGE_MS. */
bool full_windows_is_full(struct full_windows *l, const struct limit_check *like,
                          const struct limit *limit, int64_t now_ms, uint64_t *used,
                          int64_t *retry_after_ms) TG_NONNULL(1);

#endif
