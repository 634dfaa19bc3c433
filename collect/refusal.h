#ifndef TG_COLLECT_REFUSAL_H
#define TG_COLLECT_REFUSAL_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * What another server's refusal says of us: is it for policy, and which DNS list does it name.
 */

#define REFUSAL_LIST_ROOM 128

/* x.7.x, or a text that names a list; but not "come back later" of greylisting. */
bool refusal_is_policy(struct slice dsn, struct slice text);
/* The host name of the DNS list that the text names, in lower case; the maker's where only its name
 * is there ("spamhaus.org"). Empty: none. */
struct slice refusal_list(struct slice text, char room[REFUSAL_LIST_ROOM]) TG_NONNULL(2);
/* Is it greylisting? */
bool refusal_is_greylisting(struct slice text);

#endif
