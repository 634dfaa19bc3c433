#ifndef TG_WEB_FIGURES_USAGE_H
#define TG_WEB_FIGURES_USAGE_H

#include "lib/core/contract.h"
#include "lib/read/read_usage.h"
#include "web/scope.h"

/*
 * How much of its limits what is in scope has used: a domain its own and those of its fullest
 * users, a user his own alone, the server those of @server. Part of figures.h.
 */

struct exchange;

struct figures_usage {
    struct usage_rows rows; /* none: there is no limit */
    bool is_exempt;
    bool is_observed; /* limits stop nothing */
    bool is_unknown;  /* the limits could not be loaded; the log says why */
};

#define FIGURES_USAGE_USERS 5

/* With the `users` fullest of a domain. */
int figures_usage_of(struct exchange *x, const struct scope *scope, size_t users,
                     struct figures_usage *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);
/* With FIGURES_USAGE_USERS of them. */
int figures_usage(struct exchange *x, const struct scope *scope, struct figures_usage *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
