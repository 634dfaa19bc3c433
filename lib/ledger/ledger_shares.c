#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_share.h"
#include "lib/ledger/ledger_statement.h"

static int share_append(struct ledger *l, sqlite3_stmt *st, struct err *err)
{
    struct ledger_share *list = realloc(l->shares, (l->share_count + 1) * sizeof *list), *share;
    struct slice name = ledger_text(st, 1), share_id = ledger_text(st, 2);

    if (list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    l->shares = list;
    share = &list[l->share_count];
    *share = (struct ledger_share){.id = sqlite3_column_int64(st, 0),
                                   .name = strndup(name.ptr, name.len),
                                   .has_met = sqlite3_column_int(st, 3) != 0,
                                   .speaks = sqlite3_column_int(st, 4) != 0,
                                   .claim = (uint64_t)sqlite3_column_int64(st, 5)};
    if (share->name == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    l->share_count++;
    if (share_id.len != sizeof share->share_id - 1)
        return err_set(err, EX_DATAERR, "%s: a share has no id: restore the ledger from a backup",
                       l->path);
    memcpy(share->share_id, share_id.ptr, share_id.len);
    return 0;
}

static int shares_list(struct ledger *l, const char *node, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_SHARES);
    int rc, failed = 0;

    ledger_bind(st, 1, slice_str(node));
    while (failed == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE)
        failed =
            rc == SQLITE_ROW ? share_append(l, st, err) : ledger_fail(l, "reading its shares", err);
    (void)sqlite3_reset(st);
    return failed;
}

int ledger_shares_add(struct ledger *l, struct slice node, const char *share_id, struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_SHARE_ADD);

    ledger_bind(st, 1, node);
    ledger_bind(st, 2, slice_str(share_id));
    return ledger_run(l, st, "adding a share", err);
}

void ledger_shares_free(struct ledger *l)
{
    for (size_t i = 0; i < l->share_count; i++)
        free(l->shares[i].name);
    free(l->shares);
    l->shares = NULL;
    l->share_count = 0;
}

int ledger_shares_read(struct ledger *l, const char *node, struct err *err)
{
    if (shares_list(l, node, err) < 0)
        return -1;
    if (l->share_count > 0 && strcmp(l->shares[0].name, node) == 0)
        return 0;
    ledger_shares_free(l);
    if (ledger_shares_add(l, slice_str(node), l->id, err) < 0)
        return -1;
    return shares_list(l, node, err);
}

struct slice ledger_node(const struct ledger *l)
{
    return slice_str(l->shares[0].name);
}

bool ledger_node_at(const struct ledger *l, size_t index, struct slice *name)
{
    for (size_t i = 0, names = 0; i < l->share_count; i++) {
        bool is_first = true;

        for (size_t k = 0; k < i && is_first; k++)
            is_first = strcmp(l->shares[k].name, l->shares[i].name) != 0;
        if (is_first && names++ == index) {
            *name = slice_str(l->shares[i].name);
            return true;
        }
    }
    return false;
}

bool ledger_share_at(const struct ledger *l, size_t index, struct ledger_share_info *out)
{
    const struct ledger_share *share = &l->shares[index];

    if (index >= l->share_count)
        return false;
    *out = (struct ledger_share_info){.node = slice_str(share->name),
                                      .share_id = slice_str(share->share_id),
                                      .has_met = share->has_met,
                                      .speaks = share->speaks,
                                      .claim = share->claim};
    return true;
}

int ledger_share_set(struct ledger *l, size_t index, const struct ledger_share_info *info,
                     struct err *err)
{
    sqlite3_stmt *st = ledger_statement(l, STATEMENT_SHARE_SET);
    struct ledger_share *share = &l->shares[index];

    (void)sqlite3_bind_int64(st, 1, share->id);
    (void)sqlite3_bind_int(st, 2, info->has_met);
    (void)sqlite3_bind_int(st, 3, info->speaks);
    (void)sqlite3_bind_int64(st, 4, (int64_t)info->claim);
    if (ledger_run(l, st, "marking a share", err) < 0)
        return -1;
    share->has_met = info->has_met;
    share->speaks = info->speaks;
    share->claim = info->claim;
    return 0;
}
