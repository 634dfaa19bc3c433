#ifndef TG_MILTER_NAMES_H
#define TG_MILTER_NAMES_H

#include "lib/core/contract.h"
#include "lib/throttle/throttle.h"
#include "milter/dispatch.h"
#include "milter/snapshot.h"

/*
 * The bounds on names that strangers make up (accounting.names_max, accounting.users_max) are a
 * month's, not a process's: at the start the names that this month's rows of the ledger have take
 * their places first, so that restarts do not let more names in.
 */

/* Before any session. A ledger that cannot be read is logged. */
void names_seed(struct dispatch *g, const struct snapshot *snapshot, struct throttle *t)
    TG_NONNULL(1, 2, 3);

#endif
