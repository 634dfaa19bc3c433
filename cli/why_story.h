#ifndef TG_CLI_WHY_STORY_H
#define TG_CLI_WHY_STORY_H

#include "cli/why.h"
#include "lib/core/contract.h"

/* What the mail log says of a message, as this node's collector keeps it (lib/core/mail_trace).
 * Owner: the arena of `struct why`. */

struct why_told {
    struct slice instance, trace;
};

struct why_story {
    struct why_told *list; /* one an instance that had the queue id */
    size_t count, room;
    bool is_there;     /* a collector runs here, or has run */
    struct err unread; /* why its ledger could not be read; code 0: it was */
};

/* What cannot be read is noted in *s. */
void why_story_read(struct why *w, struct why_story *s) TG_NONNULL(1, 2);
void why_story_say(struct why *w, const struct why_story *s) TG_NONNULL(1, 2);

#endif
