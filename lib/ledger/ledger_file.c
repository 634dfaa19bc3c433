#include "lib/ledger/ledger_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/buf.h"

#define BUSY_MS    2000
#define PATH_BYTES 16384

/* Without a write-ahead log it is opened as one that nobody changes: else SQLite would leave files
 * beside it. */
static void uri_of(const char *path, const char *option, struct buf *uri)
{
    buf_add_str(uri, "file:");
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr("%?#", *p) != NULL)
            buf_addf(uri, "%%%02x", (unsigned)*p);
        else
            buf_add_char(uri, *p);
    }
    buf_add_str(uri, option);
}

int ledger_file_open(const char *path, sqlite3 **db)
{
    struct buf name;
    int result;
    bool has_log;

    buf_init(&name, PATH_BYTES);
    buf_addf(&name, "%s-wal", path);
    has_log = access(name.data, F_OK) == 0;
    buf_reset(&name);
    uri_of(path, has_log ? "" : "?immutable=1", &name);
    result = sqlite3_open_v2(name.data, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (result == SQLITE_OK)
        (void)sqlite3_busy_timeout(*db, BUSY_MS);
    buf_fini(&name);
    return result;
}

static int find_doubtful(sqlite3 *db, const char *queue_id, int64_t *time_s)
{
    static const char sql[] = "SELECT time_ms FROM doubtful WHERE queue_id = ?1 "
                              "ORDER BY number DESC LIMIT 1";
    sqlite3_stmt *st = NULL;
    int found = -1, step;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_text(st, 1, queue_id, -1, SQLITE_STATIC) == SQLITE_OK) {
        step = sqlite3_step(st);
        found = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : -1;
    }
    if (found == 1)
        *time_s = sqlite3_column_int64(st, 0) / 1000;
    (void)sqlite3_finalize(st);
    return found;
}

int ledger_file_is_doubtful(const char *state_dir, const char *queue_id, int64_t *time_s)
{
    sqlite3 *db = NULL;
    struct buf path;
    int found;

    buf_init(&path, PATH_BYTES);
    buf_addf(&path, "%s/ledger.db", state_dir);
    if (access(path.data, R_OK) != 0)
        found = errno == ENOENT ? 0 : errno == EACCES ? -2 : -1;
    else
        found = ledger_file_open(path.data, &db) == SQLITE_OK ? find_doubtful(db, queue_id, time_s)
                                                              : -1;
    (void)sqlite3_close(db);
    buf_fini(&path);
    return found;
}

static int numbers_read(sqlite3_stmt *st, uint64_t **numbers, size_t *count)
{
    size_t room = 0;
    int step;

    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        if (*count == room) {
            uint64_t *grown =
                reallocarray(*numbers, room = room > 0 ? 2 * room : 64, sizeof *grown);

            if (grown == NULL)
                return -1;
            *numbers = grown;
        }
        (*numbers)[(*count)++] = (uint64_t)sqlite3_column_int64(st, 0);
    }
    return step == SQLITE_DONE ? 0 : -1;
}

int ledger_file_in_doubt(const char *state_dir, uint64_t **numbers, size_t *count)
{
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    struct buf path;
    int result = -1;

    *numbers = NULL;
    *count = 0;
    buf_init(&path, PATH_BYTES);
    buf_addf(&path, "%s/ledger.db", state_dir);
    if (ledger_file_open(path.data, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT number FROM doubtful ORDER BY number", -1, &st, NULL) ==
            SQLITE_OK)
        result = numbers_read(st, numbers, count);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    buf_fini(&path);
    return result;
}
