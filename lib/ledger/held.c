#include "lib/ledger/held.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_held.h"
#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"

#define PATH_SIZE 512
#define COLUMNS                                                                                    \
    "SELECT number, queue_id, account, time_ms, body, state, place FROM held"                      \
    " WHERE (state < 2 OR (released = 1 AND gone > ?4))"

enum statement { LIST_ALL, LIST_ACCOUNT, FIND, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [LIST_ALL] = COLUMNS " AND number > ?1 ORDER BY number LIMIT ?2",
    [LIST_ACCOUNT] = COLUMNS " AND account = ?3 AND number > ?1 ORDER BY number LIMIT ?2",
    [FIND] = COLUMNS " AND number = ?1",
};

MUTEX_NAME(held_lock)

struct held_messages {
    char path[PATH_SIZE];
    struct mutex lock; /* one reading at a time */
    sqlite3 *db MUTEX_GUARDS(held_lock);
    sqlite3_stmt *statements[STATEMENTS] MUTEX_GUARDS(held_lock);
};

static int fail(struct held_messages *h, struct err *err) TG_REQUIRES(held_lock)
{
    int code = sqlite3_errcode(h->db) & 0xff;

    return err_set(err,
                   code == SQLITE_CANTOPEN                           ? EX_NOINPUT
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? EX_DATAERR
                                                                     : EX_IOERR,
                   "%s: cannot read held messages: %s", h->path, sqlite3_errmsg(h->db));
}

static int db_open(struct held_messages *h, struct err *err) TG_REQUIRES(held_lock)
{
    if (sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return fail(h, err);
    (void)sqlite3_busy_timeout(h->db, 5000);
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(h->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &h->statements[i],
                               NULL) != SQLITE_OK)
            return fail(h, err);
    }
    return 0;
}

struct held_messages *held_open(const char *state_dir, struct err *err)
{
    struct held_messages *h = calloc(1, sizeof *h);
    int result;

    if (h == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    mutex_init(&h->lock);
    if (snprintf(h->path, sizeof h->path, "%s/ledger.db", state_dir) >= PATH_SIZE) {
        (void)err_set(err, EX_CONFIG, "state_dir is too long");
        held_close(h);
        return NULL;
    }
    held_lock_take(&h->lock);
    result = db_open(h, err);
    held_lock_give(&h->lock);
    if (result == 0)
        return h;
    held_close(h);
    return NULL;
}

void held_close(struct held_messages *h)
{
    if (h == NULL)
        return;
    held_lock_take(&h->lock);
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(h->statements[i]);
    (void)sqlite3_close(h->db);
    held_lock_give(&h->lock);
    mutex_fini(&h->lock);
    free(h);
}

static struct slice column(sqlite3_stmt *st, int at, struct arena *arena)
{
    const char *bytes = sqlite3_column_blob(st, at);

    return arena_copy(arena, (struct slice){bytes, (size_t)sqlite3_column_bytes(st, at)});
}

static int message_take(sqlite3_stmt *st, struct arena *arena, struct held_message *out,
                        struct err *err)
{
    struct slice body = column(st, 4, arena);

    *out = (struct held_message){.number = (uint64_t)sqlite3_column_int64(st, 0),
                                 .queue_id = column(st, 1, arena),
                                 .account = column(st, 2, arena),
                                 .place = column(st, 6, arena),
                                 .time_ms = sqlite3_column_int64(st, 3),
                                 .released = sqlite3_column_int(st, 5) >= HELD_GONE};
    if (body.ptr == NULL || out->queue_id.ptr == NULL || out->account.ptr == NULL ||
        out->place.ptr == NULL)
        return err_set(err, EX_TEMPFAIL, "more than %zu bytes of held messages", arena->cap_bytes);
    if (out->released)
        return 0;
    out->record.number = out->number;
    out->record.time_ms = out->time_ms;
    return record_decode(body, arena, &out->record, err);
}

/* All rows of a statement, which is reset. */
static int rows_take(struct held_messages *h, sqlite3_stmt *st, struct arena *arena,
                     struct held_message **list, size_t *count, struct err *err)
    TG_REQUIRES(held_lock)
{
    size_t room = 0;
    int rc, failed = 0;

    *list = NULL;
    *count = 0;
    (void)sqlite3_bind_int64(st, 4, clock_unix_ms() / 1000 - HELD_RELEASED_S);
    while (failed == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
        struct held_message *grown =
            rc == SQLITE_ROW ? arena_grow(arena, *list, *count, &room, sizeof *grown) : NULL;

        if (rc != SQLITE_ROW) {
            failed = fail(h, err);
        } else if (grown == NULL) {
            failed =
                err_set(err, EX_TEMPFAIL, "more than %zu bytes of held messages", arena->cap_bytes);
        } else {
            *list = grown;
            failed = message_take(st, arena, &grown[(*count)++], err);
        }
    }
    (void)sqlite3_reset(st);
    return failed;
}

int held_list(struct held_messages *h, struct slice account, uint64_t after, size_t limit,
              struct arena *arena, struct held_message **list, size_t *count, struct err *err)
{
    sqlite3_stmt *st;
    int rc;

    held_lock_take(&h->lock);
    st = h->statements[account.len > 0 ? LIST_ACCOUNT : LIST_ALL];
    (void)sqlite3_bind_int64(st, 1, (int64_t)after);
    (void)sqlite3_bind_int64(st, 2, (int64_t)limit);
    if (account.len > 0)
        (void)sqlite3_bind_text64(st, 3, account.ptr, account.len, SQLITE_STATIC, SQLITE_UTF8);
    rc = rows_take(h, st, arena, list, count, err);
    (void)sqlite3_clear_bindings(st);
    held_lock_give(&h->lock);
    return rc;
}

int held_find(struct held_messages *h, uint64_t number, struct arena *arena,
              struct held_message *out, struct err *err)
{
    struct held_message *list;
    sqlite3_stmt *st;
    size_t count;
    int rc;

    held_lock_take(&h->lock);
    st = h->statements[FIND];
    (void)sqlite3_bind_int64(st, 1, (int64_t)number);
    rc = rows_take(h, st, arena, &list, &count, err);
    held_lock_give(&h->lock);
    if (rc == 0 && count > 0)
        *out = list[0];
    return rc == 0 ? count > 0 : -1;
}
