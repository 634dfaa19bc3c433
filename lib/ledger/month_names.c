#include "lib/ledger/month_names.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"

#define ACCOUNT_BYTES 1024

/* The accounts one by one, because a scan of the index would pass all their periods. */
enum month_names_query { NEXT, HAS_MONTH, USERS, QUERIES };

static const char *const sql[QUERIES] = {
    [NEXT] = "SELECT account FROM rows WHERE account > ?1 ORDER BY account LIMIT 1",
    [HAS_MONTH] = ("SELECT 1 FROM rows WHERE account = ?1 AND kind = 'month' AND period = ?2"
                   " LIMIT 1"),
    [USERS] = "SELECT user FROM rows WHERE account = ?1 AND kind = 'users:month' AND period = ?2",
};

struct month_names {
    sqlite3 *db;
    sqlite3_stmt *statements[QUERIES];
    char period[PERIOD_TEXT];
    char account[ACCOUNT_BYTES];
    const struct month_names_visitor *visitor;
};

static int names_fail(struct month_names *n, const char *path, struct err *err)
{
    int code = sqlite3_errcode(n->db) & 0xff;

    return err_set(err,
                   code == SQLITE_CANTOPEN                           ? EX_NOINPUT
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? EX_DATAERR
                                                                     : EX_IOERR,
                   "%s: cannot read the names of this month: %s", path, sqlite3_errmsg(n->db));
}

static int names_open(struct month_names *n, const char *path)
{
    if (sqlite3_open_v2(path, &n->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return -1;
    (void)sqlite3_busy_timeout(n->db, 5000);
    for (int i = 0; i < QUERIES; i++) {
        if (sqlite3_prepare_v2(n->db, sql[i], -1, &n->statements[i], NULL) != SQLITE_OK)
            return -1;
    }
    return 0;
}

static void names_close(struct month_names *n)
{
    for (int i = 0; i < QUERIES; i++)
        (void)sqlite3_finalize(n->statements[i]);
    (void)sqlite3_close(n->db);
}

static int step(struct month_names *n, enum month_names_query which, bool begin)
{
    sqlite3_stmt *st = n->statements[which];

    if (begin) {
        (void)sqlite3_reset(st);
        (void)sqlite3_bind_text(st, 1, n->account, -1, SQLITE_STATIC);
        if (which != NEXT)
            (void)sqlite3_bind_text(st, 2, n->period, -1, SQLITE_STATIC);
    }
    return sqlite3_step(st);
}

static struct slice text_of(struct month_names *n, enum month_names_query which)
{
    return (struct slice){(const char *)sqlite3_column_text(n->statements[which], 0),
                          (size_t)sqlite3_column_bytes(n->statements[which], 0)};
}

/* SQLITE_DONE, or what went wrong. */
static int visit_account(struct month_names *n)
{
    const struct month_names_visitor *v = n->visitor;
    int rc;

    if (n->account[0] == '@' || n->account[0] == '_')
        return SQLITE_DONE;
    rc = step(n, HAS_MONTH, true);
    if (rc != SQLITE_ROW)
        return rc;
    v->account(v->context, slice_str(n->account));
    if (v->user == NULL)
        return SQLITE_DONE;
    for (rc = step(n, USERS, true); rc == SQLITE_ROW; rc = step(n, USERS, false))
        v->user(v->context, slice_str(n->account), text_of(n, USERS));
    return rc;
}

static int visit_all(struct month_names *n)
{
    int rc = SQLITE_DONE;

    while (rc == SQLITE_DONE) {
        rc = step(n, NEXT, true);
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE ? 0 : -1;
        if (text_of(n, NEXT).len >= sizeof n->account)
            return -1;
        (void)snprintf(n->account, sizeof n->account, "%.*s", SLICE_FMT(text_of(n, NEXT)));
        rc = visit_account(n);
    }
    return -1;
}

int month_names_read(const char *path, time_t now, const struct month_names_visitor *v,
                     struct err *err)
{
    struct month_names n = {.visitor = v};
    int result = 0;

    period_name(PERIOD_MONTH, now, n.period);
    if (names_open(&n, path) != 0 || visit_all(&n) != 0)
        result = names_fail(&n, path, err);
    names_close(&n);
    return result;
}
