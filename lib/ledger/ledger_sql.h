#ifndef TG_LEDGER_LEDGER_SQL_H
#define TG_LEDGER_LEDGER_SQL_H

#include <sqlite3.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"
#include "lib/ledger/ledger.h"

/*
 * For tables of a program's own in the ledger's file: what is written to them between ledger_begin
 * and ledger_commit changes in one transaction with the rows. The ledger knows nothing of them; no
 * name of a table of its own may be used.
 *
 * Owner: the caller finalizes its statements before ledger_close.  Threads: the ledger's.
 */

sqlite3 *ledger_database(struct ledger *l) TG_NONNULL(1);
/* SQL that gives no rows: tables to be made where they are missing. `doing` is for the message. */
int ledger_execute(struct ledger *l, const char *sql, const char *doing,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* All of them, or -1 with those prepared that came before. */
int ledger_prepare(struct ledger *l, size_t count, const char *const *sql,
                   sqlite3_stmt **statements, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* *err from SQLite's last error, with the fix; returns -1. */
int ledger_fail(struct ledger *l, const char *doing, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The text must live until the statement was stepped. */
void ledger_bind(sqlite3_stmt *st, int at, struct slice text);
void ledger_bind_bytes(sqlite3_stmt *st, int at, struct slice bytes);
struct slice ledger_text(sqlite3_stmt *st, int column);
struct slice ledger_bytes(sqlite3_stmt *st, int column);
/* Steps a statement that gives no rows, and resets it. */
int ledger_run(struct ledger *l, sqlite3_stmt *st, const char *doing, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The first column of its first row, or `missing`; resets it. */
int ledger_number(struct ledger *l, sqlite3_stmt *st, int64_t missing, int64_t *value,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
