#ifndef TG_CLI_WHY_COUNTED_H
#define TG_CLI_WHY_COUNTED_H

#include "cli/why.h"
#include "lib/core/contract.h"
#include "lib/ledger/messages_read.h"

struct json_t; /* of jansson */

/* tollgate why QUEUE-ID: as what the message was counted, by this node's journal. Queue ids come
 * again, so there may be several messages of one. Owner: the arena of struct why. */

struct why_counted {
    struct message_row *list; /* the oldest first; one for each account and class of a message */
    size_t count, room;
    struct err unread; /* why the journal could not be read; code 0: it was, or there is none */
};

/* What cannot be read is noted in *c. */
void why_counted_read(struct why *w, struct why_counted *c) TG_NONNULL(1, 2);
void why_counted_say(struct why *w, const struct why_counted *c) TG_NONNULL(1, 2);
/* An array; the caller's. null where the journal could not be read. */
struct json_t *why_counted_json(const struct why_counted *c) TG_NONNULL(1);

#endif
