#ifndef TG_RELAY_SCHEDULER_H
#define TG_RELAY_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/relay.h"

/*
 * When each queued message is tried: at once, then at growing intervals. A pool of threads takes
 * the messages that are due; one thread at a time has a message. Times are of the monotonic clock.
 *
 * Threads: all functions from any thread; one lock guards the lists, and is never held across I/O.
 */

/* Reads the queue and starts the threads. */
struct scheduler *scheduler_start(struct relay *relay, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Waits at most `grace_ms` for deliveries in progress. What is queued stays queued. False: some
 * have not ended, and nothing was freed. */
bool scheduler_stop(struct scheduler *s, int64_t grace_ms);

/* A message was queued. `goes_out`: it has recipients that are not hosted, as far as is known. */
void scheduler_add(struct scheduler *s, struct slice id, bool goes_out) TG_NONNULL(1);
/* Tries the message at once, or all messages if id is empty; returns how many. */
size_t scheduler_flush(struct scheduler *s, struct slice id) TG_NONNULL(1);
/* Takes a message out of the lists, so that the caller may move or remove its file. False: a thread
 * is delivering it. */
bool scheduler_take(struct scheduler *s, struct slice id) TG_NONNULL(1);

#endif
