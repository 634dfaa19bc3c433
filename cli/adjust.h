#ifndef TG_CLI_ADJUST_H
#define TG_CLI_ADJUST_H

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/read/read_adjustments.h"

/* How `tollgate adjust list` writes adjustments. 0, or an exit code, said. */
int adjust_list(const struct adjustment_list *list, enum format format) TG_NONNULL(1);

/* As CSV. */
void adjust_list_csv(const struct adjustment_list *list, struct buf *b) TG_NONNULL(1, 2);

#endif
