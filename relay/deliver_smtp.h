#ifndef TG_RELAY_DELIVER_SMTP_H
#define TG_RELAY_DELIVER_SMTP_H

#include <sys/socket.h>

#include "lib/core/contract.h"
#include "relay/queue.h"
#include "relay/relay.h"
#include "relay/smtp_client.h"

/*
 * Delivery to other servers: through relay.next_hop, or by MX. The socket, TLS and the deadlines
 * around relay/smtp_client.h.
 */

/* Sends the message to the targets, all of the given domain (canonical; ignored with a next hop).
 * Every target has an outcome afterwards, with its text in the arena. */
void deliver_smtp(struct relay *relay, const struct queue_file *f, struct slice domain,
                  struct smtp_target *targets, size_t count, struct arena *arena) TG_NONNULL(1);

#endif
