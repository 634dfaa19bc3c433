#ifndef TG_COLLECT_EXPLAIN_H
#define TG_COLLECT_EXPLAIN_H

#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * What the collector makes of lines, without counting them: --explain and --coverage. Neither
 * touches the ledger or Redis' figures; the hosted domains are those of the settings.
 *
 * Errors: EX_NOINPUT for a file that cannot be read; those of the sources.
 */

/* How each line of `in` is read, its shape, what it counts and for whom, and why not. */
int explain_lines(const struct settings *s, FILE *in, FILE *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);
/* Of a log file: the share of lines that are understood, by shape, and what the others are like,
 * with names, addresses and numbers blanked. */
int explain_coverage(const struct settings *s, const char *path, FILE *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
