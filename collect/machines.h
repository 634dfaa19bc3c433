#ifndef TG_COLLECT_MACHINES_H
#define TG_COLLECT_MACHINES_H

#include "collect/machine.h"
#include "lib/core/contract.h"

/* All machines as one: a line goes to the one that reads its daemon. */

/* How their things are kept in the book; before the first line, and before open_restore. */
void machines_types(struct machine *m) TG_NONNULL(1);
/* The line's shape; NULL: not known. */
const struct shape *machines_line(struct machine *m, const struct log_line *line) TG_NONNULL(1, 2);
/* now_ms: all lines up to there have been read. */
void machines_tick(struct machine *m, int64_t now_ms) TG_NONNULL(1);

#endif
