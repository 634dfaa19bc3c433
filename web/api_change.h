#ifndef TG_WEB_API_CHANGE_H
#define TG_WEB_API_CHANGE_H

#include "lib/core/contract.h"
#include "web/exchange.h"

/*
 * What programs change, by PUT and DELETE with a token that may write: the same changes as those of
 * the pages, by the same code (limit_post.h). The author is the token's name. With If-Match nothing
 * is done where the limits are not those that had that ETag (412).
 */

/* 0, or the status of a refusal, with *err: before any handler. */
int api_change_admit(const struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

int api_limits(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_plan(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_held(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);
int api_held_release(struct exchange *x, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The parameters of DELETE, and of a limit; ended by NULL. */
extern const char *const api_change_reason[];
extern const char *const api_change_limit[];
extern const char *const api_change_limit_reason[];
extern const char *const api_change_domain[];
extern const char *const api_change_domain_reason[];
extern const char *const api_change_id[]; /* of an adjustment */

#endif
