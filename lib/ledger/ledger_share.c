#include "lib/ledger/ledger_share.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_statement.h"

#define COUNTERS_BYTES 65536

int ledger_share_adopt(struct ledger *l, int64_t row_id, struct slice counters, uint64_t number,
                       struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_ROW_ADOPT);

    (void)sqlite3_bind_int64(st, 1, row_id);
    ledger_bind(st, 2, counters);
    (void)sqlite3_bind_int64(st, 3, (int64_t)number);
    return ledger_run(l, st, "adopting a row", err);
}

/* --- leaving a share ------------------------------------------------------------------------- */

/* What a row has counted since its base goes to the new share, under the same key. */
static int difference_add(struct ledger *l, sqlite3_stmt *row, int64_t share, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_ROW_ADD);
    struct buf text;
    int rc;

    buf_init(&text, COUNTERS_BYTES);
    rc = amounts_difference(ledger_text(row, 5), ledger_text(row, 8), &text, err);
    for (int i = 1; i <= 4; i++)
        ledger_bind(st, i, ledger_text(row, i));
    (void)sqlite3_bind_int64(st, 5, share);
    ledger_bind(st, 6, buf_slice(&text));
    (void)sqlite3_bind_int64(st, 7, sqlite3_column_int64(row, 6));
    (void)sqlite3_bind_int64(st, 8, sqlite3_column_int64(row, 7));
    (void)sqlite3_bind_int(st, 9, 1);
    if (rc == 0)
        rc = ledger_run(l, st, "moving a row to the new share", err);
    buf_fini(&text);
    return rc;
}

static int base_leave(struct ledger *l, enum ledger_statement which, int64_t id, int64_t share,
                      struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, which);

    (void)sqlite3_bind_int64(st, 1, id);
    if (which == STATEMENT_BASE_MOVE)
        (void)sqlite3_bind_int64(st, 2, share);
    return ledger_run(l, st, "moving a row to the new share", err);
}

/* The rows that have a base, one by one; a row that is new since moves as it is. */
static int bases_move(struct ledger *l, int64_t share, struct err *err)
{
    sqlite3_stmt *row = ledger_statement(l, STATEMENT_BASE_NEXT);
    int step, rc = 0;

    while (rc == 0 && (step = sqlite3_step(row)) != SQLITE_DONE) {
        int64_t id = sqlite3_column_int64(row, 0), number = sqlite3_column_int64(row, 9);

        if (step != SQLITE_ROW)
            rc = ledger_fail(l, "reading rows", err);
        else if (number > 0)
            rc = difference_add(l, row, share, err);
        (void)sqlite3_reset(row);
        if (rc == 0)
            rc = base_leave(l, number > 0 ? STATEMENT_BASE_RESTORE : STATEMENT_BASE_MOVE, id, share,
                            err);
    }
    (void)sqlite3_reset(row);
    return rc;
}

/* A user's row goes, and with it the room that it took. */
static int user_drop(struct ledger *l, sqlite3_stmt *row, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_USERS_LESS);

    if (ledger_text(row, 4).len == 0)
        return 0;
    for (int i = 1; i <= 3; i++)
        ledger_bind(st, i, ledger_text(row, i));
    return ledger_run(l, st, "dropping a row", err);
}

/* The rows that have a base are what they were; those that are new since then go. */
static int bases_restore(struct ledger *l, struct err *err)
{
    sqlite3_stmt *row = ledger_statement(l, STATEMENT_BASE_NEXT);
    int step, rc = 0;

    while (rc == 0 && (step = sqlite3_step(row)) != SQLITE_DONE) {
        int64_t id = sqlite3_column_int64(row, 0), number = sqlite3_column_int64(row, 9);

        if (step != SQLITE_ROW)
            rc = ledger_fail(l, "reading rows", err);
        else if (number == 0)
            rc = user_drop(l, row, err);
        (void)sqlite3_reset(row);
        if (rc == 0)
            rc = number > 0 ? base_leave(l, STATEMENT_BASE_RESTORE, id, 0, err)
                            : base_leave(l, STATEMENT_ROW_DELETE, id, 0, err);
    }
    (void)sqlite3_reset(row);
    return rc;
}

static int share_begin(struct ledger *l, uint64_t claim, const struct ledger_resume *resume,
                       struct err *err)
{
    struct ledger_meta meta = l->meta;
    struct ledger_share_info left;
    char id[9];

    (void)ledger_share_at(l, 0, &left);
    left.claim = claim;
    meta.since = meta.base;
    if (ledger_share_set(l, 0, &left, err) < 0 || ledger_id_make(id, err) < 0 ||
        ledger_shares_add(l, left.node, id, err) < 0 || ledger_meta_set(l, &meta, err) < 0)
        return -1;
    if (resume == NULL)
        return bases_move(l, sqlite3_last_insert_rowid(l->db), err);
    return bases_restore(l, err) < 0 ? -1 : resume->resume(resume->context, err);
}

static int leave(struct ledger *l, uint64_t claim, const struct ledger_resume *resume,
                 struct err *err)
{
    char *node = strdup(l->shares[0].name);
    int rc = node == NULL ? err_set(err, EX_OSERR, "out of memory") : ledger_begin(l, err);

    if (rc == 0)
        rc = share_begin(l, claim, resume, err);
    if (rc == 0)
        rc = ledger_commit(l, err);
    if (rc < 0 && node != NULL)
        ledger_rollback(l);
    if (rc == 0) {
        ledger_shares_free(l);
        rc = ledger_shares_read(l, node, err);
    }
    free(node);
    return rc < 0 ? -1 : ledger_dirty_read(l, err);
}

int ledger_share_begin(struct ledger *l, uint64_t claim, struct err *err)
{
    return leave(l, claim, NULL, err);
}

int ledger_share_resume(struct ledger *l, uint64_t claim, const struct ledger_resume *resume,
                        struct err *err)
{
    return leave(l, claim, resume, err);
}

/* --- sources -----------------------------------------------------------------------------------
 */

#define SOURCE      "source"
#define SOURCE_BASE "source_base"

int ledger_source_set(struct ledger *l, struct slice text, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_META_SET);

    ledger_bind(st, 1, SLICE(SOURCE));
    ledger_bind(st, 2, text);
    return ledger_run(l, st, "writing its sources", err);
}

static int source_get(struct ledger *l, struct slice name, struct buf *text, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_META_GET);
    int step, rc = 0;

    ledger_bind(st, 1, name);
    step = sqlite3_step(st);
    if (step == SQLITE_ROW)
        buf_add(text, ledger_text(st, 0));
    else if (step != SQLITE_DONE)
        rc = ledger_fail(l, "reading its sources", err);
    (void)sqlite3_reset(st);
    return rc;
}

int ledger_source(struct ledger *l, struct buf *text, struct err *err)
{
    return source_get(l, SLICE(SOURCE), text, err);
}

int ledger_source_base(struct ledger *l, struct buf *text, struct err *err)
{
    return source_get(l, SLICE(SOURCE_BASE), text, err);
}

/* --- runs ------------------------------------------------------------------------------------ */

/* From record `number` on: what rows are now is their base. */
static int base_set(struct ledger *l, uint64_t number, struct err *err)
{
    struct ledger_meta meta = l->meta;

    meta.base = number;
    if (ledger_run(l, ledger_statement(l, STATEMENT_BASE_CLEAR), "setting a base", err) < 0)
        return -1;
    if (ledger_run(l, ledger_statement(l, STATEMENT_SOURCE_BASE), "setting a base", err) < 0)
        return -1;
    return ledger_meta_set(l, &meta, err);
}

/* A run that began above `number` had a journal that is gone, of which nothing was counted here:
 * the numbers from `number` on are given again, so no run before can have given them. */
static int runs_clip(struct ledger *l, uint64_t number, struct err *err)
{
    sqlite3_stmt *clip = ledger_statement(l, STATEMENT_RUN_CLIP);

    (void)sqlite3_bind_int64(clip, 1, (int64_t)number);
    return ledger_run(l, clip, "beginning a run", err) < 0 ? -1 : 0;
}

int ledger_run_begin(struct ledger *l, struct slice run, uint64_t number, struct err *err)
{
    sqlite3_stmt *add = ledger_statement(l, STATEMENT_RUN_ADD);
    int64_t unmet;

    if (runs_clip(l, number, err) < 0)
        return -1;
    if (ledger_number(l, ledger_statement(l, STATEMENT_RUN_UNMET), -1, &unmet, err) < 0)
        return -1;
    if ((unmet < 0 || number < l->meta.base) && base_set(l, number, err) < 0)
        return -1;
    l->is_met = false;
    l->run_from = unmet < 0 || number < (uint64_t)unmet ? number : (uint64_t)unmet;
    ledger_bind(add, 1, run);
    (void)sqlite3_bind_int64(add, 2, (int64_t)number); /* where the run before has ended */
    if (ledger_run(l, add, "beginning a run", err) < 0 ||
        ledger_run(l, ledger_statement(l, STATEMENT_RUN_PRUNE), "beginning a run", err) < 0)
        return -1;
    return ledger_sync(l, err) < 0 ? -1 : 0;
}

uint64_t ledger_run_from(const struct ledger *l)
{
    return l->run_from;
}

bool ledger_run_is_reached(const struct ledger *l)
{
    return l->run_from <= 1 || l->meta.position.number >= l->run_from;
}

int ledger_run_find(struct ledger *l, struct slice run, uint64_t *end, struct err *err)
{
    sqlite3_stmt *find = ledger_statement(l, STATEMENT_RUN_FIND),
                 *next = ledger_statement(l, STATEMENT_RUN_END);
    int64_t id, began;

    ledger_bind(find, 1, run);
    if (ledger_number(l, find, -1, &id, err) < 0)
        return -1;
    if (id < 0)
        return 0;
    (void)sqlite3_bind_int64(next, 1, id);
    if (ledger_number(l, next, INT64_MAX, &began, err) < 0)
        return -1;
    *end = (uint64_t)began;
    return 1;
}

int ledger_run_meet(struct ledger *l, struct err *err)
{
    int rc;

    if (l->is_met)
        return 0;
    if (ledger_execute(l, "PRAGMA synchronous = FULL", "noting a claim", err) < 0)
        return -1;
    rc = ledger_run(l, ledger_statement(l, STATEMENT_RUN_MET), "noting a claim", err);
    if (!l->is_durable &&
        ledger_execute(l, "PRAGMA synchronous = NORMAL", "noting a claim", err) < 0)
        rc = -1;
    l->is_met = rc == 0;
    return rc;
}

int ledger_run_met(struct ledger *l, struct err *err)
{
    return base_set(l, l->meta.position.number, err);
}
