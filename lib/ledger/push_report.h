#ifndef TG_LEDGER_PUSH_REPORT_H
#define TG_LEDGER_PUSH_REPORT_H

#include "lib/core/contract.h"
#include "lib/ledger/push.h"
#include "lib/sys/log_limit.h"

/*
 * Logs what a push finds that a person should know: each once, then counted, and that it is over.
 *
 * Owner: the holder.  Threads: that of the push.
 */

struct push_report {
    struct log_problem refused, undone, rival;
};

void push_report_init(struct push_report *r) TG_NONNULL(1);
/* Empties the findings; `where` is the store. True: Redis has lost something. */
bool push_report_take(struct push_report *r, struct push_findings *f, const char *where)
    TG_NONNULL(1, 2, 3);

#endif
