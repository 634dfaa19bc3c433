#ifndef TG_RELAY_DELIVER_H
#define TG_RELAY_DELIVER_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "relay/relay.h"

/*
 * One try at delivering one queued message: each recipient that is still pending goes to its
 * Maildir or to the next hop; what came of it is written into the queue file; what failed for good
 * is returned to the sender; the message leaves the queue once nothing is pending.
 *
 * Threads: any, one at a time a message.
 */

/* When to try again (Unix time, ms), or 0: it is done with. */
int64_t deliver_message(struct relay *relay, struct slice id) TG_NONNULL(1);

#endif
