#ifndef TG_LEDGER_MONTH_NAMES_H
#define TG_LEDGER_MONTH_NAMES_H

#include <stdbool.h>
#include <time.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The names that this node has counted for in a month: its accounts, and their users. After a
 * restart they keep their places among names that have bounds (lib/sys/name_quota).
 *
 * Threads: all; it reads over a connection of its own. Cost: a few index look-ups an account.
 * Errors: EX_NOINPUT (no ledger), EX_IOERR, EX_DATAERR (damaged).
 */

struct month_names_visitor {
    void (*account)(void *context, struct slice account);
    void (*user)(void *context, struct slice account, struct slice user); /* NULL: without users */
    void *context;
};

/* Calls the visitor for each name with a row in the month that holds `now`, of the ledger at
 * `path`. Slices live until the call returns. The node's own accounts and those that begin with "_"
 * are left out. */
int month_names_read(const char *path, time_t now, const struct month_names_visitor *v,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);

#endif
