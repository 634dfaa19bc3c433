#ifndef TG_COLLECT_GAP_PUSH_H
#define TG_COLLECT_GAP_PUSH_H

#include "collect/collect_db.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"

/*
 * The holes in the logs, as Redis has them: tg:{@mx1}:gaps, the newest GAP_PUSH_KEPT. Those that
 * are new, and all again over each new connection and once in GAP_PUSH_EVERY_MS.
 *
 * Threads: one.
 */

#define GAP_PUSH_KEPT     1000
#define GAP_PUSH_EVERY_MS 590000

struct gap_push;

void gap_push_free(struct gap_push *g); /* NULL is allowed */
/* All is borrowed. */
struct gap_push *gap_push_new(const char *prefix, const char *node, struct collect_db *db,
                              struct store *store, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* 1: more at once; 0; -1: the store or the ledger. */
int gap_push_step(struct gap_push *g, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
