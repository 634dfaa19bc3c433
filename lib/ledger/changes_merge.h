#ifndef TG_LEDGER_CHANGES_MERGE_H
#define TG_LEDGER_CHANGES_MERGE_H

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/* The part of lib/ledger/changes that brings holders together: changes.lua for each, and the copy
 * gets what it answers. */

struct changes_merge {
    const char *prefix;
    struct ledger *ledger;
    struct store *store;
    struct arena *arena; /* for the time of a call */
    size_t restored;     /* plans and overrides that Redis was given back; the caller clears it */
    bool is_news;        /* the copy has changed; the caller clears it */
};

/* Any number of holders, CHANGES_PAGE a trip. -1: the store or the ledger failed. */
int changes_merge(struct changes_merge *m, const struct slice *names, size_t count,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
