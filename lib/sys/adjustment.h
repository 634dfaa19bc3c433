#ifndef TG_SYS_ADJUSTMENT_H
#define TG_SYS_ADJUSTMENT_H

#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * A correction of an account's figures: never an edit of a total, but an entry of its own beside
 * it, with reason, evidence and author. An entry is written once and not changed.
 *
 * In Redis: a field of the hash tg:{example.com}:adjust, the period and the id; its value a JSON
 * object (RFC 8259):
 *
 *     "2026-11 mx1/4711": {"amounts": {"out_messages": -1, ...}, "reason": ..., "evidence": ...,
 *                          "by": ..., "at": 1795878503}
 *
 * Owner: slices are borrowed, those that adjustment_parse gives are the arena's.
 * Limits: amounts below 2^53.
 */

struct adjustment {
    struct slice period;            /* a month, "2026-11" */
    struct slice id;                /* unique in the account and period; no blanks */
    int64_t amounts[COUNTER_COUNT]; /* to be added */
    struct slice reason, evidence, by;
    int64_t at_s; /* Unix */
};

/* The field's name. */
void adjustment_field(const struct adjustment *a, struct buf *out) TG_NONNULL(1, 2);
/* The value, its members in a fixed order. -1: out of memory. */
int adjustment_print(const struct adjustment *a, struct buf *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
/* EX_DATAERR for what is none; counters that this version does not know are ignored. */
int adjustment_parse(struct slice field, struct slice value, struct arena *arena,
                     struct adjustment *out, struct err *err) TG_MUST_USE TG_NONNULL(3, 4);

#endif
