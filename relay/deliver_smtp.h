#ifndef TG_RELAY_DELIVER_SMTP_H
#define TG_RELAY_DELIVER_SMTP_H

#include "relay/queue.h"
#include "relay/relay.h"
#include "relay/smtp_client.h"

/* Delivery to a server: the socket and the deadlines around relay/smtp_client.h. */

/* Sends the message to the targets through the server at `hop` (host:port); every target has an
 * outcome then, its text in the arena. */
void deliver_smtp(struct relay *relay, const struct queue_file *f, const char *hop,
                  struct smtp_target *targets, size_t count, struct arena *arena);

#endif
