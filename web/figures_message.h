#ifndef TG_WEB_FIGURES_MESSAGE_H
#define TG_WEB_FIGURES_MESSAGE_H

#include "lib/core/contract.h"
#include "lib/read/read_held.h"
#include "lib/read/read_violations.h"
#include "web/scope.h"

/*
 * What is known of a queue id, within what who asks may see: from Redis the limits that the message
 * crossed, and where it is on hold; from the tollgated of this machine (milter/questions.h), where
 * it answers, as what it was counted. Part of figures.h. Owner: the exchange.
 */

struct exchange;

#define FIGURES_MESSAGE_VIOLATIONS 64

/* What an account is charged for it in one class. */
struct figures_counted {
    uint64_t number; /* of the message: a queue id comes again */
    int64_t time_s;
    uint64_t size;
    bool was_held;
    struct slice class_name, account, user; /* user: where it is one */
    uint64_t recipients, bytes;
};

/* What the mail log says of it; of an admin. */
struct figures_told {
    struct slice instance, trace; /* of lib/core/mail_trace */
};

struct figures_message {
    struct slice id;
    struct violation *violations; /* the newest first */
    size_t violation_count;
    struct held_entries held;
    struct slice node; /* that was asked; empty: it did not answer, and `unasked` says why */
    struct slice unasked;
    struct figures_counted *counted; /* the oldest first */
    size_t counted_count;
    bool counted_unknown, has_more; /* the journal could not be read; there is more in it */
    struct figures_told *told;
    size_t told_count;
    struct slice untold; /* why the collector of this machine could not be asked; empty: it was */
    bool in_doubt;       /* of an admin: a crash came between; see tollgated(8) */
};

/* EX_NOUSER (scope_nothing) for what is no queue id. That nothing is found is no error. */
int figures_message(struct exchange *x, struct slice id, struct figures_message *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);
bool figures_message_is_known(const struct figures_message *f) TG_NONNULL(1);

#endif
