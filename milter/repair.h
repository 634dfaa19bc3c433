#ifndef TG_MILTER_REPAIR_H
#define TG_MILTER_REPAIR_H

#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/*
 * tollgated --repair: makes state_dir one that tollgated can start with. Records of the journal
 * that are damaged or missing are given up (lib/sys/journal_repair), so that those behind them
 * count; a ledger that is gone is made again out of Redis and the journal (lib/ledger/adopt). A
 * ledger that is there is left alone: who says that it is lost moves it away.
 *
 * For a process that has the lock of state_dir and the account of tollgated. What was done is told,
 * a line each. Errors: EX_UNAVAILABLE without Redis, where it is needed; those of the parts.
 */

int repair_run(const struct settings *s, FILE *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
