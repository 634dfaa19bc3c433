#include "collect/collect_db.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/ledger/ledger_recover.h"
#include "lib/ledger/ledger_sql.h"

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS sources (name TEXT PRIMARY KEY, from_ms INTEGER NOT NULL,"
    " to_ms INTEGER NOT NULL, position BLOB NOT NULL, reader BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS open (kind INTEGER NOT NULL, key BLOB NOT NULL,"
    " touched_ms INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS gaps (number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT "
    "NULL,"
    " from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, lost INTEGER NOT NULL,"
    " reason TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " queue_id TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    " trace BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS messages_queue_id ON messages (queue_id);"
    "CREATE INDEX IF NOT EXISTS messages_last ON messages (last_ms);"
    "CREATE TABLE IF NOT EXISTS refusals (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ms INTEGER NOT NULL, provider TEXT NOT NULL, relay TEXT NOT NULL, list TEXT NOT NULL,"
    " text TEXT NOT NULL, domain TEXT NOT NULL, greeting INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS refusals_time ON refusals (time_ms);"
    "CREATE TABLE IF NOT EXISTS anomalies (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ms INTEGER NOT NULL, hour_ms INTEGER NOT NULL, domain TEXT NOT NULL, user TEXT NOT NULL,"
    " metric INTEGER NOT NULL, value INTEGER NOT NULL, usual INTEGER NOT NULL,"
    " threshold INTEGER NOT NULL, recipients INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS anomalies_time ON anomalies (time_ms);"
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT "
    "ROWID;"
    "INSERT OR IGNORE INTO facts VALUES ('lines', 0), ('lost_ends', 0), ('message_bytes', 0),"
    " ('signs', 0);";

#define PRUNE_AT_ONCE "1000"
#define TEXT_BYTES    ((size_t)1 << 20)

/* X(id, SQL): prepared once, at opening. */
#define COLLECT_DB_STATEMENTS(X)                                                                   \
    X(SOURCE_SET, "INSERT OR REPLACE INTO sources (name, from_ms, to_ms, position, reader)"        \
                  " VALUES (?1, ?2, ?3, ?4, ?5)")                                                  \
    X(SOURCE, "SELECT from_ms, to_ms, position, reader FROM sources WHERE name = ?1")              \
    X(SOURCE_NAMES, "SELECT name FROM sources WHERE name > ?1 ORDER BY name LIMIT 1")              \
    X(SOURCE_DROP, "DELETE FROM sources WHERE name = ?1")                                          \
    X(SOURCE_COVER, "SELECT max(from_ms), min(to_ms) FROM sources")                                \
    X(OPEN_SET, "INSERT OR REPLACE INTO open (kind, key, touched_ms, bytes)"                       \
                " VALUES (?1, ?2, ?3, ?4)")                                                        \
    X(OPEN_DROP, "DELETE FROM open WHERE kind = ?1 AND key = ?2")                                  \
    X(OPEN_ALL, "SELECT kind, key, touched_ms, bytes FROM open ORDER BY touched_ms")               \
    X(OPEN_FORGET, "DELETE FROM open")                                                             \
    X(GAP_ADD, "INSERT INTO gaps (source, from_ms, to_ms, lost, reason)"                           \
               " VALUES (?1, ?2, ?3, ?4, ?5)")                                                     \
    X(GAP_END, "UPDATE gaps SET to_ms = max(?2, from_ms) WHERE number = ?1")                       \
    X(GAP_COUNT, "SELECT count(*), max(number) FROM gaps")                                         \
    X(GAPS, "SELECT number, source, from_ms, to_ms, lost, reason FROM gaps WHERE number >= ?1"     \
            " ORDER BY number LIMIT ?2")                                                           \
    X(GAP_PRUNE, "DELETE FROM gaps WHERE number IN (SELECT number FROM gaps WHERE to_ms < ?1"      \
                 " LIMIT " PRUNE_AT_ONCE ")")                                                      \
    X(MESSAGE_ADD, "INSERT INTO messages (queue_id, first_ms, last_ms, trace)"                     \
                   " VALUES (?1, ?2, ?3, ?4)")                                                     \
    X(MESSAGE_OLD, "SELECT id, length(trace) FROM messages WHERE last_ms < ?1"                     \
                   " ORDER BY last_ms LIMIT " PRUNE_AT_ONCE)                                       \
    X(MESSAGE_DROP, "DELETE FROM messages WHERE id = ?1")                                          \
    X(REFUSAL_ADD, "INSERT INTO refusals (time_ms, provider, relay, list, text, domain, greeting)" \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                         \
    X(REFUSAL_PRUNE, "DELETE FROM refusals WHERE id IN (SELECT id FROM refusals"                   \
                     " WHERE time_ms < ?1 ORDER BY time_ms LIMIT " PRUNE_AT_ONCE ")")              \
    X(ANOMALY_ADD, "INSERT INTO anomalies (time_ms, hour_ms, domain, user, metric, value, usual,"  \
                   " threshold, recipients) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")          \
    X(ANOMALY_PRUNE, "DELETE FROM anomalies WHERE id IN (SELECT id FROM anomalies"                 \
                     " WHERE time_ms < ?1 ORDER BY time_ms LIMIT " PRUNE_AT_ONCE ")")              \
    X(FACT, "SELECT value FROM facts WHERE name = ?1")                                             \
    X(FACT_SET, "UPDATE facts SET value = ?2 WHERE name = ?1")                                     \
    X(FACT_ADD, "UPDATE facts SET value = value + ?2 WHERE name = ?1")

enum collect_db_statement {
#define X(id, sql) DB_##id,
    COLLECT_DB_STATEMENTS(X)
#undef X
        DB_STATEMENTS
};

struct collect_db {
    struct ledger *ledger;
    sqlite3_stmt *statements[DB_STATEMENTS];
    struct buf position, reader; /* of the source read last */
    uint64_t gap_changes;
};

void collect_db_close(struct collect_db *db)
{
    if (db == NULL)
        return;
    for (int i = 0; i < DB_STATEMENTS; i++)
        (void)sqlite3_finalize(db->statements[i]);
    ledger_close(db->ledger);
    buf_fini(&db->position);
    buf_fini(&db->reader);
    free(db);
}

struct collect_db *collect_db_open(const char *dir, const char *node, struct err *err)
{
    static const char *const sql[DB_STATEMENTS] = {
#define X(id, sql) sql,
        COLLECT_DB_STATEMENTS(X)
#undef X
    };
    struct collect_db *db = calloc(1, sizeof *db);

    if (db == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    buf_init(&db->position, TEXT_BYTES);
    buf_init(&db->reader, TEXT_BYTES);
    db->ledger = ledger_place_open(dir, "collect", node, err);
    if (db->ledger != NULL && ledger_durable(db->ledger, err) == 0 &&
        ledger_execute(db->ledger, "PRAGMA cache_size = -2048", "opening", err) == 0 &&
        ledger_execute(db->ledger, schema_sql, "making its tables", err) == 0 &&
        ledger_prepare(db->ledger, DB_STATEMENTS, sql, db->statements, err) == 0)
        return db;
    collect_db_close(db);
    return NULL;
}

struct ledger *collect_db_ledger(struct collect_db *db)
{
    return db->ledger;
}

/* --- sources ---------------------------------------------------------------------------------- */

int collect_db_source_set(struct collect_db *db, const struct collect_source *s, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_SOURCE_SET];

    ledger_bind(st, 1, s->name);
    (void)sqlite3_bind_int64(st, 2, s->from_ms);
    (void)sqlite3_bind_int64(st, 3, s->to_ms);
    ledger_bind_bytes(st, 4, s->position);
    ledger_bind_bytes(st, 5, s->reader);
    return ledger_run(db->ledger, st, "writing a log's position", err);
}

int collect_db_source(struct collect_db *db, struct slice name, struct collect_source *out,
                      struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_SOURCE];
    int step, rc = 0;

    buf_reset(&db->position);
    buf_reset(&db->reader);
    ledger_bind(st, 1, name);
    step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        buf_add(&db->position, ledger_bytes(st, 2));
        buf_add(&db->reader, ledger_bytes(st, 3));
        *out = (struct collect_source){.name = name,
                                       .from_ms = sqlite3_column_int64(st, 0),
                                       .to_ms = sqlite3_column_int64(st, 1),
                                       .position = buf_slice(&db->position),
                                       .reader = buf_slice(&db->reader)};
        rc = 1;
    } else if (step != SQLITE_DONE) {
        rc = ledger_fail(db->ledger, "reading a log's position", err);
    }
    (void)sqlite3_reset(st);
    return rc;
}

static bool is_among(struct slice name, size_t count, const struct slice *names)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(names[i], name))
            return true;
    }
    return false;
}

int collect_db_sources_keep(struct collect_db *db, size_t count, const struct slice *names,
                            struct err *err)
{
    sqlite3_stmt *next = db->statements[DB_SOURCE_NAMES], *drop = db->statements[DB_SOURCE_DROP];
    struct buf name;
    int step, rc = 0;

    buf_init(&name, TEXT_BYTES);
    do {
        ledger_bind(next, 1, buf_slice(&name));
        step = sqlite3_step(next);
        buf_reset(&name);
        if (step == SQLITE_ROW)
            buf_add(&name, ledger_text(next, 0));
        else if (step != SQLITE_DONE)
            rc = ledger_fail(db->ledger, "reading the logs", err);
        (void)sqlite3_reset(next);
        if (step == SQLITE_ROW && !is_among(buf_slice(&name), count, names)) {
            ledger_bind(drop, 1, buf_slice(&name));
            rc = ledger_run(db->ledger, drop, "dropping a log", err);
        }
    } while (rc == 0 && step == SQLITE_ROW);
    buf_fini(&name);
    return rc;
}

/* --- what is open ------------------------------------------------------------------------------
 */

static int change_save(struct collect_db *db, const struct open_change *c, struct err *err)
{
    sqlite3_stmt *st = db->statements[c->is_gone ? DB_OPEN_DROP : DB_OPEN_SET];

    (void)sqlite3_bind_int(st, 1, (int)c->kind);
    ledger_bind_bytes(st, 2, c->key);
    if (!c->is_gone) {
        (void)sqlite3_bind_int64(st, 3, c->touched_ms);
        ledger_bind_bytes(st, 4, c->bytes);
    }
    return ledger_run(db->ledger, st, "saving what is open", err);
}

int collect_db_open_save(struct collect_db *db, struct open_book *book, struct err *err)
{
    struct open_entry *at = NULL;
    struct open_change change;
    int rc = 0, found;

    while (rc == 0 && (found = open_change_next(book, &at, &change)) != 0)
        rc = found < 0 ? err_set(err, EX_OSERR, "out of memory for what is open")
                       : change_save(db, &change, err);
    return rc;
}

int collect_db_open_load(struct collect_db *db, struct open_book *book, uint64_t *unreadable,
                         struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_OPEN_ALL];
    int step, rc = 0;

    *unreadable = 0;
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        int kind = sqlite3_column_int(st, 0);
        struct open_change saved = {.kind = (enum open_kind)kind,
                                    .key = ledger_bytes(st, 1),
                                    .touched_ms = sqlite3_column_int64(st, 2),
                                    .bytes = ledger_bytes(st, 3)};

        if (kind < 0 || kind >= OPEN_KINDS || !open_restore(book, &saved))
            ++*unreadable;
    }
    if (step != SQLITE_DONE)
        rc = ledger_fail(db->ledger, "reading what is open", err);
    (void)sqlite3_reset(st);
    return rc;
}

int collect_db_open_forget(struct collect_db *db, struct err *err)
{
    return ledger_run(db->ledger, db->statements[DB_OPEN_FORGET], "forgetting what is open", err);
}

/* --- gaps --------------------------------------------------------------------------------------
 */

int collect_db_gap_add(struct collect_db *db, const struct collect_gap *gap, int64_t *number,
                       struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_GAP_ADD];

    ledger_bind(st, 1, gap->source);
    (void)sqlite3_bind_int64(st, 2, gap->from_ms);
    (void)sqlite3_bind_int64(st, 3, gap->to_ms > gap->from_ms ? gap->to_ms : gap->from_ms);
    (void)sqlite3_bind_int64(st, 4, (int64_t)gap->lost);
    ledger_bind(st, 5, gap->reason);
    if (ledger_run(db->ledger, st, "noting a gap", err) < 0)
        return -1;
    db->gap_changes++;
    if (number != NULL)
        *number = sqlite3_last_insert_rowid(ledger_database(db->ledger));
    return 0;
}

int collect_db_gap_end(struct collect_db *db, int64_t number, int64_t to_ms, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_GAP_END];

    (void)sqlite3_bind_int64(st, 1, number);
    (void)sqlite3_bind_int64(st, 2, to_ms);
    db->gap_changes++;
    return ledger_run(db->ledger, st, "noting a gap", err);
}

int collect_db_gaps(struct collect_db *db, int64_t from_number, size_t limit,
                    int (*take)(void *context, const struct collect_gap *gap, struct err *err),
                    void *context, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_GAPS];
    int step = SQLITE_DONE, rc = 0;

    (void)sqlite3_bind_int64(st, 1, from_number);
    (void)sqlite3_bind_int64(st, 2, (int64_t)limit);
    while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
        rc = take(context,
                  &(struct collect_gap){.number = sqlite3_column_int64(st, 0),
                                        .source = ledger_text(st, 1),
                                        .from_ms = sqlite3_column_int64(st, 2),
                                        .to_ms = sqlite3_column_int64(st, 3),
                                        .lost = (uint64_t)sqlite3_column_int64(st, 4),
                                        .reason = ledger_text(st, 5)},
                  err);
    if (rc == 0 && step != SQLITE_DONE)
        rc = ledger_fail(db->ledger, "reading the gaps", err);
    (void)sqlite3_reset(st);
    return rc;
}

/* --- messages, refusals, anomalies --------------------------------------------------------------
 */

static int fact_add(struct collect_db *db, struct slice name, int64_t more, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_FACT_ADD];

    ledger_bind(st, 1, name);
    (void)sqlite3_bind_int64(st, 2, more);
    return ledger_run(db->ledger, st, "counting", err);
}

static int fact(struct collect_db *db, struct slice name, int64_t *value, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_FACT];

    ledger_bind(st, 1, name);
    return ledger_number(db->ledger, st, 0, value, err);
}

int collect_db_message_add(struct collect_db *db, struct slice queue_id, int64_t first_ms,
                           int64_t last_ms, struct slice trace, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_MESSAGE_ADD];

    ledger_bind(st, 1, queue_id);
    (void)sqlite3_bind_int64(st, 2, first_ms);
    (void)sqlite3_bind_int64(st, 3, last_ms);
    ledger_bind_bytes(st, 4, trace);
    if (ledger_run(db->ledger, st, "keeping a message", err) < 0)
        return -1;
    return fact_add(db, SLICE("message_bytes"), (int64_t)trace.len, err);
}

int collect_db_refusal_add(struct collect_db *db, const struct refusal *r, struct err *err)
{
    const struct slice texts[] = {r->provider, r->relay, r->list, r->text, r->domain};
    sqlite3_stmt *st = db->statements[DB_REFUSAL_ADD];

    (void)sqlite3_bind_int64(st, 1, r->time_ms);
    for (int i = 0; i < 5; i++)
        ledger_bind(st, i + 2, texts[i]);
    (void)sqlite3_bind_int(st, 7, r->is_greeting);
    return ledger_run(db->ledger, st, "keeping a refusal", err);
}

int collect_db_anomaly_add(struct collect_db *db, const struct anomaly *a, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_ANOMALY_ADD];

    (void)sqlite3_bind_int64(st, 1, a->time_ms);
    (void)sqlite3_bind_int64(st, 2, a->hour_ms);
    ledger_bind(st, 3, a->subject.domain);
    ledger_bind(st, 4, a->subject.user);
    (void)sqlite3_bind_int(st, 5, (int)a->metric);
    (void)sqlite3_bind_int64(st, 6, (int64_t)a->value);
    (void)sqlite3_bind_int64(st, 7, (int64_t)a->usual);
    (void)sqlite3_bind_int64(st, 8, (int64_t)a->threshold);
    (void)sqlite3_bind_int64(st, 9, (int64_t)a->recipients);
    return ledger_run(db->ledger, st, "keeping an anomaly", err);
}

int collect_db_signs_set(struct collect_db *db, uint64_t signs, struct err *err)
{
    sqlite3_stmt *st = db->statements[DB_FACT_SET];

    ledger_bind(st, 1, SLICE("signs"));
    (void)sqlite3_bind_int64(st, 2, (int64_t)signs);
    return ledger_run(db->ledger, st, "noting what the logs lack", err);
}

int collect_db_signs(struct collect_db *db, uint64_t *signs, struct err *err)
{
    int64_t value = 0;
    int rc = fact(db, SLICE("signs"), &value, err);

    *signs = (uint64_t)value;
    return rc;
}

int collect_db_lines_add(struct collect_db *db, uint64_t lines, struct err *err)
{
    return fact_add(db, SLICE("lines"), (int64_t)lines, err);
}

int collect_db_lost_ends_add(struct collect_db *db, uint64_t sessions, struct err *err)
{
    return sessions == 0 ? 0 : fact_add(db, SLICE("lost_ends"), (int64_t)sessions, err);
}

/* --- pruning -----------------------------------------------------------------------------------
 */

static int prune_by_time(struct collect_db *db, enum collect_db_statement which, int64_t before_ms,
                         struct err *err)
{
    sqlite3_stmt *st = db->statements[which];

    (void)sqlite3_bind_int64(st, 1, before_ms);
    return ledger_run(db->ledger, st, "pruning", err);
}

/* The oldest that are too old, or too many. */
static int messages_prune(struct collect_db *db, int64_t before_ms, struct err *err)
{
    sqlite3_stmt *old = db->statements[DB_MESSAGE_OLD], *drop = db->statements[DB_MESSAGE_DROP];
    int64_t bytes, dropped = 0;
    int step = SQLITE_DONE, rc = 0;

    if (fact(db, SLICE("message_bytes"), &bytes, err) < 0)
        return -1;
    (void)sqlite3_bind_int64(old, 1, bytes > COLLECT_DB_MESSAGES_BYTES ? INT64_MAX : before_ms);
    while (rc == 0 && (step = sqlite3_step(old)) == SQLITE_ROW) {
        (void)sqlite3_bind_int64(drop, 1, sqlite3_column_int64(old, 0));
        dropped += sqlite3_column_int64(old, 1);
        rc = ledger_run(db->ledger, drop, "pruning", err);
    }
    if (rc == 0 && step != SQLITE_DONE)
        rc = ledger_fail(db->ledger, "pruning", err);
    (void)sqlite3_reset(old);
    return rc < 0 || dropped == 0 ? rc : fact_add(db, SLICE("message_bytes"), -dropped, err);
}

int collect_db_prune(struct collect_db *db, int64_t now_ms, struct err *err)
{
    static const enum collect_db_statement records[] = {DB_GAP_PRUNE, DB_REFUSAL_PRUNE,
                                                        DB_ANOMALY_PRUNE};
    int rc = ledger_begin(db->ledger, err);

    if (rc == 0)
        rc = messages_prune(db, now_ms - COLLECT_DB_MESSAGES_KEPT_MS, err);
    for (size_t i = 0; rc == 0 && i < sizeof records / sizeof records[0]; i++)
        rc = prune_by_time(db, records[i], now_ms - COLLECT_DB_RECORDS_KEPT_MS, err);
    if (rc == 0)
        rc = ledger_commit(db->ledger, err);
    if (rc < 0)
        ledger_rollback(db->ledger);
    return rc;
}

/* --- totals ------------------------------------------------------------------------------------
 */

static int row_read(struct collect_db *db, enum collect_db_statement which, size_t count,
                    int64_t *values, struct err *err)
{
    sqlite3_stmt *st = db->statements[which];
    int step = sqlite3_step(st), rc = 0;

    for (size_t i = 0; i < count; i++)
        values[i] = step == SQLITE_ROW ? sqlite3_column_int64(st, (int)i) : 0;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        rc = ledger_fail(db->ledger, "reading", err);
    (void)sqlite3_reset(st);
    return rc;
}

int collect_db_totals(struct collect_db *db, struct collect_totals *out, struct err *err)
{
    int64_t lines, lost_ends, gaps[2], cover[2];

    if (fact(db, SLICE("lines"), &lines, err) < 0 ||
        fact(db, SLICE("lost_ends"), &lost_ends, err) < 0 ||
        row_read(db, DB_GAP_COUNT, 2, gaps, err) < 0 ||
        row_read(db, DB_SOURCE_COVER, 2, cover, err) < 0)
        return -1;
    *out = (struct collect_totals){.lines = (uint64_t)lines,
                                   .lost_ends = (uint64_t)lost_ends,
                                   .gaps = (uint64_t)gaps[0],
                                   .last_gap = gaps[1],
                                   .gap_changes = db->gap_changes,
                                   .from_ms = cover[0],
                                   .to_ms = cover[1]};
    return 0;
}
