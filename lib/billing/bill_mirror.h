#ifndef TG_BILLING_BILL_MIRROR_H
#define TG_BILLING_BILL_MIRROR_H

#include "lib/billing/bill_chain.h"
#include "lib/core/contract.h"
#include "lib/read/read.h"

/*
 * The closed periods in Redis, for all hosts: hash tg:periods, for each period the field "2026-11"
 * with its line of the chain, "2026-11 HASH" with its file, "2026-11 export TARGET" with the host
 * that sends it there, and "2026-11 verified NODE" with that node's note (bill_verified.h). The
 * file is there before the line; of two hosts that close one period at the same time, the line of
 * one stands.
 *
 * Errors: EX_UNAVAILABLE, EX_DATAERR.  Owner: the arena.
 */

int bill_mirror_read(struct reader *r, struct arena *arena, struct bill_chain *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);
/* *file has ptr NULL where Redis has none. */
int bill_mirror_file(struct reader *r, const struct bill_entry *e, struct arena *arena,
                     struct slice *file, struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3, 4);
/* The line of the month; month.ptr NULL: it is not closed. */
int bill_mirror_entry(struct reader *r, struct slice month, struct arena *arena,
                      struct bill_entry *out, struct err *err) TG_MUST_USE TG_NONNULL(1, 3, 4);
/* Which host exports the month to the target: the first one that asks, or, with `take_over`, the
 * one that asks. The name is the arena's. */
int bill_mirror_exporter(struct reader *r, struct slice month, const char *target,
                         struct slice host, bool take_over, struct arena *arena,
                         struct slice *exporter, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 3, 6, 7, 8);
/* What the node has noted of the month; ptr NULL: nothing. */
int bill_mirror_note(struct reader *r, struct slice month, struct slice node, struct arena *arena,
                     struct slice *note, struct err *err) TG_MUST_USE TG_NONNULL(1, 4, 5);
int bill_mirror_set_note(struct reader *r, struct slice month, struct slice node, struct slice note,
                         struct err *err) TG_MUST_USE TG_NONNULL(1);
/* 1: another host has closed the period. */
int bill_mirror_add(struct reader *r, const struct bill_entry *e, struct slice file,
                    struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

#endif
