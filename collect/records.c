#include "collect/records.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/ledger/ledger_sql.h"

/* X(id, SQL): prepared once. */
#define RECORDS_STATEMENTS(X)                                                                      \
    X(REFUSALS, "SELECT id, time_ms, provider, relay, list, text, domain, greeting FROM refusals"  \
                " WHERE id >= ?1 ORDER BY id LIMIT ?2")                                            \
    X(ANOMALIES, "SELECT id, time_ms, hour_ms, domain, user, metric, value, usual, threshold,"     \
                 " recipients FROM anomalies WHERE id >= ?1 ORDER BY id LIMIT ?2")                 \
    X(LAST_REFUSAL, "SELECT max(id) FROM refusals")                                                \
    X(LAST_ANOMALY, "SELECT max(id) FROM anomalies")                                               \
    X(MARK, "SELECT value FROM facts WHERE name = ?1")                                             \
    X(MARK_SET, "INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")

enum records_statement {
#define X(id, sql) STATEMENT_##id,
    RECORDS_STATEMENTS(X)
#undef X
        STATEMENTS
};

struct records {
    struct ledger *ledger;
    sqlite3_stmt *statements[STATEMENTS];
};

void records_free(struct records *r)
{
    if (r == NULL)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(r->statements[i]);
    free(r);
}

struct records *records_new(struct collect_db *db, struct err *err)
{
    static const char *const sql[STATEMENTS] = {
#define X(id, sql) sql,
        RECORDS_STATEMENTS(X)
#undef X
    };
    struct records *r = calloc(1, sizeof *r);

    if (r == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    r->ledger = collect_db_ledger(db);
    if (ledger_prepare(r->ledger, STATEMENTS, sql, r->statements, err) == 0)
        return r;
    records_free(r);
    return NULL;
}

int records_last(struct records *r, enum records_list list, int64_t *id, struct err *err)
{
    int which = list == RECORDS_REFUSALS ? STATEMENT_LAST_REFUSAL : STATEMENT_LAST_ANOMALY;

    return ledger_number(r->ledger, r->statements[which], 0, id, err);
}

/* --- rows --------------------------------------------------------------------------------------
 */

static int refusal_take(sqlite3_stmt *st, records_take *take, void *context, struct err *err)
{
    const struct refusal refusal = {.time_ms = sqlite3_column_int64(st, 1),
                                    .provider = ledger_text(st, 2),
                                    .relay = ledger_text(st, 3),
                                    .list = ledger_text(st, 4),
                                    .text = ledger_text(st, 5),
                                    .domain = ledger_text(st, 6),
                                    .is_greeting = sqlite3_column_int(st, 7) != 0};

    return take(context, &(struct records_row){sqlite3_column_int64(st, 0), &refusal, NULL}, err);
}

static uint64_t number_at(sqlite3_stmt *st, int column)
{
    return (uint64_t)sqlite3_column_int64(st, column);
}

static int anomaly_take(sqlite3_stmt *st, records_take *take, void *context, struct err *err)
{
    int metric = sqlite3_column_int(st, 5);
    const struct anomaly anomaly = {.time_ms = sqlite3_column_int64(st, 1),
                                    .hour_ms = sqlite3_column_int64(st, 2),
                                    .subject = {ledger_text(st, 3), ledger_text(st, 4)},
                                    .metric = (enum activity_metric)metric,
                                    .value = number_at(st, 6),
                                    .usual = number_at(st, 7),
                                    .threshold = number_at(st, 8),
                                    .recipients = number_at(st, 9)};

    if (metric < 0 || metric >= ACTIVITY_METRICS) /* of a later version */
        return 0;
    return take(context, &(struct records_row){sqlite3_column_int64(st, 0), NULL, &anomaly}, err);
}

int records_read(struct records *r, enum records_list list, int64_t from_id, size_t limit,
                 records_take *take, void *context, struct err *err)
{
    bool refusals = list == RECORDS_REFUSALS;
    sqlite3_stmt *st = r->statements[refusals ? STATEMENT_REFUSALS : STATEMENT_ANOMALIES];
    int step = SQLITE_DONE, rc = 0;

    (void)sqlite3_bind_int64(st, 1, from_id);
    (void)sqlite3_bind_int64(st, 2, (int64_t)limit);
    while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
        rc = refusals ? refusal_take(st, take, context, err) : anomaly_take(st, take, context, err);
    if (rc == 0 && step != SQLITE_DONE)
        rc = ledger_fail(r->ledger, "reading refusals and anomalies", err);
    (void)sqlite3_reset(st);
    return rc < 0 ? -1 : 0;
}

/* --- marks -------------------------------------------------------------------------------------
 */

static struct slice mark_name(enum records_mark mark)
{
    static const char *const names[] = {"foreign_refusals", "foreign_anomalies", "anomalies_told",
                                        "anomalies_acted"};

    return slice_str(names[mark]);
}

int records_mark_get(struct records *r, enum records_mark mark, int64_t *id, struct err *err)
{
    sqlite3_stmt *st = r->statements[STATEMENT_MARK];

    ledger_bind(st, 1, mark_name(mark));
    return ledger_number(r->ledger, st, 0, id, err);
}

static int mark_write(struct records *r, enum records_mark mark, int64_t id, struct err *err)
{
    sqlite3_stmt *st = r->statements[STATEMENT_MARK_SET];

    ledger_bind(st, 1, mark_name(mark));
    (void)sqlite3_bind_int64(st, 2, id);
    return ledger_run(r->ledger, st, "noting what was done", err);
}

int records_mark_set(struct records *r, enum records_mark mark, int64_t id, struct err *err)
{
    int rc = ledger_begin(r->ledger, err);

    if (rc == 0)
        rc = mark_write(r, mark, id, err);
    if (rc == 0)
        rc = ledger_commit(r->ledger, err);
    if (rc < 0)
        ledger_rollback(r->ledger);
    return rc;
}

int records_copied(struct records *r, struct err *err)
{
    int64_t refusal, anomaly;

    if (records_last(r, RECORDS_REFUSALS, &refusal, err) < 0 ||
        records_last(r, RECORDS_ANOMALIES, &anomaly, err) < 0 ||
        mark_write(r, RECORDS_FOREIGN_REFUSALS, refusal, err) < 0)
        return -1;
    return mark_write(r, RECORDS_FOREIGN_ANOMALIES, anomaly, err);
}
