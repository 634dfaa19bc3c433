#include "cli/collect_file.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/ledger_file.h"
#include "lib/core/buf.h"

struct collect_file {
    sqlite3 *db;
    char path[4096];
};

static int fail(const struct collect_file *c, struct err *err)
{
    return err_set(err, EX_IOERR, "%s cannot be read: %s", c->path, sqlite3_errmsg(c->db));
}

void collect_file_close(struct collect_file *c)
{
    if (c == NULL)
        return;
    (void)sqlite3_close(c->db);
    free(c);
}

static int missing(const char *path, struct err *err)
{
    if (errno == EACCES)
        return err_set(err, EX_NOPERM, "cannot read %s: run this as root", path);
    return err_set(err, EX_NOINPUT, "%s: %s: tollgate-collect(8) has not run on this node", path,
                   strerror(errno));
}

struct collect_file *collect_file_open(const char *state_dir, struct err *err)
{
    struct collect_file *c = calloc(1, sizeof *c);
    int rc = -1;

    if (c == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    (void)snprintf(c->path, sizeof c->path, "%s/collect/collect.db", state_dir);
    if (access(c->path, R_OK) != 0)
        rc = missing(c->path, err);
    else
        rc = ledger_file_open(c->path, &c->db) == SQLITE_OK ? 0 : fail(c, err);
    if (rc == 0)
        return c;
    collect_file_close(c);
    return NULL;
}

static struct slice bytes_of(sqlite3_stmt *st, int column)
{
    const void *bytes = sqlite3_column_blob(st, column);

    return (struct slice){bytes, (size_t)sqlite3_column_bytes(st, column)};
}

/* --- stories ------------------------------------------------------------------------------------
 */

static int traces_take(struct collect_file *c, sqlite3_stmt *st, const struct collect_file_query *q,
                       struct err *err)
{
    int step, rc = 0;

    while (rc == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
        if (step != SQLITE_ROW)
            return fail(c, err);
        rc = q->take(q->context, bytes_of(st, 0), bytes_of(st, 1), err);
    }
    return rc;
}

int collect_file_traces(struct collect_file *c, const struct collect_file_query *q, struct err *err)
{
    static const char sql[] = "SELECT queue_id, trace FROM messages WHERE last_ms >= ?1 AND "
                              "first_ms <= ?2 AND (?3 = '' OR queue_id = ?3) ORDER BY first_ms";
    sqlite3_stmt *st = NULL;
    int rc;

    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
        return fail(c, err);
    (void)sqlite3_bind_int64(st, 1, q->from_ms);
    (void)sqlite3_bind_int64(st, 2, q->to_ms);
    (void)sqlite3_bind_text(st, 3, q->queue_id.len > 0 ? q->queue_id.ptr : "", (int)q->queue_id.len,
                            SQLITE_STATIC);
    rc = traces_take(c, st, q, err);
    (void)sqlite3_finalize(st);
    return rc;
}

/* --- what is covered ----------------------------------------------------------------------------
 */

int collect_file_gaps(struct collect_file *c,
                      int (*take)(void *context, int64_t from_ms, int64_t to_ms, struct err *err),
                      void *context, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int step = SQLITE_DONE, rc = 0;

    if (sqlite3_prepare_v2(c->db, "SELECT from_ms, to_ms FROM gaps", -1, &st, NULL) != SQLITE_OK)
        return fail(c, err);
    while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
        rc = take(context, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1), err);
    if (rc == 0 && step != SQLITE_DONE)
        rc = fail(c, err);
    (void)sqlite3_finalize(st);
    return rc;
}

int collect_file_cover(struct collect_file *c, int64_t *from_ms, int64_t *to_ms, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = -1;

    if (sqlite3_prepare_v2(c->db, "SELECT max(from_ms), min(to_ms) FROM sources", -1, &st, NULL) !=
            SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        (void)fail(c, err);
    } else {
        *from_ms = sqlite3_column_int64(st, 0);
        *to_ms = sqlite3_column_int64(st, 1);
        rc = 0;
    }
    (void)sqlite3_finalize(st);
    return rc;
}
