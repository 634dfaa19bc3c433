#ifndef TG_CLI_WHY_MESSAGE_H
#define TG_CLI_WHY_MESSAGE_H

#include "cli/why.h"
#include "cli/why_counted.h"
#include "cli/why_story.h"
#include "lib/core/contract.h"
#include "lib/sys/violation.h"

/*
 * tollgate why QUEUE-ID: what the limits did to the message, whether it is held or in doubt,
 * as what it was counted, and what the mail log says. Read first (why_message_read), then said as
 * text or as JSON.
 *
 * Owner: the arena of `struct why`.
 */

#define WHY_VIOLATIONS_MAX 64

enum why_held_state {
    WHY_NOT_HELD, /* as far as is known */
    WHY_HELD,     /* by this node */
    WHY_HELD_ELSEWHERE,
    WHY_RELEASED,    /* by this node, within the last hour */
    WHY_HELD_NO_MORE /* it was once */
};

struct why_held {
    enum why_held_state state;
    int64_t since_s;      /* of WHY_HELD, as the next two */
    size_t place, of;     /* in the queue of its account */
    struct slice account; /* whose limit holds it */
};

struct why_message {
    struct slice id;
    struct violation *violations; /* the newest first */
    size_t violation_count;
    struct why_held held;
    struct err control; /* why tollgated could not be asked; code 0: it was */
    int ledger;         /* of ledger_file_is_doubtful */
    int64_t doubtful_s;
    struct why_counted counted;
    struct why_story story;
};

/* What cannot be asked is noted in *m. -1: *err. */
int why_message_read(struct why *w, struct why_message *m, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
bool why_message_is_known(const struct why_message *m) TG_NONNULL(1);
/* The end of the violations that belong to the same moment, and so to one decision, as `from`. */
size_t why_message_moment(const struct why_message *m, size_t from) TG_NONNULL(1);
/* What was decided at one moment: the strongest of what its violations say. */
enum limit_action why_message_decided(const struct violation *list, size_t count) TG_NONNULL(1);
/* What of this node could not be asked; nothing where all could. */
void why_message_note(const struct why_message *m, struct buf *b) TG_NONNULL(1, 2);

void why_message_say(struct why *w, const struct why_message *m) TG_NONNULL(1, 2);
/* One object; the caller's. */
struct json_t *why_message_json(struct why *w, const struct why_message *m) TG_NONNULL(1, 2);

#endif
