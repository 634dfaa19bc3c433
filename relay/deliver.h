#ifndef TG_RELAY_DELIVER_H
#define TG_RELAY_DELIVER_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/queue.h"
#include "relay/relay.h"

/*
 * One attempt to deliver one queued message: each pending recipient goes to its Maildir or to the
 * next hop; the outcomes are written to the queue file; a bounce for those that failed for good is
 * queued; the message leaves the queue once no recipient is pending.
 *
 * Threads: any, one at a time a message.
 */

/* When to try again (Unix time, ms), or 0: the message has left the queue. `bounce` is the id of
 * the bounce that was queued, for the caller to schedule; "": none. */
int64_t deliver_message(struct relay *relay, struct slice id, char bounce[QUEUE_ID_BYTES])
    TG_NONNULL(1, 3);

#endif
