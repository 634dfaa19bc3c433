#ifndef TG_READ_READ_REPORT_H
#define TG_READ_READ_REPORT_H

#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/core/period.h"
#include "lib/core/report_grid.h"
#include "lib/read/read.h"
#include "lib/sys/settings.h"

/*
 * A report out of the store: what is asked, as a grid with its coverage and remarks. For the
 * command, the pages and whoever else shows reports; they only parse the question and render the
 * grid.
 *
 * Errors: those of read.h; EX_USAGE for a question that has no answer (a column that there is not,
 * a time that is no longer kept).
 */

enum report_scope { SCOPE_SERVER, SCOPE_DOMAIN, SCOPE_USER, SCOPE_CUSTOMER };
/* BY_CUSTOMER: domains without a customer are rows of their own. */
enum report_by { BY_NOTHING = -1, BY_NODE, BY_DOMAIN, BY_USER, BY_CUSTOMER };

/* The time that a report is about. */
struct report_time {
    time_t from, to, now; /* [from, to) */
    bool hours;           /* counted by hours: from and to are whole ones */
    int64_t hours_kept_s, days_kept_s, users_days_kept_s; /* how long they are, after their end */
};

struct report_question {
    const struct report_kind *kind;
    enum report_scope scope;
    struct slice account, user;     /* canonical; of SCOPE_DOMAIN, SCOPE_USER; the customer */
    const struct hosted *customers; /* says whose domains are: SCOPE_CUSTOMER, BY_CUSTOMER */
    enum report_by by;
    enum period_kind step; /* PERIOD_TOTAL: none */
    struct report_time time;
    struct slice from_text, to_text, timezone;
    struct slice sort; /* a column; empty: the report's order */
    bool reverse, over_time;
    size_t top; /* 0: all */
};

/* The time of a question asked now: what is kept follows from store.keep_*. */
struct report_time read_report_time(const struct settings *s, time_t now) TG_NONNULL(1);

/* The stored periods that make up [from, to). -1 too where they are no longer kept. */
int read_report_cover(const struct report_time *time, time_t from, time_t to, struct arena *arena,
                      struct stored_periods *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 4, 5);

/* The grid borrows from the question and the arena; the caller ends it (report_grid_fini) in any
 * case. */
int read_report(struct reader *r, const struct report_question *q, struct arena *arena,
                struct report_grid *g, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);

#endif
