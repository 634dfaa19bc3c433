#ifndef TG_CLI_RANGE_H
#define TG_CLI_RANGE_H

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/read/read_range.h"

/* --from and --to, both included; see read_range.h. */

/* Either text may be NULL: from the start of the month that it ends in, to today. */
int range_parse(const struct cli *cli, struct range *r, const char *from, const char *to,
                bool hours, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
