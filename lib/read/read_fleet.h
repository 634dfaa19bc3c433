#ifndef TG_READ_READ_FLEET_H
#define TG_READ_READ_FLEET_H

#include "lib/core/contract.h"
#include "lib/read/read_coverage.h"

/*
 * All nodes with all that is asked of them again and again, for monitoring: what tollgated and the
 * collector of each tell of themselves, and its counters since ever. One trip for the names and one
 * for READ_FLEET_AT_ONCE nodes; gaps are not read.
 *
 * Errors: those of read.h.
 */

#define READ_FLEET_AT_ONCE ((size_t)128)

struct fleet_node {
    struct node_info info;
    bool has_collector; /* one has run there */
    struct collector_info collector;
    struct tally total;
};
struct fleet {
    struct fleet_node *items; /* by name */
    size_t count;
};

/* All in the arena. */
int read_fleet(struct reader *r, struct arena *arena, struct fleet *out,
               struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
