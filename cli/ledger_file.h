#ifndef TG_CLI_LEDGER_FILE_H
#define TG_CLI_LEDGER_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * This node's ledger, read only, beside a tollgated that may be running or not.
 */

/* STATE_DIR/ledger.db, opened so that nothing is left beside it. An SQLite code; *db is to be
 * closed in any case. */
int ledger_file_open(const char *path, sqlite3 **db);

/* A message that a crash left in doubt. 1: the queue id is one, *time_s since when (0: not known);
 * 0: not, or there is no ledger here; -1: the ledger cannot be read; -2: not by this user. */
int ledger_file_is_doubtful(const char *state_dir, const char *queue_id, int64_t *time_s);

#endif
