#ifndef TG_READ_READ_REMARKS_H
#define TG_READ_READ_REMARKS_H

#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/report.h"
#include "lib/read/read_coverage.h"

/* What people are told of the figures of a time: until when they are complete, and what the logs
 * cannot say. Times in the configured time zone. All in the arena. */

/* Is everything of [from, to) in the store, from every node? Says so in *complete and, where not,
 * why in *note. */
int read_remarks_complete(const struct node_infos *nodes, time_t to, time_t now,
                          struct arena *arena, bool *complete, struct slice *note,
                          struct err *err) TG_MUST_USE TG_NONNULL(1, 4, 5, 6);

/* What the collectors' figures of [from, to) lack: nodes without a collector, logs that are behind,
 * gaps (the newest ones), and what the notes say of the report's columns (kind NULL: of a list,
 * which has none). */
struct remark_list {
    struct slice *items;
    size_t count, room;
};
int read_remarks_logs(const struct coverage_nodes *n, const struct report_kind *kind, time_t from,
                      time_t to, time_t now, struct arena *arena, struct remark_list *out,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 6, 7);

#endif
