#ifndef TG_COLLECT_CHECK_H
#define TG_COLLECT_CHECK_H

#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/* Faults of the logs in the settings, `file:line: what, and the fix` to `out` (may be NULL): logs
 * that are the same, or overlap, would count lines twice. Returns -1 with the first in *err; to be
 * called with the rights of the account that will read them. What is not there yet, or cannot be
 * read, is a warning. */
int check_logs(const struct settings *s, FILE *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
