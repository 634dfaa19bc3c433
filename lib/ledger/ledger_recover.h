#ifndef TG_LEDGER_LEDGER_RECOVER_H
#define TG_LEDGER_LEDGER_RECOVER_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * The ledger in its place: ledger.db in state_dir, with ledger.id beside it, which names the ledger
 * that counts here. A ledger that is gone, or is another one, is an error (EX_DATAERR): a new one
 * would count the journal's records again, under a new share, and they would be there twice; or,
 * where there is no journal, would leave out what was not counted yet. `name`: "ledger".
 */
struct ledger *ledger_place_open(const char *state_dir, const char *name, const char *node,
                                 struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
