#ifndef TG_CORE_CHARGED_H
#define TG_CORE_CHARGED_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/core/record.h"

/*
 * The amounts that one message is charged to each account and each of its users: recipients,
 * messages and bytes of its out and forward legs together, and bounces received. Pure.
 *
 * Owner: names are borrowed from the legs, the list is the arena's; charged_fini frees the index.
 */

struct wants {
    uint64_t of[METRIC_COUNT];
    bool sends; /* some of it is more than mail that passes a forwarder */
};

struct charged_party {
    struct slice account, user; /* user empty: the account */
    struct wants wants;
    size_t users, next; /* an account's users are chained: index + 1 into the list; 0: none */
};

struct charged {
    struct charged_party *list;
    size_t count, room;
    struct strmap index;
};

/* True for a leg that limits are about. */
bool charged_leg_wants(const struct leg *leg) TG_NONNULL(1);

/* All accounts and users with such legs, in the order of the legs, without the node. An account's
 * legs come before its users', as record_build makes them. -1: the arena's cap is reached. Call
 * charged_fini in either case. */
int charged_fill(struct charged *p, const struct leg *legs, size_t count, struct arena *arena)
    TG_NONNULL(1);
void charged_fini(struct charged *p);

/* The amounts of the node's legs: all accounts together. */
struct wants charged_node_wants(const struct leg *legs, size_t count) TG_NONNULL(1);

#endif
