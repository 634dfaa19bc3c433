#ifndef TG_MILTER_VISITED_H
#define TG_MILTER_VISITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/record.h"
#include "lib/core/strmap.h"

/*
 * The accounts and users that an SMTP session has delivered to or sent for. Each gets one
 * smtp_in_connections, by a mark on the leg of the session's first message for it: so it is counted
 * if and only if that message is, and costs nothing.
 *
 * Owner: visited_init/visited_fini.  Threads: one.
 * Limits: cap_bytes; accounts and users beyond it are not counted as visited.
 */

#define VISITED_BYTES ((size_t)1 << 20) /* of a session: some 5,000 */

struct visited_place {
    struct slice account, user; /* user empty: the account itself */
    uint64_t seconds;           /* of all sessions, in a meter's batch */
    bool is_counted;            /* in the journal */
    bool is_pending;            /* in the record under way */
    struct visited_place *next, *next_pending;
};

struct visited {
    struct arena arena;
    struct strmap map; /* account NUL user -> struct visited_place * */
    struct visited_place *first, *pending;
};

void visited_init(struct visited *v, size_t cap_bytes) TG_NONNULL(1);
void visited_fini(struct visited *v);
/* A new session. */
void visited_reset(struct visited *v) TG_NONNULL(1);

/* The place of that account and user, made if need be. NULL: there is no room for it. */
struct visited_place *visited_find(struct visited *v, struct slice account, struct slice user)
    TG_NONNULL(1);
/* Marks the legs that are the session's first for their account or user (leg.opens). */
void visited_charge(struct visited *v, struct record *r) TG_NONNULL(1, 2);
/* The record is written, or (false) will never be. */
void visited_settle(struct visited *v, bool is_written) TG_NONNULL(1);

/* Steps through those that are counted: start with NULL, which also is the end. */
const struct visited_place *visited_next(const struct visited *v, const struct visited_place *at)
    TG_NONNULL(1);

/* Those that are counted, for another process that continues with the session. */
void visited_save(const struct visited *v, struct buf *out) TG_NONNULL(1, 2);
/* Removes them from the front of *in, into one that is new. False: they are none. */
bool visited_restore(struct visited *v, struct slice *in) TG_MUST_USE TG_NONNULL(1, 2);

#endif
