#ifndef TG_LEDGER_LEDGER_FILE_H
#define TG_LEDGER_LEDGER_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"

/*
 * This node's ledger, read only, beside a tollgated that may be running or not.
 */

/* STATE_DIR/ledger.db, opened so that nothing is left beside it. An SQLite code; *db is to be
 * closed in any case. */
int ledger_file_open(const char *path, sqlite3 **db);

/* The numbers of all messages that a crash left in doubt, ascending; the caller frees *numbers. -1:
 * the ledger cannot be read. */
int ledger_file_in_doubt(const char *state_dir, uint64_t **numbers, size_t *count) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

/* A message that a crash left in doubt. 1: the queue id is one, *time_s since when (0: not known);
 * 0: not, or there is no ledger here; -1: the ledger cannot be read; -2: not by this user. */
int ledger_file_is_doubtful(const char *state_dir, const char *queue_id, int64_t *time_s);

#endif
