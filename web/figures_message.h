#ifndef TG_WEB_FIGURES_MESSAGE_H
#define TG_WEB_FIGURES_MESSAGE_H

#include "lib/core/contract.h"
#include "lib/read/read_held.h"
#include "lib/read/read_violations.h"
#include "web/scope.h"

/* What Redis has of a queue id, within what who asks may see: the limits that the message crossed,
 * and where it is on hold. Part of figures.h. Owner: the exchange. */

struct exchange;

#define FIGURES_MESSAGE_VIOLATIONS 64

struct figures_message {
    struct slice id;
    struct violation *violations; /* the newest first */
    size_t violation_count;
    struct held_entries held;
};

/* EX_NOUSER (scope_nothing) for what is no queue id. That nothing is found is no error. */
int figures_message(struct exchange *x, struct slice id, struct figures_message *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);
bool figures_message_is_known(const struct figures_message *f) TG_NONNULL(1);

#endif
