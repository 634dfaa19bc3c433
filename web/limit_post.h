#ifndef TG_WEB_LIMIT_POST_H
#define TG_WEB_LIMIT_POST_H

#include "lib/admin/limit_change.h"
#include "lib/core/contract.h"
#include "web/holder_view.h"

/*
 * A change of limits or plan as a page or a program asks for it: the check of its words, and the
 * change (lib/admin). Each has a reason, and the name of who is signed in as its author.
 *
 * Results: 0 done; 400, 403, 409: the status of a refusal, with *err as what is wrong and the fix;
 * -1: *err, as handlers return it.
 */

#define LIMIT_POST_REASON_MAX 500 /* bytes */

struct limit_post {
    struct slice name; /* "domain/recipients/hour" */
    struct slice max;
    struct slice action;   /* empty: as before */
    struct slice soft;     /* a percentage; empty: as before */
    struct slice forwards; /* "yes", "no"; empty: as before */
    struct slice until;    /* as `tollgate limit set --until' takes it; empty: no end */
    struct slice plan;
    struct slice reason;
    const uint64_t *seen; /* NULL: whatever stands there now */
    bool force;           /* even if the domain is not hosted */
};

int limit_post_set(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
int limit_post_unset(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* An empty plan: that of the configuration again. */
int limit_post_plan(struct exchange *x, const struct holder_view *v, const struct limit_post *p,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* 403 for who may not change it, 400 without a reason. */
int limit_post_admit(const struct exchange *x, struct slice reason, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
