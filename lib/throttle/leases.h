#ifndef TG_THROTTLE_LEASES_H
#define TG_THROTTLE_LEASES_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/throttle/throttle_call.h"

/*
 * Leases: room of windows that this process has consumed in the store ahead of its messages, so
 * that most of them need no trip. A trip for a message asks for more than it wants, as its account
 * used up the last lease; the store leases at most a part of the room, and nothing that a limit or
 * a soft event could be missed by (throttle.lua).
 *
 * A lease counts as consumed in the slice in which the store gave it, and is used within that
 * slice: so no window ever holds more than its maximum. It ends by the time that has passed since
 * the question was sent, which is before the store's clock was read, whatever this node's clock
 * says. A lease that was given under other limits is not used.
 *
 * What is unused at its end is given back once: by the next trip of its window, or by
 * leases_give_back. Where that trip fails nobody knows whether it has arrived; the room then comes
 * back as the window passes, as it does after a crash.
 *
 * Units: ms of a monotonic clock, but for store_ms, the store's.
 * Threads: all; one lock, never held across I/O.
 * Limits: LEASES_MAX windows; LEASE_MAX_MS for a lease.
 */

#define LEASES_MAX    50000
#define LEASE_MAX_MS  60000
#define LEASE_PART    8     /* of the room, a lease is at most this part, divided by the nodes */
#define LEASE_TRIP_MS 10000 /* a trip that did not end has failed by then */
#define LEASE_BATCH   64

struct leases;

void leases_free(struct leases *l);
struct leases *leases_new(struct err *err) TG_FREED_BY(leases_free);

/* True where leases cover all checks: `consume`: they have been used, *answers is filled. */
bool leases_use(struct leases *l, const struct limit_checks *d, bool consume, int64_t now_ms,
                struct test_answer *answers) TG_NONNULL(1);

/* What a trip for the message asks for: one a check. */
void leases_ask(struct leases *l, const struct limit_checks *d, int64_t now_ms,
                struct throttle_lease *out) TG_NONNULL(1);
/* And what it brought. asked_ms: when leases_ask was called; store_ms: as the store has answered.
 * `passed`: the message consumed. Or the trip has failed. */
void leases_take(struct leases *l, const struct limit_checks *d, const struct throttle_lease *got,
                 const struct test_answer *answers, bool passed, int64_t asked_ms, int64_t store_ms)
    TG_NONNULL(1);
void leases_fail(struct leases *l, const struct limit_checks *d, const struct throttle_lease *asked)
    TG_NONNULL(1);

/* A message that consumed in the store at store_ms, by the store's clock, is given up: that goes
 * back as what a lease has left. */
void leases_return(struct leases *l, const struct limit_checks *d, int64_t store_ms, int64_t now_ms)
    TG_NONNULL(1);

/* Checks without an amount whose leases (LEASE_BATCH at most) are over and unused, or with `all`
 * are only unused, for a trip that gives them back; they are forgotten here. *from: 0, then as it
 * was left; false: no more. `out`: room for LEASE_BATCH. */
bool leases_give_back(struct leases *l, int64_t now_ms, bool all, size_t *from, struct arena *arena,
                      struct limit_checks *d, struct throttle_lease *out) TG_NONNULL(1);

#endif
