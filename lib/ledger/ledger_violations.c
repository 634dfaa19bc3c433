#include "lib/ledger/ledger_violations.h"

#include <sysexits.h>

#include "lib/ledger/ledger_statement.h"

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS violations (ms INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " holder TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (ms, seq)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS violations_holder ON violations (holder, ms, seq)";

int ledger_violations_open(struct ledger *l, struct err *err)
{
    if (sqlite3_exec(l->db, schema_sql, NULL, NULL, NULL) != SQLITE_OK)
        return ledger_fail(l, "creating the table of violations", err);
    return 0;
}

static int no_memory(const struct arena *arena, struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "more than %zu bytes of violations", arena->cap_bytes);
}

int ledger_violations_add(struct ledger *l, const struct ledger_violation *v, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_ADD);
    int rc;

    (void)sqlite3_bind_int64(st, 1, v->ms);
    (void)sqlite3_bind_int64(st, 2, v->seq);
    ledger_bind(st, 3, v->holder);
    ledger_bind_bytes(st, 4, v->body);
    rc = ledger_run(l, st, "keeping a violation", err);
    (void)sqlite3_clear_bindings(st);
    return rc;
}

int ledger_violations_prune(struct ledger *l, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_PRUNE);

    (void)sqlite3_bind_int64(st, 1, LEDGER_VIOLATIONS_MAX - 1);
    return ledger_run(l, st, "deleting old violations", err);
}

int ledger_violations_count(struct ledger *l, int64_t *count, struct err *err)
{
    return ledger_number(l, ledger_statement(l, STATEMENT_VIOLATION_COUNT), 0, count, err);
}

int ledger_violations_newest(struct ledger *l, int64_t *ms, int64_t *seq, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_NEWEST);
    int rc = sqlite3_step(st), result = 0;

    *ms = *seq = 0;
    if (rc == SQLITE_ROW) {
        *ms = sqlite3_column_int64(st, 0);
        *seq = sqlite3_column_int64(st, 1);
    } else if (rc != SQLITE_DONE) {
        result = ledger_fail(l, "reading violations", err);
    }
    (void)sqlite3_reset(st);
    return result;
}

static int rows_take(struct ledger *l, sqlite3_stmt *st, size_t limit, struct arena *arena,
                     struct ledger_violation **list, size_t *count, struct err *err)
{
    int rc = SQLITE_DONE, result = 0;

    *count = 0;
    *list = arena_array(arena, limit + 1, sizeof **list);
    if (*list == NULL)
        return no_memory(arena, err);
    (void)sqlite3_bind_int64(st, 1, (int64_t)limit);
    while (result == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct ledger_violation *v = &(*list)[(*count)++];

        v->ms = sqlite3_column_int64(st, 0);
        v->seq = sqlite3_column_int64(st, 1);
        v->body = arena_copy(arena, ledger_bytes(st, 2));
        if (v->body.ptr == NULL)
            result = no_memory(arena, err);
    }
    if (result == 0 && rc != SQLITE_DONE)
        result = ledger_fail(l, "reading violations", err);
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return result;
}

int ledger_violations_of(struct ledger *l, struct slice holder, size_t limit, struct arena *arena,
                         struct ledger_violation **list, size_t *count, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_OF_HOLDER);

    ledger_bind(st, 2, holder);
    return rows_take(l, st, limit, arena, list, count, err);
}

int ledger_violations_after(struct ledger *l, int64_t ms, int64_t seq, size_t limit,
                            struct arena *arena, struct ledger_violation **list, size_t *count,
                            struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_AFTER);

    (void)sqlite3_bind_int64(st, 2, ms);
    (void)sqlite3_bind_int64(st, 3, seq);
    return rows_take(l, st, limit, arena, list, count, err);
}

int ledger_violations_holder(struct ledger *l, struct slice after, struct arena *arena,
                             struct slice *holder, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_VIOLATION_HOLDER);
    int rc, result = 0;

    ledger_bind(st, 1, after);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *holder = arena_copy(arena, ledger_text(st, 0));
        result = holder->ptr != NULL ? 1 : no_memory(arena, err);
    } else if (rc != SQLITE_DONE) {
        result = ledger_fail(l, "reading violations", err);
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return result;
}
