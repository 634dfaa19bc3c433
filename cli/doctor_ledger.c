/* tollgate doctor: this node's ledger, read only. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "lib/ledger/ledger_file.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define IN_DOUBT_SHOWN 5

static bool query_fails(struct doctor *d, sqlite3 *db)
{
    doctor_say(d, DOCTOR_FAIL, "ledger", "%s/ledger.db: %s", d->cli->settings->state_dir,
               sqlite3_errmsg(db));
    doctor_fix(d,
               "stop tollgated, move the file away, and run `tollgated --repair', which makes it "
               "again of Redis and the journal");
    return true;
}

/* A single number; false after having said what is wrong. */
static bool query_number(struct doctor *d, sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *st = NULL;
    bool good = sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK;

    good = good && sqlite3_step(st) == SQLITE_ROW;
    if (good)
        *value = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return good || !query_fails(d, db);
}

static void list_in_doubt(const struct doctor *d, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(db,
                           "SELECT number, queue_id, time_ms FROM doubtful ORDER BY number DESC "
                           "LIMIT ?1",
                           -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_int(st, 1, IN_DOUBT_SHOWN) == SQLITE_OK) {
        while (sqlite3_step(st) == SQLITE_ROW) {
            time_t t = (time_t)(sqlite3_column_int64(st, 2) / 1000);
            const unsigned char *id = sqlite3_column_text(st, 1);
            char text[64] = "time unknown";
            struct tm tm;

            if (t > 0 && localtime_r(&t, &tm) != NULL)
                (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
            doctor_detail(d, "record %" PRId64 ", queue id %s, %s",
                          (int64_t)sqlite3_column_int64(st, 0),
                          id != NULL && id[0] != '\0' ? (const char *)id : "unknown", text);
        }
    }
    (void)sqlite3_finalize(st);
}

static void check_in_doubt(struct doctor *d, sqlite3 *db)
{
    int64_t count;

    if (!query_number(d, db, "SELECT count(*) FROM doubtful", &count))
        return;
    if (count == 0) {
        doctor_say(d, DOCTOR_OK, "ledger", "no messages in doubt");
        return;
    }
    doctor_say(d, DOCTOR_WARN, "ledger",
               "%" PRId64
               " message%s counted just before a crash; it is not known whether the mail "
               "server received the reply",
               count, count == 1 ? " was" : "s were");
    doctor_fix(d, "search the mail log for the queue ids: a message that qmgr does not mention was "
                  "not queued, and is counted once too often");
    list_in_doubt(d, db);
}

static void check_rows(struct doctor *d, sqlite3 *db)
{
    int64_t rows, waiting, refused;

    if (!query_number(d, db, "SELECT count(*) FROM rows", &rows) ||
        !query_number(d, db, "SELECT count(*) FROM rows WHERE dirty > 0", &waiting) ||
        !query_number(d, db, "SELECT count(*) FROM rows WHERE dirty = 2", &refused))
        return;
    if (refused > 0) {
        doctor_say(d, DOCTOR_FAIL, "ledger",
                   "%" PRId64 " of %" PRId64 " rows were refused by the store", refused, rows);
        doctor_fix(d, "see tollgated's log for the key and the reason; it retries by itself");
    } else {
        doctor_say(d, DOCTOR_OK, "ledger", "%" PRId64 " rows, %" PRId64 " not yet in the store",
                   rows, waiting);
    }
}

/* Which ledger reports to the store under this node's name; false: nothing is known of it. */
static bool reporting_ledger(struct doctor *d, struct slice *id)
{
    struct err err = {0};
    redisReply *reply;
    struct buf key;

    if (!d->store_is_there)
        return false;
    buf_init(&key, 1024);
    key_node(&key, d->cli->settings->store.prefix, d->cli->settings->node);
    reply = store_command(d->cli->store, 3,
                          (const struct slice[]){SLICE("HGET"), buf_slice(&key), SLICE("_ledger")},
                          READ_TIMEOUT_MS, &err);
    buf_fini(&key);
    if (reply == NULL)
        return false;
    *id = reply->type == REDIS_REPLY_STRING ? arena_copy(&d->arena, link_reply_text(reply))
                                            : SLICE_NONE;
    freeReplyObject(reply);
    return id->len > 0;
}

/* The hash of the node has one ledger that writes it. */
static void check_identity(struct doctor *d, sqlite3 *db)
{
    static const char sql[] = "SELECT share FROM nodes WHERE name = ?1 ORDER BY id DESC LIMIT 1";
    sqlite3_stmt *st = NULL;
    struct slice there;

    if (!reporting_ledger(d, &there))
        return;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_text(st, 1, d->cli->settings->node, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW &&
        !slice_equal(there, slice_str((const char *)sqlite3_column_text(st, 0)))) {
        doctor_say(d, DOCTOR_FAIL, "node",
                   "another ledger (%.*s, not %s) reports as %s: two nodes have the same name",
                   SLICE_FMT(there), (const char *)sqlite3_column_text(st, 0),
                   d->cli->settings->node);
        doctor_fix(d, "give each node a `node' name and a state_dir of its own, and restart both");
    }
    (void)sqlite3_finalize(st);
}

static void check_sound(struct doctor *d, sqlite3 *db)
{
    int64_t schema;

    if (!query_number(d, db, "SELECT value FROM meta WHERE name = 'schema'", &schema))
        return;
    check_rows(d, db);
    check_in_doubt(d, db);
    check_identity(d, db);
}

/* ledger.id outlives a ledger that is lost. */
static bool has_counted(const struct doctor *d)
{
    struct buf path;
    bool there;

    buf_init(&path, 4096);
    buf_addf(&path, "%s/ledger.id", d->cli->settings->state_dir);
    there = !path.failed && access(path.data, F_OK) == 0;
    buf_fini(&path);
    return there;
}

void doctor_ledger(struct doctor *d)
{
    sqlite3 *db = NULL;
    struct buf path;

    buf_init(&path, 4096);
    buf_addf(&path, "%s/ledger.db", d->cli->settings->state_dir);
    if (path.failed || access(path.data, R_OK) != 0) {
        bool missing = errno == ENOENT;

        doctor_say(d, missing ? DOCTOR_FAIL : DOCTOR_UNKNOWN, "ledger", "%s: %s", path.data,
                   strerror(errno));
        doctor_fix(d, !missing ? "run `tollgate doctor' as root, which may read it"
                      : has_counted(d)
                          ? "stop tollgated, and restore state_dir from a backup, or run "
                            "`tollgated --repair'"
                          : "start tollgated, which creates it");
    } else if (ledger_file_open(path.data, &db) != SQLITE_OK) {
        (void)query_fails(d, db);
    } else {
        check_sound(d, db);
    }
    (void)sqlite3_close(db);
    buf_fini(&path);
}
