#ifndef TG_WEB_METRICS_H
#define TG_WEB_METRICS_H

#include "lib/core/contract.h"
#include "lib/read/read_fleet.h"
#include "web/metrics_text.h"

/*
 * The exposition: what Prometheus and its kin scrape.
 *
 * Counters are those of the nodes since ever, so no restart of a program sets one back. What is
 * unknown is not there: counters of a program that never ran on a node, what a log cannot tell, and
 * everything while the store is away. The state of a node that is retired or renamed is not there,
 * its counters are. No label holds a user or an address; a domain only in metrics_domains.  Pure.
 */

#define METRICS_OTHER "_other" /* the domains that have no name in metrics */

struct metrics_domain {
    struct slice name;
    struct tally total;
};

/* build_info and up; and of the nodes everything, unless `fleet` is NULL: the store is away. */
void metrics_write(struct metrics_text *t, const struct fleet *fleet, int64_t now_s) TG_NONNULL(1);
void metrics_write_domains(struct metrics_text *t, const struct metrics_domain *domains,
                           size_t count) TG_NONNULL(1);

#endif
