/* tollgate doctor: this node's ledger, read only. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/ledger_file.h"

#define DOUBTFUL_SHOWN 5

static bool query_fails(struct doctor *d, sqlite3 *db)
{
    doctor_say(d, DOCTOR_FAIL, "ledger", "%s/ledger.db: %s", d->cli->settings->state_dir,
               sqlite3_errmsg(db));
    doctor_mend(d,
                "stop tollgated; restore the file from a backup, or `sqlite3 ledger.db .recover'");
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

static void list_doubtful(const struct doctor *d, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;

    (void)d;
    if (sqlite3_prepare_v2(db,
                           "SELECT number, queue_id, time_ms FROM doubtful ORDER BY number DESC "
                           "LIMIT ?1",
                           -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_int(st, 1, DOUBTFUL_SHOWN) == SQLITE_OK) {
        while (sqlite3_step(st) == SQLITE_ROW) {
            time_t t = (time_t)(sqlite3_column_int64(st, 2) / 1000);
            const unsigned char *id = sqlite3_column_text(st, 1);
            char text[64] = "time unknown";
            struct tm tm;

            if (t > 0 && localtime_r(&t, &tm) != NULL)
                (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
            (void)printf("      record %" PRId64 ", queue id %s, %s\n",
                         (int64_t)sqlite3_column_int64(st, 0),
                         id != NULL && id[0] != '\0' ? (const char *)id : "unknown", text);
        }
    }
    (void)sqlite3_finalize(st);
}

static void check_doubtful(struct doctor *d, sqlite3 *db)
{
    int64_t count;

    if (!query_number(d, db, "SELECT count(*) FROM doubtful", &count))
        return;
    if (count == 0) {
        doctor_say(d, DOCTOR_OK, "ledger", "no doubtful messages");
        return;
    }
    doctor_say(d, DOCTOR_WARN, "ledger",
               "%" PRId64 " message%s counted in a crash, and nobody knows whether the MTA heard "
               "that %s let through",
               count, count == 1 ? " was" : "s were", count == 1 ? "it was" : "they were");
    doctor_mend(d, "look for the queue ids in the mail log: one that qmgr does not name was not "
                   "queued, and is counted once too often");
    list_doubtful(d, db);
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
        doctor_mend(d, "tollgated's log names the key and the reason; it tries again by itself");
    } else {
        doctor_say(d, DOCTOR_OK, "ledger", "%" PRId64 " rows, %" PRId64 " wait for the store", rows,
                   waiting);
    }
}

static void check_sound(struct doctor *d, sqlite3 *db)
{
    int64_t schema;

    if (!query_number(d, db, "SELECT value FROM meta WHERE name = 'schema'", &schema))
        return;
    check_rows(d, db);
    check_doubtful(d, db);
}

void doctor_ledger(struct doctor *d)
{
    sqlite3 *db = NULL;
    struct buf path;

    buf_init(&path, 4096);
    buf_addf(&path, "%s/ledger.db", d->cli->settings->state_dir);
    if (path.failed || access(path.data, R_OK) != 0) {
        bool missing = errno == ENOENT;

        doctor_say(d, missing ? DOCTOR_FAIL : DOCTOR_WARN, "ledger", "%s: %s", path.data,
                   strerror(errno));
        doctor_mend(d, missing ? "tollgated makes it when it starts"
                               : "run `tollgate doctor' as root to see into it");
    } else if (ledger_file_open(path.data, &db) != SQLITE_OK) {
        (void)query_fails(d, db);
    } else {
        check_sound(d, db);
    }
    (void)sqlite3_close(db);
    buf_fini(&path);
}
