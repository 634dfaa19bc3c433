#ifndef TG_WEB_FIGURES_H
#define TG_WEB_FIGURES_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/report_grid.h"
#include "lib/read/read_coverage.h"
#include "lib/read/read_held.h"
#include "lib/read/read_range.h"
#include "lib/read/read_violations.h"
#include "web/figures_cache.h"
#include "web/scope.h"

/*
 * The only place that reads figures, and only within a scope. A report's question is what the query
 * says (figures_parameters), in the words of the address; the grid is the one that
 * `tollgate report` shows for the same question. Those who ask the same share one reading, and what
 * is expensive may be FIGURES_CACHE_MS old (figures_cache.h); the exchange notes how old.
 *
 * Owner: a grid is ended by figures_fini; all else is the exchange's.
 * Errors: EX_USAGE (what is asked has no answer, with the fix), EX_NOUSER (scope_nothing),
 * EX_UNAVAILABLE, EX_DATAERR.
 */

struct exchange;

enum figures_mode { FIGURES_TREND, FIGURES_DOMAINS, FIGURES_USERS, FIGURES_CUSTOMERS };

enum figures_chart { FIGURES_BAR, FIGURES_LINE, FIGURES_AREA, FIGURES_NO_CHART };

struct figures {
    const struct report_kind *kind;
    struct scope scope;
    enum figures_mode mode;
    struct range range;
    struct report_question question;
    enum figures_chart chart;
    bool is_sorted, is_descending;
    struct report_grid grid; /* that of `entry`: not to be changed or ended */
    struct figures_cache *cache;
    const struct figures_entry *entry;
};

/* The names that a report's address takes, ended by NULL. */
extern const char *const figures_parameters[];
extern const char *const figures_mode_names[];  /* by mode, ended by NULL */
extern const char *const figures_step_names[];  /* by enum period_kind: "none", "hour" ... */
extern const char *const figures_chart_names[]; /* by enum figures_chart */

/* Reads what x->query asks of the report. `top` rows where it does not say (0: all). figures_fini
 * in any case. */
int figures_report(struct exchange *x, const struct report_kind *kind, size_t top,
                   struct figures *f, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);
void figures_fini(struct figures *f) TG_NONNULL(1);

/* Does the report exist for what the scope sees at most? */
bool figures_exists(const struct report_kind *kind, const struct scope *scope) TG_NONNULL(1, 2);

/* The newest first. */
int figures_violations(struct exchange *x, const struct scope *scope, size_t most,
                       struct violation_list *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);
/* The longest held first. */
int figures_held(struct exchange *x, const struct scope *scope, struct held_entries *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
int figures_nodes(struct exchange *x, const struct scope *scope, struct coverage_nodes *out,
                  struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
