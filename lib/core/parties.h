#ifndef TG_CORE_PARTIES_H
#define TG_CORE_PARTIES_H

#include "lib/core/limit.h"
#include "lib/core/record.h"

/*
 * What each account, and each of its users, wants of the limits with one message: recipients,
 * messages and bytes of its out and forward legs together, and bounces received. Pure.
 *
 * Owner: names are borrowed from the legs, the list is the arena's; parties_fini frees the index.
 */

struct wants {
    uint64_t of[METRIC_COUNT];
    bool sends; /* some of it is more than mail that passes a forwarder */
};

struct party {
    struct slice account, user; /* user empty: the account */
    struct wants wants;
    size_t users, next; /* an account's users are chained: index + 1 into the list; 0: none */
};

struct parties {
    struct party *list;
    size_t count, room;
    struct strmap index;
};

/* Does the leg want anything of a limit? */
bool leg_wants(const struct leg *leg);

/* All accounts and users with such legs, in the legs' order; the node is none of them. An account's
 * legs stand before its users', as record_build gives them. -1: the arena's cap is reached. Call
 * parties_fini in any case. */
int parties_fill(struct parties *p, const struct leg *legs, size_t count, struct arena *arena);
void parties_fini(struct parties *p);

/* What the node's legs want: those of all accounts together. */
struct wants wants_of_node(const struct leg *legs, size_t count);

#endif
