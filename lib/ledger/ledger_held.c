#include "lib/ledger/ledger_held.h"

#include "lib/ledger/ledger_statement.h"

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS held (number INTEGER PRIMARY KEY, node INTEGER NOT NULL,"
    " queue_id TEXT NOT NULL, account TEXT NOT NULL, time_ms INTEGER NOT NULL,"
    " state INTEGER NOT NULL, gone INTEGER NOT NULL, released INTEGER NOT NULL, body BLOB,"
    " place TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX IF NOT EXISTS held_changed ON held (number) WHERE state IN (1, 2);"
    "CREATE INDEX IF NOT EXISTS held_account ON held (account, number) WHERE state < 2;"
    "CREATE INDEX IF NOT EXISTS held_queue_id ON held (queue_id);";

/* Version 0.1.0 did not know the queues. */
static bool has_place(struct ledger *l)
{
    return sqlite3_table_column_metadata(l->db, NULL, "held", "place", NULL, NULL, NULL, NULL,
                                         NULL) == SQLITE_OK;
}

int ledger_held_open(struct ledger *l, struct err *err)
{
    if (sqlite3_exec(l->db, schema_sql, NULL, NULL, NULL) != SQLITE_OK ||
        (!has_place(l) &&
         sqlite3_exec(l->db, "ALTER TABLE held ADD COLUMN place TEXT NOT NULL DEFAULT ''", NULL,
                      NULL, NULL) != SQLITE_OK))
        return ledger_fail(l, "creating the table of held messages", err);
    return 0;
}

int ledger_held_add(struct ledger *l, const struct held_row *row, struct slice body,
                    struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_HELD_ADD);
    int rc;

    (void)sqlite3_bind_int64(st, 1, (int64_t)row->number);
    (void)sqlite3_bind_int64(st, 2, l->shares[0].id);
    ledger_bind(st, 3, row->queue_id);
    ledger_bind(st, 4, row->account);
    (void)sqlite3_bind_int64(st, 5, row->time_ms);
    ledger_bind_bytes(st, 6, body);
    ledger_bind(st, 7, row->place);
    rc = ledger_run(l, st, "keeping a held message", err);
    (void)sqlite3_clear_bindings(st);
    return rc;
}

int ledger_held_body(struct ledger *l, uint64_t number, struct buf *body, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_HELD_BODY);
    int rc, found = 0;

    (void)sqlite3_bind_int64(st, 1, (int64_t)number);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        buf_add(body, ledger_bytes(st, 0));
        found = 1;
    } else if (rc != SQLITE_DONE) {
        found = ledger_fail(l, "reading a held message", err);
    }
    (void)sqlite3_reset(st);
    return found;
}

int ledger_held_place(struct ledger *l, uint64_t number, struct slice place, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_HELD_PLACE);
    int rc;

    (void)sqlite3_bind_int64(st, 1, (int64_t)number);
    ledger_bind(st, 2, place);
    rc = ledger_run(l, st, "noting the queue of a held message", err);
    (void)sqlite3_clear_bindings(st);
    return rc;
}

/* Where the MTA has reused the queue id for another message that is held now, Redis goes on
 * showing that message. */
int ledger_held_remove(struct ledger *l, uint64_t number, int64_t gone_s, bool released,
                       struct err *err)
{
    sqlite3_stmt *remove = ledger_statement(l, STATEMENT_HELD_REMOVE),
                 *drop = ledger_statement(l, STATEMENT_HELD_DROP_HIDDEN);

    (void)sqlite3_bind_int64(remove, 1, (int64_t)number);
    (void)sqlite3_bind_int64(remove, 2, gone_s);
    (void)sqlite3_bind_int(remove, 3, released);
    if (ledger_run(l, remove, "removing a held message", err) < 0)
        return -1;
    (void)sqlite3_bind_int64(drop, 1, (int64_t)number);
    return ledger_run(l, drop, "removing a held message", err);
}

void ledger_held_walk_start(struct ledger *l, enum held_walk which, uint64_t after, size_t limit)
{
    static const enum ledger_statement statements[] = {
        [HELD_WALK_ALL] = STATEMENT_HELD_WALK_ALL,
        [HELD_WALK_HELD] = STATEMENT_HELD_WALK_HELD,
        [HELD_WALK_CHANGED] = STATEMENT_HELD_WALK_CHANGED,
    };

    l->walk = ledger_statement(l, statements[which]);
    (void)sqlite3_bind_int64(l->walk, 1, (int64_t)after);
    (void)sqlite3_bind_int64(l->walk, 2, (int64_t)limit);
}

int ledger_held_walk_next(struct ledger *l, struct held_row *out, struct err *err)
{
    sqlite3_stmt *st = l->walk;
    int rc = sqlite3_step(st);

    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return ledger_fail(l, "reading held messages", err);
    *out = (struct held_row){.number = (uint64_t)sqlite3_column_int64(st, 0),
                             .node = ledger_text(st, 1),
                             .queue_id = ledger_text(st, 2),
                             .account = ledger_text(st, 3),
                             .time_ms = sqlite3_column_int64(st, 4),
                             .state = (enum held_state)sqlite3_column_int(st, 5)};
    return 1;
}

int ledger_held_mark(struct ledger *l, uint64_t number, enum held_state pushed, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_HELD_MARK);

    if (pushed != HELD_NEW && pushed != HELD_GONE)
        return 0;
    (void)sqlite3_bind_int64(st, 1, (int64_t)number);
    (void)sqlite3_bind_int(st, 2, (int)pushed);
    (void)sqlite3_bind_int(st, 3, pushed == HELD_NEW ? HELD_SHOWN : HELD_FORGOTTEN);
    return ledger_run(l, st, "marking a held message", err);
}

int ledger_held_prune(struct ledger *l, int64_t before_s, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_HELD_PRUNE);

    (void)sqlite3_bind_int64(st, 1, before_s);
    return ledger_run(l, st, "deleting held messages that are gone", err);
}
