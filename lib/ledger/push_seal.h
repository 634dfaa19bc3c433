#ifndef TG_LEDGER_PUSH_SEAL_H
#define TG_LEDGER_PUSH_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * Rows of a period that is over, in a fleet: each ledger puts its own share into the seal of the
 * row (share.lua), so that twenty nodes take little more room than one. In Redis a seal has of each
 * share the number only, and the sum of all. So a ledger puts a share in only at a number of which
 * it can tell for ever what the row was: then it can take it out again, exactly, when a late record
 * changes the row, or when Redis is put back to an earlier time. No ledger waits for another, none
 * touches another's share, and a row that was lost comes back as it was, from the ledgers.
 *
 * Three visits of the walk, some minutes apart: the row is pushed, and made final in the ledger
 * (lib/ledger/ledger_seal); the ledger is on the disk; the share goes into the seal.
 *
 * Left alone are totals, which are never over; rows of node accounts, which one node counts; shares
 * that were left, which another ledger may continue; and all, until every program that has been
 * seen within a day knows seals (lib/ledger/push_fleet). An older one refuses a sealed row.
 *
 * Units: seconds.
 */

/* A day: for records that come late, and for clocks. */
#define PUSH_SEAL_AFTER_S INT64_C(86400)

struct push_seal {
    int64_t after_s;  /* a row is over so long after the end of its period; 0: none ever is */
    int64_t before_s; /* now: rows whose period has ended before are over */
    bool is_wanted;   /* there are other nodes, and all know seals */
    bool is_synced;   /* rows that were final when the walk began are so on the disk */
};

enum push_seal_step { PUSH_SEAL_NOT, PUSH_SEAL_FINISH, PUSH_SEAL_PUT_IN };

/* What a walk does with a row, once it is pushed. */
enum push_seal_step push_seal_step(const struct push_seal *s, const struct row *row)
    TG_NONNULL(1, 2);

#endif
