#ifndef TG_RELAY_DELIVER_H
#define TG_RELAY_DELIVER_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/relay.h"

/*
 * One attempt to deliver one queued message: each pending recipient goes to its Maildir or to the
 * next hop; the outcomes are written to the queue file; a bounce for those that failed for good is
 * queued; the message leaves the queue once no recipient is pending.
 *
 * Threads: any, one at a time a message.
 */

/* Called with the id of each bounce that was queued, before the message leaves the queue. */
struct deliver_bounced {
    void (*queued)(void *user, struct slice id);
    void *user;
};

/* When to try again (Unix time, ms), or 0: the message has left the queue. */
int64_t deliver_message(struct relay *relay, struct slice id, struct deliver_bounced bounced)
    TG_NONNULL(1);

#endif
