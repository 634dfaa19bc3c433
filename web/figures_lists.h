#ifndef TG_WEB_FIGURES_LISTS_H
#define TG_WEB_FIGURES_LISTS_H

#include "lib/core/contract.h"
#include "lib/read/read_list.h"
#include "web/scope.h"

/* The lists that collectors write (refusals, anomalies), within a scope; part of figures.h. */

struct exchange;

struct figures_list {
    struct scope scope;
    struct range range;
    struct list_question question;
    struct list_report report;
};

/* The names that a list's address takes, ended by NULL. */
extern const char *const figures_list_parameters[];

/* Reads what x->query asks of the list, at most `top` rows where it does not say (0: all). */
int figures_list(struct exchange *x, const struct list_kind *kind, size_t top,
                 struct figures_list *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4, 5);

#endif
