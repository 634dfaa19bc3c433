#ifndef TG_WEB_METRICS_DOMAINS_H
#define TG_WEB_METRICS_DOMAINS_H

#include <time.h>

#include "lib/core/contract.h"
#include "web/metrics.h"

/*
 * Which domains have a name in metrics, and their counters.
 *
 * A domain that comes and goes looks like a counter that is set back. The names are therefore
 * chosen for a day, by what the month had before the day began (on the first of a month, the
 * month before): whoever chooses later that day, in another process, chooses the same.
 *
 * Errors: those of lib/read.
 */

/* At most `most` names, sorted; those without traffic are not chosen. */
int metrics_domains_choose(struct reader *r, size_t most, time_t now, struct arena *arena,
                           struct name_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 4, 5, 6);
/* Their counters since ever, and behind them METRICS_OTHER, the sum of all other accounts. */
int metrics_domains_read(struct reader *r, const struct name_list *chosen, struct arena *arena,
                         struct metrics_domain **out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5);

#endif
