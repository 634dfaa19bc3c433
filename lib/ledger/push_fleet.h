#ifndef TG_LEDGER_PUSH_FLEET_H
#define TG_LEDGER_PUSH_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"

/*
 * What the nodes of a store can read. A share stands in a row in one of two forms (share.lua). The
 * short one is understood by programs whose hash says so in the field _rows; an older program would
 * take it for damage. So shares are written in the form with names until all programs that have
 * been seen within a day, retired and renamed nodes aside, know the other one; and no row is sealed
 * (lib/ledger/push_seal) until all of them know that.
 *
 * Threads: one.  Errors: those of the store.
 */

#define PUSH_FLEET_ROWS  "3" /* 2: the short form; 3: seals too */
#define PUSH_FLEET_DAY_S INT64_C(86400)

struct push_fleet {
    size_t nodes;
    bool as_names;    /* one of the programs knows no other form */
    bool knows_seals; /* all do */
};

int push_fleet_look(struct store *store, const char *prefix, int64_t now_s, struct push_fleet *out,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 4);

#endif
