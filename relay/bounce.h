#ifndef TG_RELAY_BOUNCE_H
#define TG_RELAY_BOUNCE_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "relay/queue.h"
#include "relay/relay.h"

/*
 * The message that tells a sender what could not be delivered (RFC 3464, in a multipart/report of
 * RFC 6522), for the recipients in state RECIPIENT_FAILED. Its sender is null, so that it is never
 * answered by another.
 */

/* Puts it into the queue, its id into `id`; the caller schedules it. The message's sender must not
 * be null. */
int bounce_send(struct relay *relay, const struct queue_file *f, char id[QUEUE_ID_BYTES],
                struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The text of it (CRLF), for tests: header and body. `original` is the header of the message
 * returned. */
void bounce_format(const struct queue_file *f, const char *hostname, const char *id, int64_t now_ms,
                   struct slice original, struct buf *out) TG_NONNULL(1);

#endif
