#include "lib/ledger/ledger_changes.h"

#include <sysexits.h>

#include "lib/ledger/ledger_statement.h"

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS changes (holder TEXT NOT NULL, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (holder, name)) WITHOUT ROWID";

int ledger_changes_open(struct ledger *l, struct err *err)
{
    if (sqlite3_exec(l->db, schema_sql, NULL, NULL, NULL) != SQLITE_OK)
        return ledger_fail(l, "creating the table of changes at run time", err);
    return 0;
}

static int no_memory(const struct arena *arena, struct err *err)
{
    return err_set(err, EX_TEMPFAIL, "more than %zu bytes of changes at run time",
                   arena->cap_bytes);
}

static bool change_take(sqlite3_stmt *st, struct slice holder, struct arena *arena,
                        struct ledger_change *c)
{
    *c = (struct ledger_change){.holder = holder,
                                .name = arena_copy(arena, ledger_text(st, 0)),
                                .version = sqlite3_column_int64(st, 1),
                                .value = arena_copy(arena, ledger_text(st, 2))};
    return c->name.ptr != NULL && c->value.ptr != NULL;
}

int ledger_changes_of(struct ledger *l, struct slice holder, struct arena *arena,
                      struct ledger_change **list, size_t *count, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_CHANGES_OF);
    size_t room = 0;
    int rc, result = 0;

    *list = NULL;
    *count = 0;
    ledger_bind(st, 1, holder);
    while (result == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
        struct ledger_change *grown =
            rc == SQLITE_ROW ? arena_grow(arena, *list, *count, &room, sizeof *grown) : NULL;

        if (rc != SQLITE_ROW) {
            result = ledger_fail(l, "reading changes at run time", err);
        } else if (grown == NULL || !change_take(st, holder, arena, &grown[*count])) {
            result = no_memory(arena, err);
        } else {
            *list = grown;
            ++*count;
        }
    }
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return result;
}

int ledger_changes_holders(struct ledger *l, struct slice after, size_t limit, struct arena *arena,
                           struct slice **list, size_t *count, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_CHANGES_HOLDERS);
    int rc = SQLITE_DONE, result = 0;

    *count = 0;
    *list = arena_array(arena, limit, sizeof **list);
    if (*list == NULL)
        return no_memory(arena, err);
    ledger_bind(st, 1, after);
    (void)sqlite3_bind_int64(st, 2, (int64_t)limit);
    while (result == 0 && *count < limit && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        (*list)[*count] = arena_copy(arena, ledger_text(st, 0));
        if ((*list)[(*count)++].ptr == NULL)
            result = no_memory(arena, err);
    }
    if (result == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
        result = ledger_fail(l, "reading changes at run time", err);
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return result;
}

int ledger_changes_set(struct ledger *l, const struct ledger_change *c, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_CHANGES_SET);
    int rc;

    ledger_bind(st, 1, c->holder);
    ledger_bind(st, 2, c->name);
    (void)sqlite3_bind_int64(st, 3, c->version);
    ledger_bind(st, 4, c->value);
    rc = ledger_run(l, st, "keeping a change at run time", err);
    (void)sqlite3_clear_bindings(st);
    return rc;
}
