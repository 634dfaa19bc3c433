#include "lib/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ledger/ledger_changes.h"
#include "lib/ledger/ledger_held.h"
#include "lib/ledger/ledger_seal.h"
#include "lib/ledger/ledger_statement.h"
#include "lib/ledger/ledger_violations.h"

static const char schema_sql[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;" LEDGER_SHARES_SQL(
        "nodes") "CREATE TABLE rows (id INTEGER PRIMARY KEY, node INTEGER NOT NULL, account TEXT "
                 "NOT NULL,"
                 " kind TEXT NOT NULL, period TEXT NOT NULL, user TEXT NOT NULL, counters TEXT NOT "
                 "NULL,"
                 " number INTEGER NOT NULL, expires INTEGER NOT NULL, dirty INTEGER NOT NULL,"
                 " base TEXT, base_number INTEGER);"
                 "CREATE INDEX rows_base ON rows (id) WHERE base IS NOT NULL;"
                 "CREATE UNIQUE INDEX rows_key ON rows (account, kind, period, user, node);"
                 "CREATE INDEX rows_dirty ON rows (dirty) WHERE dirty > 0;"
                 "CREATE TABLE users (account TEXT NOT NULL, kind TEXT NOT NULL, period TEXT NOT "
                 "NULL,"
                 " count INTEGER NOT NULL, expires INTEGER NOT NULL,"
                 " PRIMARY KEY (account, kind, period)) WITHOUT ROWID;"
                 "CREATE TABLE doubtful (number INTEGER PRIMARY KEY, queue_id TEXT NOT NULL,"
                 " time_ms INTEGER NOT NULL);"
                 "CREATE TABLE peers (name TEXT PRIMARY KEY) WITHOUT ROWID;";

static const char *const statement_sql[STATEMENT_COUNT] = {
#define X(id, sql) sql,
    LEDGER_STATEMENTS(X)
#undef X
};

/* Where each number of struct ledger_meta stands. */
static const struct {
    const char *name;
    size_t offset;
} meta_fields[] = {
    {"segment", offsetof(struct ledger_meta, position.segment)},
    {"offset", offsetof(struct ledger_meta, position.offset)},
    {"number", offsetof(struct ledger_meta, position.number)},
    {"latest_ms", offsetof(struct ledger_meta, latest_ms)},
    {"counted_through", offsetof(struct ledger_meta, counted_through)},
    {"pushed_through", offsetof(struct ledger_meta, pushed_through)},
    {"stamp_tried", offsetof(struct ledger_meta, stamp_tried)},
    {"stamp", offsetof(struct ledger_meta, stamp)},
    {"claim_tried", offsetof(struct ledger_meta, claim_tried)},
    {"base", offsetof(struct ledger_meta, base)},
    {"since", offsetof(struct ledger_meta, since)},
    {"lacks_rows", offsetof(struct ledger_meta, lacks_rows)},
};

#define META_FIELDS (sizeof meta_fields / sizeof meta_fields[0])

/* The value of a query of one number that needs no prepared statement yet. */
static int query_number(struct ledger *l, const char *sql, int64_t *value, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc;

    if (sqlite3_prepare_v2(l->db, sql, -1, &st, NULL) != SQLITE_OK)
        return ledger_fail(l, "opening", err);
    rc = ledger_number(l, st, 0, value, err);
    (void)sqlite3_finalize(st);
    return rc;
}

/* SQLite makes its files with the mode of the first. */
static int file_make(struct ledger *l, struct err *err)
{
    int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set(err, EX_CANTCREAT, "%s: %s", l->path, strerror(errno));
    (void)close(fd);
    return 0;
}

static int file_open(struct ledger *l, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

    if (file_make(l, err) < 0)
        return -1;
    if (sqlite3_open_v2(l->path, &l->db, flags, NULL) != SQLITE_OK)
        return ledger_fail(l, "opening", err);
    (void)sqlite3_busy_timeout(l->db, 5000);
    return ledger_execute(l,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                          "PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;",
                          "opening", err);
}

static int schema_make(struct ledger *l, struct err *err)
{
    char sql[200], id[9];

    if (ledger_id_make(id, err) < 0)
        return -1;
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO meta VALUES ('schema', %d), ('ledger', '%s'); COMMIT;",
                   LEDGER_SCHEMA, id);
    if (ledger_execute(l, schema_sql, "making its tables", err) < 0)
        return -1;
    l->is_new = true;
    return ledger_execute(l, sql, "making its tables", err);
}

/* Schema 1 had one share for each name, of the file's id, and no runs. */
static const char schema_2_sql[] = "BEGIN IMMEDIATE;" LEDGER_SHARES_SQL(
    "nodes2") "INSERT INTO nodes2 (id, name, share, met) SELECT id, name,"
              " (SELECT value FROM meta WHERE name = 'ledger'),"
              " EXISTS (SELECT 1 FROM meta WHERE name = 'stamp' AND value > 0) FROM nodes;"
              "DROP TABLE nodes; ALTER TABLE nodes2 RENAME TO nodes;"
              "ALTER TABLE rows ADD COLUMN base TEXT; ALTER TABLE rows ADD COLUMN base_number "
              "INTEGER;"
              "CREATE INDEX rows_base ON rows (id) WHERE base IS NOT NULL;"
              "UPDATE meta SET value = 2 WHERE name = 'schema'; COMMIT;";

static int schema_check(struct ledger *l, struct err *err)
{
    int64_t tables, ours, schema;

    if (query_number(l, "SELECT count(*) FROM sqlite_master", &tables, err) < 0)
        return -1;
    if (tables == 0)
        return schema_make(l, err);
    if (query_number(l, "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'rows')", &ours,
                     err) < 0)
        return -1;
    if (ours != 2)
        return err_set(err, EX_DATAERR,
                       "%s: an SQLite file, but no ledger of Tollgate: move it away", l->path);
    if (query_number(l, "SELECT value FROM meta WHERE name = 'schema'", &schema, err) < 0)
        return -1;
    if (schema == 1)
        return ledger_execute(l, schema_2_sql, "bringing it to schema 2", err);
    if (schema != LEDGER_SCHEMA)
        return err_set(err, EX_DATAERR,
                       "%s: the ledger has schema %" PRId64 ", this version knows %d: install "
                       "the version that wrote it",
                       l->path, schema, LEDGER_SCHEMA);
    return 0;
}

static int statements_prepare(struct ledger *l, struct err *err)
{
    return ledger_prepare(l, STATEMENT_COUNT, statement_sql, l->statements, err);
}

static int id_read(struct ledger *l, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_META_GET];
    struct slice text = SLICE_NONE;
    int rc = 0, step;

    ledger_bind(st, 1, SLICE("ledger"));
    step = sqlite3_step(st);
    if (step == SQLITE_ROW)
        text = ledger_text(st, 0);
    else if (step != SQLITE_DONE)
        rc = ledger_fail(l, "reading its id", err);
    if (rc == 0 && text.len != sizeof l->id - 1)
        rc =
            err_set(err, EX_DATAERR, "%s: the ledger has no id: restore it from a backup", l->path);
    if (rc == 0)
        memcpy(l->id, text.ptr, text.len);
    (void)sqlite3_reset(st);
    return rc;
}

static int meta_read(struct ledger *l, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_META_GET];

    for (size_t i = 0; i < META_FIELDS; i++) {
        ledger_bind(st, 1, slice_str(meta_fields[i].name));
        if (ledger_number(l, st, 0, (int64_t *)((char *)&l->meta + meta_fields[i].offset), err) < 0)
            return -1;
    }
    return 0;
}

struct ledger *ledger_open(const char *path, const char *node, struct err *err)
{
    struct ledger *l = calloc(1, sizeof *l);

    if (l != NULL)
        l->path = strdup(path);
    if (l == NULL || l->path == NULL) {
        free(l);
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    if (file_open(l, err) < 0 || schema_check(l, err) < 0 || ledger_held_open(l, err) < 0 ||
        ledger_changes_open(l, err) < 0 || ledger_violations_open(l, err) < 0 ||
        ledger_seal_open(l, err) < 0 || statements_prepare(l, err) < 0 || id_read(l, err) < 0 ||
        meta_read(l, err) < 0 || ledger_shares_read(l, node, err) < 0 ||
        ledger_dirty_read(l, err) < 0) {
        ledger_close(l);
        return NULL;
    }
    return l;
}

void ledger_close(struct ledger *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(l->statements[i]);
    (void)sqlite3_close(l->db);
    ledger_shares_free(l);
    free(l->path);
    free(l);
}

const char *ledger_id(const struct ledger *l)
{
    return l->id;
}

bool ledger_is_new(const struct ledger *l)
{
    return l->is_new;
}

int ledger_zone_check(struct ledger *l, const char *zone, struct err *err)
{
    sqlite3_stmt *get = l->statements[STATEMENT_META_GET], *set = l->statements[STATEMENT_META_SET];
    int step, rc = 0;

    ledger_bind(get, 1, SLICE("timezone"));
    step = sqlite3_step(get);
    if (step == SQLITE_ROW && !slice_equal(ledger_text(get, 0), slice_str(zone)))
        rc = err_set(err, EX_CONFIG,
                     "%s has counted days and months in timezone \"%.*s\", and timezone is \"%s\" "
                     "now: set it back; or, to count in another zone from now on, set another "
                     "store.prefix and an empty state_dir",
                     l->path, SLICE_FMT(ledger_text(get, 0)), zone);
    else if (step != SQLITE_ROW && step != SQLITE_DONE)
        rc = ledger_fail(l, "reading its time zone", err);
    (void)sqlite3_reset(get);
    if (rc < 0 || step == SQLITE_ROW)
        return rc;
    ledger_bind(set, 1, SLICE("timezone"));
    ledger_bind(set, 2, slice_str(zone));
    return ledger_run(l, set, "noting its time zone", err);
}

int ledger_begin(struct ledger *l, struct err *err)
{
    l->meta_before = l->meta;
    l->dirty_rows_before = l->dirty_rows;
    return ledger_run(l, l->statements[STATEMENT_BEGIN], "beginning", err);
}

int ledger_commit(struct ledger *l, struct err *err)
{
    (void)sqlite3_reset(l->statements[STATEMENT_ROW_FIND]);
    return ledger_run(l, l->statements[STATEMENT_COMMIT], "committing", err);
}

void ledger_rollback(struct ledger *l)
{
    struct err ignored;

    (void)sqlite3_reset(l->statements[STATEMENT_ROW_FIND]);
    /* Some errors have rolled back already; then there is nothing to do. */
    if (!sqlite3_get_autocommit(l->db))
        TG_IGNORE(ledger_run(l, l->statements[STATEMENT_ROLLBACK], "rolling back", &ignored));
    l->meta = l->meta_before;
    l->dirty_rows = l->dirty_rows_before;
}

const struct ledger_meta *ledger_meta(const struct ledger *l)
{
    return &l->meta;
}

int ledger_meta_set(struct ledger *l, const struct ledger_meta *meta, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_META_SET];

    for (size_t i = 0; i < META_FIELDS; i++) {
        int64_t was, is;

        memcpy(&was, (const char *)&l->meta + meta_fields[i].offset, sizeof was);
        memcpy(&is, (const char *)meta + meta_fields[i].offset, sizeof is);
        if (was == is)
            continue;
        ledger_bind(st, 1, slice_str(meta_fields[i].name));
        (void)sqlite3_bind_int64(st, 2, is);
        if (ledger_run(l, st, "writing its position", err) < 0)
            return -1;
    }
    l->meta = *meta;
    return 0;
}

int ledger_durable(struct ledger *l, struct err *err)
{
    l->is_durable = true;
    return ledger_execute(l, "PRAGMA synchronous = FULL", "opening", err);
}

int ledger_in_doubt_add(struct ledger *l, const struct in_doubt *d, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_DOUBTFUL_ADD];

    (void)sqlite3_bind_int64(st, 1, (int64_t)d->number);
    ledger_bind(st, 2, d->queue_id);
    (void)sqlite3_bind_int64(st, 3, d->time_ms);
    if (ledger_run(l, st, "noting a message in doubt", err) < 0)
        return -1;
    return ledger_run(l, l->statements[STATEMENT_DOUBTFUL_PRUNE], "noting a message in doubt", err);
}

int ledger_peers_set(struct ledger *l, size_t count, const struct slice *names, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_PEER_ADD];

    if (ledger_run(l, l->statements[STATEMENT_PEERS_DROP], "noting the nodes", err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        ledger_bind(st, 1, names[i]);
        if (ledger_run(l, st, "noting the nodes", err) < 0)
            return -1;
    }
    return 0;
}

int ledger_peers(struct ledger *l, struct buf *names, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_PEERS];
    int rc, failed = 0;

    while (failed == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
        if (rc != SQLITE_ROW) {
            failed = ledger_fail(l, "reading the nodes", err);
            break;
        }
        if (names->len > 0)
            buf_add_char(names, ' ');
        buf_add(names, ledger_text(st, 0));
    }
    (void)sqlite3_reset(st);
    return failed;
}

int ledger_sync(struct ledger *l, struct err *err)
{
    int frames = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);

    if (rc == SQLITE_BUSY)
        return 0;
    if (rc != SQLITE_OK)
        return ledger_fail(l, "syncing", err);
    return frames == done;
}
