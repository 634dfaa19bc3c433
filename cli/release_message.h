#ifndef TG_CLI_RELEASE_MESSAGE_H
#define TG_CLI_RELEASE_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/hold_queue.h"
#include "cli/hold_trace.h"
#include "lib/core/contract.h"

/*
 * One held message in a run of `tollgate release`: where it is now, and what follows from that. On
 * hold, it is charged and released when there is room; off hold but still queued, it is charged.
 * Of one that is in no queue the mail log tells: let out, it is charged; deleted, it is forgotten.
 * If no log tells, it stays listed as held for a week, unless an admin says what became of it.
 */

/* The messages held for one account, and what became of them in this run. */
struct held_line {
    struct held_line *next;
    struct slice account;
    /* Messages. unknown: gone from their queue, and no log tells how */
    uint64_t released, left, forgotten, waiting, unseen, unknown, stuck;
    bool is_stopped;    /* its next message has to wait: */
    int64_t wait_s;     /* for how long */
    struct slice limit; /* for which limit */
};

struct release_run {
    const char *state_dir;
    bool is_one;         /* an admin named the message: it goes even if its limit has no room */
    enum hold_fate said; /* what became of it, as the admin says; UNKNOWN: nothing said */
    int64_t now_s;
    struct hold_queues queues;
    struct strmap queued; /* id -> struct queued * */
    struct strmap traces; /* id -> struct hold_trace *, of messages that are in no queue */
    struct arena arena;
    bool is_over; /* an error that ends the run */
    int code;     /* exit code so far */
};

struct release_message {
    const char *id;
    int64_t number;           /* of its record in tollgated's journal */
    int64_t time_s;           /* held since, Unix time */
    bool released;            /* charged already */
    const char *queue;        /* the one that it was seen in; "": none yet */
    const struct queued *now; /* in a queue now; NULL: in none that could be read */
};

/* From an object of tollgated's list of held messages, which it borrows; false: it is none. */
bool release_message_read(const struct release_run *w, const json_t *o,
                          struct release_message *m) TG_MUST_USE TG_NONNULL(1);
/* In none of the queues, and not charged yet, though the queue that it was last in was looked at.
 */
bool release_message_is_gone(const struct release_run *w, const struct release_message *m)
    TG_NONNULL(1, 2);
/* Does what is to be done; errors are reported, and noted in w. */
void release_message_handle(struct release_run *w, struct held_line *line,
                            const struct release_message *m) TG_NONNULL(1);

#endif
