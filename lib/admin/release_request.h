#ifndef TG_ADMIN_RELEASE_REQUEST_H
#define TG_ADMIN_RELEASE_REQUEST_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/redis/store.h"

/*
 * Only root may take a message off hold, and only on the node whose mail server holds it. Who asks
 * elsewhere leaves a request in the store, in the hash of that node (tg:{@mx1}:release: queue id ->
 * a JSON object); `tollgate release' of that node, run every minute, carries it out as if an admin
 * had named the message there, and removes it.
 *
 * A request names the account and the time of the hold, so that a queue id that is used again is
 * another message. Requests end by themselves RELEASE_REQUEST_KEEP_S after the last one.
 *
 * Owner: slices of a list are the arena's.  Errors: EX_UNAVAILABLE, EX_DATAERR.
 */

#define RELEASE_REQUEST_KEEP_S INT64_C(604800)

struct release_request {
    struct slice queue_id, account;
    int64_t held_s; /* since when the message is held, Unix time */
    struct slice by, client, reason;
    int64_t at_s; /* of the request, Unix time */
};

struct release_requests {
    struct release_request *items;
    size_t count;
};

struct release_request_place {
    struct store *store;
    const char *prefix; /* store.prefix */
    struct slice node;  /* "mx1" */
    int64_t timeout_ms; /* for one trip */
};

/* Leaves it there, and a line in the log (notice). 1: somebody has asked for this message before,
 * and his request stays. */
int release_request_put(const struct release_request_place *p, const struct release_request *r,
                        struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* Those that can be read. */
int release_request_list(const struct release_request_place *p, struct arena *arena,
                         struct release_requests *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
/* *removed: it was there. */
int release_request_remove(const struct release_request_place *p, struct slice queue_id,
                           bool *removed, struct err *err) TG_MUST_USE TG_NONNULL(1, 3);

/* Takes back what was asked for that message; `r` says who does, from where and why, for the log.
 * 1: nothing was asked for any more. */
int release_request_withdraw(const struct release_request_place *p, const struct release_request *r,
                             struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* The one for this message; NULL: none. */
const struct release_request *release_request_find(const struct release_requests *list,
                                                   struct slice queue_id, struct slice account,
                                                   int64_t held_s) TG_NONNULL(1);

#endif
