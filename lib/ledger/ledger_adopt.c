#include "lib/ledger/ledger_adopt.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_share.h"
#include "lib/ledger/ledger_statement.h"

static int share_name(struct ledger *l, struct slice share_id, struct slice run, struct err *err)
{
    sqlite3_stmt *name = ledger_statement(l, STATEMENT_SHARE_NAME),
                 *add = ledger_statement(l, STATEMENT_RUN_ADD);

    (void)sqlite3_bind_int64(name, 1, l->shares[0].id);
    ledger_bind(name, 2, share_id);
    (void)sqlite3_bind_int64(name, 3,
                             LEDGER_ADOPT_SHARES); /* those that were left come before it */
    if (ledger_run(l, name, "naming its share", err) < 0)
        return -1;
    if (run.len == 0)
        return 0;
    ledger_bind(add, 1, run);
    (void)sqlite3_bind_int64(add, 2, 1);
    if (ledger_run(l, add, "noting a run", err) < 0)
        return -1;
    return ledger_run(l, ledger_statement(l, STATEMENT_RUN_MET), "noting a run", err);
}

int ledger_adopt_share(struct ledger *l, struct slice share_id, struct slice run, struct err *err)
{
    char *node = strdup(l->shares[0].name);
    int rc = node == NULL ? err_set(err, EX_OSERR, "out of memory") : 0;

    if (share_id.len != sizeof l->shares[0].share_id - 1)
        rc =
            err_set(err, EX_DATAERR, "%.*s is no id of a share", SLICE_FMT(slice_to(share_id, 40)));
    if (rc == 0)
        rc = share_name(l, share_id, run, err);
    if (rc == 0) {
        ledger_shares_free(l);
        rc = ledger_shares_read(l, node, err);
    }
    free(node);
    return rc;
}

static int share_find(struct ledger *l, struct slice share_id, int64_t *id, struct err *err)
{
    sqlite3_stmt *add = ledger_statement(l, STATEMENT_SHARE_ADD_OLD),
                 *find = ledger_statement(l, STATEMENT_SHARE_FIND);

    *id = l->shares[0].id;
    if (slice_equal(share_id, slice_str(l->shares[0].share_id)))
        return 0;
    ledger_bind(add, 1, slice_str(l->shares[0].name));
    ledger_bind(add, 2, share_id);
    (void)sqlite3_bind_int64(add, 3, LEDGER_ADOPT_SHARES);
    if (ledger_run(l, add, "adding a share", err) < 0)
        return -1;
    ledger_bind(find, 1, slice_str(l->shares[0].name));
    ledger_bind(find, 2, share_id);
    if (ledger_number(l, find, -1, id, err) < 0)
        return -1;
    return *id < 0 ? err_set(err, EX_DATAERR, "the node has too many shares") : 0;
}

int ledger_adopt_row(struct ledger *l, struct slice share_id, const struct row *row,
                     struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_ROW_ADOPT_NEW);
    int64_t share;

    if (share_find(l, share_id, &share, err) < 0)
        return -1;
    ledger_row_bind(st, &row->key);
    ledger_bind(st, 4, row->key.user);
    (void)sqlite3_bind_int64(st, 5, share);
    ledger_bind(st, 6, row->counters);
    (void)sqlite3_bind_int64(st, 7, (int64_t)row->number);
    (void)sqlite3_bind_int64(st, 8, row->expires_s);
    if (ledger_run(l, st, "adopting a row", err) < 0)
        return -1;
    if (sqlite3_changes(l->db) == 0)
        return 0;
    l->dirty_rows++;
    return 1;
}

int ledger_adopt_has_key(struct ledger *l, const struct row_key *key, struct err *err)
{
    struct row row;
    bool elsewhere;
    int rc = ledger_row_find(l, key, &row, &elsewhere, err);

    return rc < 0 ? -1 : rc == 1 || elsewhere;
}
