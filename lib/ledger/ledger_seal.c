#include "lib/ledger/ledger_seal.h"

#include <inttypes.h>

#include "lib/ledger/ledger_statement.h"

/* The bits of rows.final. */
#define FINAL       1
#define HAS_FORMERS 2

static const char formers_sql[] =
    "CREATE TABLE IF NOT EXISTS formers (row INTEGER NOT NULL, number INTEGER NOT NULL,"
    " counters TEXT NOT NULL, PRIMARY KEY (row, number)) WITHOUT ROWID;";

int ledger_seal_open(struct ledger *l, struct err *err)
{
    static const char column[] =
        "SELECT count(*) FROM pragma_table_info('rows') WHERE name = 'final'";
    sqlite3_stmt *st = NULL;
    int64_t is_there;
    int rc;

    if (sqlite3_prepare_v2(l->db, column, -1, &st, NULL) != SQLITE_OK)
        return ledger_fail(l, "opening", err);
    rc = ledger_number(l, st, 0, &is_there, err);
    (void)sqlite3_finalize(st);
    if (rc == 0 && is_there == 0)
        rc = ledger_execute(l, "ALTER TABLE rows ADD COLUMN final INTEGER NOT NULL DEFAULT 0",
                            "opening", err);
    return rc < 0 ? -1 : ledger_execute(l, formers_sql, "opening", err);
}

void ledger_seal_take(sqlite3_stmt *st, int column, struct row *out)
{
    int final = sqlite3_column_int(st, column);

    out->is_final = (final & FINAL) != 0;
    out->has_formers = (final & HAS_FORMERS) != 0;
}

int ledger_row_finish(struct ledger *l, int64_t id, uint64_t number, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_ROW_FINISH);

    (void)sqlite3_bind_int64(st, 1, id);
    (void)sqlite3_bind_int64(st, 2, (int64_t)number);
    return ledger_run(l, st, "finishing a row", err);
}

int ledger_former_add(struct ledger *l, int64_t id, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_FORMER_ADD);

    (void)sqlite3_bind_int64(st, 1, id);
    return ledger_run(l, st, "keeping what a row was", err);
}

int ledger_formers_delete(struct ledger *l, int64_t id, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_FORMERS_DELETE);

    (void)sqlite3_bind_int64(st, 1, id);
    return ledger_run(l, st, "deleting a row", err);
}

int ledger_formers(struct ledger *l, int64_t id, struct buf *text, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_FORMERS);
    int step, rc = 0;

    (void)sqlite3_bind_int64(st, 1, id);
    while (rc == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
        if (step != SQLITE_ROW)
            rc = ledger_fail(l, "reading what a row was", err);
        else
            buf_addf(text, "%" PRId64 " %.*s\n", (int64_t)sqlite3_column_int64(st, 0),
                     SLICE_FMT(ledger_text(st, 1)));
    }
    (void)sqlite3_reset(st);
    return rc;
}
