#ifndef TG_COLLECT_FILTERS_H
#define TG_COLLECT_FILTERS_H

#include "collect/machine.h"
#include "lib/core/contract.h"

/*
 * What spam filters and virus scanners log: how often they were asked, how long that took, and how
 * often they could not be reached. All of it is the node's; no line names who is served.
 *
 * spamd_*: of the program that `collect.spam_service` names. clamd logs clean scans with LogClean
 * alone, and never how long a scan took.
 */

void filters_types(struct open_book *b) TG_NONNULL(1);
/* The line's shape; NULL: not known, or of another daemon. */
const struct shape *filters_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);

#endif
