#ifndef TG_WEB_HOLDER_VIEW_H
#define TG_WEB_HOLDER_VIEW_H

#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * Limits and plan of a holder, as who asks may see them: an admin all, with who set them and why;
 * a domain's administrator those of his domains and their users, a user his own, without. Only an
 * admin changes them, with a token only where it may write.
 *
 * Owner: the exchange.
 */

struct holder_view {
    struct setup setup;
    struct holder holder;
    struct holder_limits limits;
    int64_t now_s;
    bool sees_authors, may_change;
};

/* `typed` as `tollgate limit' takes it. EX_NOUSER (scope_nothing) for what is none, or not his;
 * EX_CONFIG, EX_UNAVAILABLE. */
int holder_view_open(struct exchange *x, struct slice typed, struct holder_view *v,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
/* What stands in the store, as text: the same again as long as nobody changes it. `name` NULL: all
 * limits and the plan. */
#define HOLDER_VIEW_STAMP 17
void holder_view_stamp(const struct holder_view *v, const struct limit *name,
                       char stamp[HOLDER_VIEW_STAMP]) TG_NONNULL(1);
/* "/limits/example.com" */
void holder_view_url(const struct holder *h, struct buf *url) TG_NONNULL(1, 2);

/* May who asks change anything at all? */
bool holder_view_may_change(const struct web_identity *who) TG_NONNULL(1);

#endif
