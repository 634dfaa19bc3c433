#ifndef TG_CLI_VIOLATIONS_SUMMARY_H
#define TG_CLI_VIOLATIONS_SUMMARY_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/*
 * What limits would have stopped if enforced, and what they would have to be: from the observed
 * entries of the streams, and the counters observed_*; the `top` most frequent, 0: all. `format`: 0
 * table, 1 CSV, 2 JSON.
 */
int violations_summary(struct cli *cli, struct slice holder, const char *from, const char *to,
                       size_t top, int format) TG_NONNULL(1);

#endif
