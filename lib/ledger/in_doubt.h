#ifndef TG_LEDGER_IN_DOUBT_H
#define TG_LEDGER_IN_DOUBT_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/ledger.h"
#include "lib/sys/journal.h"

/* After a crash: the messages whose answer the MTA may not have heard, as the journal's in-flight
 * table has them. Each is counted; it is named in the log once, with its queue id, and kept in the
 * ledger. Then the table forgets them. -1: the ledger cannot be written; they stay for the next
 * start. */
int in_doubt_note(struct ledger *ledger, struct journal *journal, const char *journal_dir,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
