#ifndef TG_LEDGER_LEDGER_RECOVER_H
#define TG_LEDGER_LEDGER_RECOVER_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/*
 * The ledger in its place: state_dir/ledger.db, with state_dir/ledger.id beside it, which names the
 * ledger that counts here. A ledger that is gone, or is another one, is an error (EX_DATAERR): a
 * new one would count the journal's records again, under a new share, and they would be there
 * twice.
 */
struct ledger *ledger_place_open(const char *state_dir, const char *node,
                                 struct err *err) TG_MUST_USE;

#endif
