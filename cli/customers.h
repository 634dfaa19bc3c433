#ifndef TG_CLI_CUSTOMERS_H
#define TG_CLI_CUSTOMERS_H

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/core/hosted.h"

/* Whose the domains are, for commands that sum them up; hosted_free. `name` (NULL: none) is a
 * customer that was asked for: one that has no domain is refused, as it may be mistyped. -1:
 * EX_USAGE, or a source cannot be read. */
int customers_load(const struct cli *cli, const char *name, struct hosted **out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

#endif
