#ifndef TG_COLLECT_STREAMS_H
#define TG_COLLECT_STREAMS_H

#include "collect/records.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/ledger/ledger.h"
#include "lib/redis/store.h"

/*
 * The refusals and anomalies of the ledger, written to the streams tg:refusals and tg:anomalies:
 * each once. How far this ledger has come stands in Redis beside the stream and changes in the same
 * step (streams.lua), so that an answer that is lost, a kill or an older snapshot of Redis neither
 * doubles nor loses an entry. Where Redis was flushed, all is written again, as far as the stream
 * keeps it.
 *
 * A ledger that was restored or copied goes on under another share, and begins behind what it had
 * then: that was written by the other one.
 *
 * Threads: one.  Owner: streams_new/streams_free.
 */

#define STREAMS_REFUSALS_KEPT  "100000" /* about */
#define STREAMS_ANOMALIES_KEPT "10000"

struct streams;

void streams_free(struct streams *s); /* NULL is allowed */
/* All is borrowed. */
struct streams *streams_new(const char *prefix, const char *node, struct ledger *ledger,
                            struct records *records, struct store *store,
                            struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4, 5);
/* 1: more at once; 0; -1: the store or the ledger. */
int streams_step(struct streams *s, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* Redis has lost something: see what is there. */
void streams_look(struct streams *s) TG_NONNULL(1);

#endif
