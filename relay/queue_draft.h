#ifndef TG_RELAY_QUEUE_DRAFT_H
#define TG_RELAY_QUEUE_DRAFT_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "relay/message.h"
#include "relay/queue.h"

/*
 * A message on its way into the queue: written and forced to the disk, but not queued yet. What can
 * fail for lack of room has been done then; only a rename is left.
 *
 * Owner: the holder; write makes the file, commit or discard ends it.  Threads: one for each draft.
 * Errors: EX_CANTCREAT, EX_IOERR.
 */

struct queue_draft {
    int fd; /* -1: none */
    char id[QUEUE_ID_BYTES];
};

#define QUEUE_DRAFT_NONE ((struct queue_draft){.fd = -1})

/* Writes the message; e->text_bytes is filled in. `received` is the relay's own header field with
 * its CRLF (may be empty). A draft that exists is written over, in the room that it has. On an
 * error the draft is left as none. */
int queue_draft_write(struct queue *q, struct queue_draft *d, struct envelope *e,
                      struct slice received, struct message *m, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 5);
/* Puts the draft into mail, or into hold; it is none afterwards. d->id is the message's id: a new
 * one if a file of that name exists already. */
int queue_draft_commit(struct queue *q, struct queue_draft *d, bool held,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
void queue_draft_discard(const struct queue *q, struct queue_draft *d) TG_NONNULL(1, 2);

#endif
