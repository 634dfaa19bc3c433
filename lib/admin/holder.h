#ifndef TG_ADMIN_HOLDER_H
#define TG_ADMIN_HOLDER_H

#include "lib/admin/setup.h"
#include "lib/core/contract.h"
#include "lib/throttle/account_overrides.h"

/*
 * Whose limits something is about: a hosted domain, "@customer:4711" (the domains of a customer
 * together), "@server", "@client" (all clients), or "@client:192.0.2.1" (one); and what holds for
 * it now. Owner: what is read into an arena is the arena's.
 */

#define HOLDER_CLIENTS "@client"

enum holder_kind {
    HOLDER_IS_DOMAIN,
    HOLDER_IS_USER,
    HOLDER_IS_CUSTOMER,
    HOLDER_IS_SERVER,
    HOLDER_IS_CLIENTS,
    HOLDER_IS_CLIENT
};

struct holder {
    enum holder_kind kind;
    struct slice typed; /* as it was typed */
    struct slice
        name; /* of its windows: "example.com", "@customer:4711", "@client:192.0.2.1" ... */
    struct slice rules;    /* of its plan and overrides: the same, but "@client" for any client */
    struct slice subject;  /* a user, or the client as it has overrides of its own; else empty */
    struct slice assigned; /* the plan that the files give it; empty: none */
    bool is_hosted;        /* a domain: itself, not charged to another; a customer: has domains */
    struct slice charged;  /* to whom the domain's mail is charged; empty: not hosted */
    bool is_exempt;        /* by throttle.exempt */
};

/* -1: EX_USAGE for what is no such name. A domain need not be hosted. */
int holder_parse(const struct setup *s, struct slice typed, struct arena *arena, struct holder *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1);
/* An account that has counted, or a holder whose name begins with @: taken as hosted, and nobody is
 * asked. */
void holder_of_account(const struct setup *s, struct slice account, struct holder *out)
    TG_NONNULL(1, 3);
/* False: limits of it do nothing, as a domain that is not hosted, or charged to another. */
bool holder_is_charged(const struct holder *h, struct buf *why) TG_NONNULL(1, 2);
bool holder_has_scope(const struct holder *h, enum limit_scope scope) TG_NONNULL(1);
/* "the domain example.com", "this server and all others of the store" ... */
const char *holder_scopes(const struct holder *h) TG_NONNULL(1); /* "domain or user" */

/* --- what holds now ----------------------------------------------------------------------------
 */

enum plan_origin { PLAN_NONE, PLAN_DEFAULT, PLAN_ASSIGNED, PLAN_GIVEN };

struct holder_limits {
    enum plan_origin origin;
    const struct plan *plan;       /* NULL: none */
    struct account_overrides said; /* what the store gives: plan and overrides */
    struct limit *limits;          /* those in force, of the holder's scopes alone */
    size_t count;
};

/* Overrides that cannot be read are left out; setup.warn hears of them. */
int holder_limits_read(const struct setup *s, const struct holder *h, int64_t now_s,
                       struct arena *arena, struct holder_limits *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The same where out->said has been read. */
int holder_limits_choose(const struct setup *s, const struct holder *h, int64_t now_s,
                         struct arena *arena, struct holder_limits *out,
                         struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);
/* The override that a limit comes from; NULL: the plan's. */
const struct limit *holder_override(const struct holder_limits *l, const struct limit *limit,
                                    int64_t now_s) TG_NONNULL(1);
/* "@customer:4711" where a domain, or a user, is that customer's; else empty. In the arena. */
struct slice holder_customer_of(const struct setup *s, const struct holder *h, struct arena *arena)
    TG_NONNULL(1, 2, 3);
/* The name of the customer that it is; else empty. */
struct slice holder_customer(const struct holder *h) TG_NONNULL(1);
/* "alice@example.com", "@client:192.0.2.1", "example.com" */
struct slice holder_title(const struct holder *h) TG_NONNULL(1);
/* Is limits[i] the one that is in force for the holder itself, and of that name? NULL: any name. */
bool holder_limit_is(const struct holder_limits *l, const struct holder *h, size_t i,
                     const struct limit *name) TG_NONNULL(1);
const char *holder_plan_origin_text(enum plan_origin origin); /* "set at run time" ... */

#endif
