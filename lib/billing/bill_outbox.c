#include "lib/billing/bill_outbox.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PATH_BYTES 1200
#define BUSY_MS    5000

static const char schema[] = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;"
                             "CREATE TABLE IF NOT EXISTS outbox (target TEXT NOT NULL,"
                             " id TEXT NOT NULL, amount INTEGER NOT NULL, state INTEGER NOT NULL,"
                             " PRIMARY KEY (target, id)) WITHOUT ROWID;";

struct bill_outbox {
    sqlite3 *db;
    sqlite3_stmt *get, *set;
    char path[PATH_BYTES];
};

static int failed(const struct bill_outbox *o, struct err *err)
{
    return err_set(err, EX_CANTCREAT, "%s: %s", o->path,
                   o->db != NULL ? sqlite3_errmsg(o->db) : "out of memory");
}

void bill_outbox_close(struct bill_outbox *o)
{
    if (o == NULL)
        return;
    (void)sqlite3_finalize(o->get);
    (void)sqlite3_finalize(o->set);
    (void)sqlite3_close(o->db);
    free(o);
}

/* Root writes for the account that the folder belongs to. */
static bool give(const char *path, const char *state_dir)
{
    struct stat st;

    return geteuid() != 0 || (stat(state_dir, &st) == 0 && chown(path, st.st_uid, st.st_gid) == 0);
}

struct bill_outbox *bill_outbox_open(const char *state_dir, struct err *err)
{
    struct bill_outbox *o = calloc(1, sizeof *o);

    if (o == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    (void)snprintf(o->path, sizeof o->path, "%s/periods/outbox.db", state_dir);
    if (sqlite3_open(o->path, &o->db) != SQLITE_OK ||
        sqlite3_busy_timeout(o->db, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(o->db, schema, NULL, NULL, NULL) != SQLITE_OK || !give(o->path, state_dir) ||
        sqlite3_prepare_v2(o->db, "SELECT state, amount FROM outbox WHERE target = ?1 AND id = ?2",
                           -1, &o->get, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(o->db,
                           "INSERT INTO outbox (target, id, amount, state) VALUES (?1, ?2, ?3, ?4)"
                           " ON CONFLICT DO UPDATE SET state = ?4",
                           -1, &o->set, NULL) != SQLITE_OK) {
        (void)failed(o, err);
        bill_outbox_close(o);
        return NULL;
    }
    return o;
}

static void bind(sqlite3_stmt *st, const char *target, const struct bill_item *item)
{
    (void)sqlite3_bind_text(st, 1, target, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(st, 2, item->id.ptr, (int)item->id.len, SQLITE_STATIC);
}

int bill_outbox_state(struct bill_outbox *o, const char *target, const struct bill_item *item,
                      enum bill_outbox_state *state, struct err *err)
{
    int code, result = 0;

    bind(o->get, target, item);
    code = sqlite3_step(o->get);
    *state =
        code == SQLITE_ROW ? (enum bill_outbox_state)sqlite3_column_int(o->get, 0) : OUTBOX_NEW;
    if (code == SQLITE_ROW && sqlite3_column_int64(o->get, 1) != item->amount)
        result = err_set(err, EX_DATAERR, "%s: %.*s went out as another amount", o->path,
                         SLICE_FMT(item->id));
    else if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = failed(o, err);
    (void)sqlite3_reset(o->get);
    return result;
}

static bool set_one(struct bill_outbox *o, const char *target, const struct bill_item *item,
                    enum bill_outbox_state state)
{
    int code;

    bind(o->set, target, item);
    (void)sqlite3_bind_int64(o->set, 3, item->amount);
    (void)sqlite3_bind_int(o->set, 4, (int)state);
    code = sqlite3_step(o->set);
    (void)sqlite3_reset(o->set);
    return code == SQLITE_DONE;
}

int bill_outbox_set(struct bill_outbox *o, const char *target, const struct bill_item *const *items,
                    size_t count, enum bill_outbox_state state, struct err *err)
{
    if (sqlite3_exec(o->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return failed(o, err);
    for (size_t i = 0; i < count; i++) {
        if (!set_one(o, target, items[i], state)) {
            (void)failed(o, err);
            (void)sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
            return -1;
        }
    }
    return sqlite3_exec(o->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(o, err);
}
