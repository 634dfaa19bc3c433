#ifndef TG_CLI_USAGE_OVER_H
#define TG_CLI_USAGE_OVER_H

#include "cli/cli.h"
#include "lib/admin/holder_over.h"
#include "lib/core/contract.h"

/* tollgate usage --over: everybody who has used so much of a limit. `format` as usage.c has it;
 * 0 or an exit code, said. */
int usage_over(struct cli *cli, const struct setup *s, const struct holder_over_question *q,
               int format) TG_NONNULL(1, 2, 3);

#endif
