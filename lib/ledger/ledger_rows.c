#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_seal.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/ledger_statement.h"

static const char *const kind_names[] = {"total", "month",       "day",
                                         "hour",  "users:month", "users:day"};

#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])

void ledger_row_bind(sqlite3_stmt *st, const struct row_key *key)
{
    ledger_bind(st, 1, key->account);
    ledger_bind(st, 2, slice_str(kind_names[key->kind]));
    ledger_bind(st, 3, key->period);
}

int ledger_row_find(struct ledger *l, const struct row_key *key, struct row *out, bool *elsewhere,
                    struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_ROW_FIND];
    bool seen = false;
    int rc;

    (void)sqlite3_reset(st);
    ledger_row_bind(st, key);
    ledger_bind(st, 4, key->user);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        seen = true;
        if (sqlite3_column_int64(st, 5) == l->shares[0].id)
            break;
    }
    if (elsewhere != NULL)
        *elsewhere = seen && rc != SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        *out = (struct row){.id = sqlite3_column_int64(st, 0),
                            .node = slice_str(l->shares[0].name),
                            .share_id = slice_str(l->shares[0].share_id),
                            .is_present = true,
                            .key = *key,
                            .counters = ledger_text(st, 1),
                            .number = (uint64_t)sqlite3_column_int64(st, 2),
                            .expires_s = sqlite3_column_int64(st, 3),
                            .dirty = (enum row_dirty)sqlite3_column_int(st, 4)};
        ledger_seal_take(st, 6, out);
        return 1;
    }
    if (rc != SQLITE_DONE)
        return ledger_fail(l, "looking for a row", err);
    (void)sqlite3_reset(st);
    return 0;
}

int ledger_row_add(struct ledger *l, const struct row_key *key, struct slice counters,
                   uint64_t number, int64_t expires_s, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_ROW_ADD];

    ledger_row_bind(st, key);
    ledger_bind(st, 4, key->user);
    (void)sqlite3_bind_int64(st, 5, l->shares[0].id);
    ledger_bind(st, 6, counters);
    (void)sqlite3_bind_int64(st, 7, (int64_t)number);
    (void)sqlite3_bind_int64(st, 8, expires_s);
    (void)sqlite3_bind_int(st, 9, ledger_run_is_reached(l));
    if (ledger_run(l, st, "adding a row", err) < 0)
        return -1;
    l->dirty_rows++;
    return 0;
}

int ledger_row_set(struct ledger *l, const struct row *row, struct slice counters, uint64_t number,
                   struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_ROW_SET];

    (void)sqlite3_reset(l->statements[STATEMENT_ROW_FIND]);
    if (row->is_final && ledger_former_add(l, row->id, err) < 0)
        return -1;
    (void)sqlite3_bind_int64(st, 1, row->id);
    ledger_bind(st, 2, counters);
    (void)sqlite3_bind_int64(st, 3, (int64_t)number);
    (void)sqlite3_bind_int(st, 4, ledger_run_is_reached(l));
    if (ledger_run(l, st, "changing a row", err) < 0)
        return -1;
    if (row->dirty == ROW_CLEAN)
        l->dirty_rows++;
    return 0;
}

int ledger_row_mark(struct ledger *l, int64_t id, uint64_t number, enum row_dirty dirty,
                    struct err *err)
{
    sqlite3_stmt *state = l->statements[STATEMENT_ROW_STATE],
                 *mark = l->statements[STATEMENT_ROW_MARK];
    int64_t was;

    (void)sqlite3_bind_int64(state, 1, id);
    (void)sqlite3_bind_int64(state, 2, (int64_t)number);
    if (ledger_number(l, state, -1, &was, err) < 0)
        return -1;
    if (was < 0 || was == (int64_t)dirty)
        return 0;
    (void)sqlite3_bind_int64(mark, 1, id);
    (void)sqlite3_bind_int64(mark, 2, (int64_t)dirty);
    if (ledger_run(l, mark, "marking a row", err) < 0)
        return -1;
    if (was == ROW_CLEAN)
        l->dirty_rows++;
    else if (dirty == ROW_CLEAN)
        l->dirty_rows--;
    return 0;
}

int ledger_row_delete(struct ledger *l, int64_t id, struct err *err)
{
    sqlite3_stmt *state = l->statements[STATEMENT_ROW_DIRTY],
                 *st = l->statements[STATEMENT_ROW_DELETE];
    int64_t was;

    (void)sqlite3_bind_int64(state, 1, id);
    if (ledger_number(l, state, ROW_CLEAN, &was, err) < 0)
        return -1;
    (void)sqlite3_bind_int64(st, 1, id);
    if (ledger_run(l, st, "deleting a row", err) < 0 || ledger_formers_delete(l, id, err) < 0)
        return -1;
    if (was != ROW_CLEAN)
        l->dirty_rows--;
    return 0;
}

int ledger_users_count(struct ledger *l, const struct row_key *key, uint64_t *count,
                       struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_USERS_GET];
    int64_t value;

    ledger_row_bind(st, key);
    if (ledger_number(l, st, 0, &value, err) < 0)
        return -1;
    *count = (uint64_t)value;
    return 0;
}

int ledger_users_count_set(struct ledger *l, const struct row_key *key, uint64_t count,
                           int64_t expires_s, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_USERS_SET];

    ledger_row_bind(st, key);
    (void)sqlite3_bind_int64(st, 4, (int64_t)count);
    (void)sqlite3_bind_int64(st, 5, expires_s);
    return ledger_run(l, st, "counting users", err);
}

int ledger_users_prune(struct ledger *l, int64_t before_s, struct err *err)
{
    sqlite3_stmt *st = l->statements[STATEMENT_USERS_PRUNE];

    (void)sqlite3_bind_int64(st, 1, before_s);
    return ledger_run(l, st, "forgetting old counts of users", err);
}

void ledger_walk_start(struct ledger *l, enum ledger_walk which, int64_t after, size_t limit)
{
    l->walk = l->statements[which == WALK_ALL ? STATEMENT_WALK_ALL : STATEMENT_WALK_STATE];
    (void)sqlite3_bind_int64(l->walk, 1, after);
    (void)sqlite3_bind_int64(l->walk, 2, (int64_t)limit);
    if (which != WALK_ALL)
        (void)sqlite3_bind_int(l->walk, 3, which == WALK_DIRTY ? ROW_DIRTY : ROW_REFUSED);
}

static int kind_find(struct slice name, enum row_kind *kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (slice_equal(name, slice_str(kind_names[i]))) {
            *kind = (enum row_kind)i;
            return 0;
        }
    }
    return -1;
}

int ledger_walk_next(struct ledger *l, struct row *out, struct err *err)
{
    sqlite3_stmt *st = l->walk;
    int rc = sqlite3_step(st);

    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return ledger_fail(l, "reading rows", err);
    *out = (struct row){.id = sqlite3_column_int64(st, 0),
                        .node = ledger_text(st, 1),
                        .key.account = ledger_text(st, 2),
                        .key.period = ledger_text(st, 4),
                        .key.user = ledger_text(st, 5),
                        .counters = ledger_text(st, 6),
                        .number = (uint64_t)sqlite3_column_int64(st, 7),
                        .expires_s = sqlite3_column_int64(st, 8),
                        .dirty = (enum row_dirty)sqlite3_column_int(st, 9),
                        .share_id = ledger_text(st, 10),
                        .is_present = sqlite3_column_int64(st, 11) == l->shares[0].id};
    ledger_seal_take(st, 12, out);
    if (kind_find(ledger_text(st, 3), &out->key.kind) < 0)
        return err_set(err, EX_DATAERR,
                       "%s: row %lld is of an unknown kind: restore the ledger "
                       "from a backup",
                       l->path, (long long)out->id);
    return 1;
}

void ledger_walk_end(struct ledger *l)
{
    if (l->walk != NULL)
        (void)sqlite3_reset(l->walk);
    l->walk = NULL;
}

uint64_t ledger_dirty_rows(const struct ledger *l)
{
    return l->dirty_rows;
}
