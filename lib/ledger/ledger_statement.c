#include "lib/ledger/ledger_statement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

int ledger_fail(struct ledger *l, const char *doing, struct err *err)
{
    int rc = l->db != NULL ? sqlite3_errcode(l->db) : SQLITE_NOMEM;
    const char *text = l->db != NULL ? sqlite3_errmsg(l->db) : "out of memory";

    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, EX_DATAERR,
                       "%s: the ledger is damaged (%s, while %s): stop the daemon and restore "
                       "the file from a backup, or use sqlite3's .recover",
                       l->path, text, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, EX_TEMPFAIL, "%s: locked by another process, while %s", l->path, doing);
    case SQLITE_FULL:
        return err_set(err, EX_IOERR, "%s: disk full, while %s: make room", l->path, doing);
    default:
        return err_set(err, EX_IOERR, "%s: %s, while %s", l->path, text, doing);
    }
}

sqlite3_stmt *ledger_statement(struct ledger *l, enum ledger_statement which)
{
    return l->statements[which];
}

sqlite3 *ledger_database(struct ledger *l)
{
    return l->db;
}

int ledger_execute(struct ledger *l, const char *sql, const char *doing, struct err *err)
{
    if (sqlite3_exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return ledger_fail(l, doing, err);
    return 0;
}

int ledger_prepare(struct ledger *l, size_t count, const char *const *sql,
                   sqlite3_stmt **statements, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(l->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i],
                               NULL) != SQLITE_OK)
            return ledger_fail(l, "opening", err);
    }
    return 0;
}

void ledger_bind(sqlite3_stmt *st, int at, struct slice text)
{
    (void)sqlite3_bind_text64(st, at, text.len > 0 ? text.ptr : "", text.len, SQLITE_STATIC,
                              SQLITE_UTF8);
}

void ledger_bind_bytes(sqlite3_stmt *st, int at, struct slice bytes)
{
    (void)sqlite3_bind_blob64(st, at, bytes.len > 0 ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

struct slice ledger_text(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    return (struct slice){text, (size_t)sqlite3_column_bytes(st, column)};
}

struct slice ledger_bytes(sqlite3_stmt *st, int column)
{
    const char *bytes = sqlite3_column_blob(st, column);

    return (struct slice){bytes, (size_t)sqlite3_column_bytes(st, column)};
}

int ledger_run(struct ledger *l, sqlite3_stmt *st, const char *doing, struct err *err)
{
    int rc = sqlite3_step(st), failed = 0;

    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        failed = ledger_fail(l, doing, err);
    (void)sqlite3_reset(st);
    return failed;
}

int ledger_number(struct ledger *l, sqlite3_stmt *st, int64_t missing, int64_t *value,
                  struct err *err)
{
    int rc = sqlite3_step(st), failed = 0;

    *value = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : missing;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        failed = ledger_fail(l, "reading", err);
    (void)sqlite3_reset(st);
    return failed;
}

int ledger_dirty_read(struct ledger *l, struct err *err)
{
    int64_t count;

    if (ledger_number(l, l->statements[STATEMENT_DIRTY_COUNT], 0, &count, err) < 0)
        return -1;
    l->dirty_rows = (uint64_t)count;
    return 0;
}

int ledger_id_make(char id[9], struct err *err)
{
    unsigned char random[4];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, EX_OSERR, "cannot get random bytes: %s", strerror(errno));
    (void)snprintf(id, 9, "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    return 0;
}
