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
 * what is due; a message is with one thread at a time.
 *
 * Threads: all functions from any thread; one lock guards the list, never held across I/O.
 */

/* Reads what is in the queue and starts the threads. */
struct scheduler *scheduler_start(struct relay *relay, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Lets deliveries under way go on for at most `grace_ms`, then ends. What is queued stays queued.
 * False: some go on all the same (and nothing was freed). */
bool scheduler_stop(struct scheduler *s, int64_t grace_ms);

/* A message has come into the queue. `goes_out`: it has recipients that are not hosted, as far as
 * is known. */
void scheduler_add(struct scheduler *s, struct slice id, bool goes_out) TG_NONNULL(1);
/* Try it now; all, where id is empty. Returns how many. */
size_t scheduler_flush(struct scheduler *s, struct slice id) TG_NONNULL(1);
/* Takes a message out of the list, so that the caller may do with its file what it wants. False: it
 * is being delivered just now. */
bool scheduler_take(struct scheduler *s, struct slice id) TG_NONNULL(1);

#endif
