#ifndef TG_CORE_LIMIT_REPLY_H
#define TG_CORE_LIMIT_REPLY_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"

/*
 * The reply to a sender whose message is over a limit: account, limit, what is used, and when to
 * try again. One line of printable ASCII, at most LIMIT_REPLY_MAX_BYTES.
 *
 *     example.com: limit of 600 recipients per hour reached (600 used, 3 more wanted), try again in
 *     12 minutes
 *
 * What never fits is said to, without a time; a rejected message is not invited to try again.
 */

#define LIMIT_REPLY_MAX_BYTES 400

/* `verdict->limit` is not NULL. `more`: the provider's own words, which follow where they fit; may
 * be empty. Empty where the arena's cap is reached. */
struct slice limit_reply(const struct throttle_verdict *verdict, struct slice more,
                         struct arena *arena) TG_NONNULL(1);

/* Does a text, such as a line of a log, hold such a reply? */
bool limit_reply_is(struct slice text);

#endif
