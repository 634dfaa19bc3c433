#ifndef TG_WEB_HELD_VIEW_H
#define TG_WEB_HELD_VIEW_H

#include "lib/admin/release_request.h"
#include "lib/core/contract.h"
#include "lib/read/read_held.h"
#include "web/exchange.h"

/*
 * Messages on hold, as who asks may see them, and what was asked for of them: of all (`domain' of
 * the address narrows that), or of one. Owner: the exchange.
 */

struct held_view_node;

struct held_view {
    struct held_entries list;
    struct held_view_node *nodes; /* with their requests */
};

/* EX_USAGE, EX_NOUSER, EX_UNAVAILABLE. */
int held_view_open(struct exchange *x, struct held_view *v, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* The list is that message alone; EX_NOUSER where it is held no longer. */
int held_view_find(struct exchange *x, struct slice node, struct slice queue_id,
                   struct held_view *v, struct err *err) TG_MUST_USE TG_NONNULL(1, 4);
/* Reads the requests again. */
int held_view_again(struct exchange *x, struct held_view *v, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

/* NULL: nobody has asked for its release. */
const struct release_request *held_view_asked(const struct held_view *v, const struct held_entry *e)
    TG_NONNULL(1, 2);

/* Asks for the release of the one message, or takes that back. 0; 400, 403, 409: the status of a
 * refusal, with *err; -1. */
int held_view_change(struct exchange *x, struct held_view *v, bool is_release, struct slice reason,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
