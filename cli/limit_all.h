#ifndef TG_CLI_LIMIT_ALL_H
#define TG_CLI_LIMIT_ALL_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/* tollgate limit show --all: everybody whose limits are not those of the plan "default" alone.
 * 0 or an exit code, said. */
int limit_all(struct cli *cli, const struct setup *s, enum format format) TG_NONNULL(1, 2);

#endif
