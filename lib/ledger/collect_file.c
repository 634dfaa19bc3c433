#include "lib/ledger/collect_file.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/core/mail_trace.h"
#include "lib/ledger/ledger_file.h"

/* The collector's OPEN_MAIL and OPEN_GONE. */
#define KINDS "3, 9"

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

static int story_take(const struct collect_file_query *q, struct slice id, struct slice trace,
                      struct err *err)
{
    struct mail_trace_head head;
    struct mail_trace_reader r;

    if (mail_trace_open(&r, trace, &head, err) != 0)
        return 0;
    return q->take(q->context, &(struct collect_file_story){id, head.instance, trace}, err);
}

static int traces_take(struct collect_file *c, sqlite3_stmt *st, const struct collect_file_query *q,
                       struct err *err)
{
    int step, rc = 0;

    while (rc == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
        if (step != SQLITE_ROW)
            return fail(c, err);
        rc = story_take(q, bytes_of(st, 0), bytes_of(st, 1), err);
    }
    return rc;
}

static int ended_traces(struct collect_file *c, const struct collect_file_query *q, struct err *err)
{
    /* Each by its own index; all of them come in no order, which would have to be made. */
    static const char all[] = "SELECT queue_id, trace FROM messages WHERE last_ms >= ?1 AND "
                              "first_ms <= ?2",
                      one[] = "SELECT queue_id, trace FROM messages WHERE queue_id = ?3 AND "
                              "last_ms >= ?1 AND first_ms <= ?2 ORDER BY first_ms";
    const char *sql = q->queue_id.len > 0 ? one : all;
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

/* One that is in the queue, or just left it: its key is "INSTANCE ID", its bytes begin with the
 * length of the trace and the trace, which does not name the instance. */
static int open_trace_take(sqlite3_stmt *st, const struct collect_file_query *q, struct err *err)
{
    struct slice key = bytes_of(st, 0), bytes = bytes_of(st, 1);
    ptrdiff_t blank = slice_find_last(key, ' ');
    struct collect_file_story story = {.queue_id = slice_from(key, (size_t)(blank + 1))};
    uint64_t len;

    if ((q->queue_id.len > 0 && !slice_equal(story.queue_id, q->queue_id)) ||
        !slice_take_varint(&bytes, &len) || len > bytes.len ||
        !slice_take(&bytes, (size_t)len, &story.trace))
        return 0;
    story.instance = blank > 0 ? slice_to(key, (size_t)blank) : SLICE_NONE;
    return q->take(q->context, &story, err);
}

static int open_traces(struct collect_file *c, const struct collect_file_query *q, struct err *err)
{
    static const char sql[] = "SELECT key, bytes FROM open WHERE kind IN (" KINDS ") AND "
                              "touched_ms >= ?1 ORDER BY touched_ms";
    sqlite3_stmt *st = NULL;
    int step = SQLITE_DONE, rc = 0;

    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
        return fail(c, err);
    (void)sqlite3_bind_int64(st, 1, q->from_ms);
    while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
        rc = open_trace_take(st, q, err);
    if (rc == 0 && step != SQLITE_DONE)
        rc = fail(c, err);
    (void)sqlite3_finalize(st);
    return rc;
}

int collect_file_traces(struct collect_file *c, const struct collect_file_query *q, struct err *err)
{
    return ended_traces(c, q, err) < 0 ? -1 : open_traces(c, q, err);
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
