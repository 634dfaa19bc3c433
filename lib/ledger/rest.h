#ifndef TG_LEDGER_REST_H
#define TG_LEDGER_REST_H

#include <stdint.h>

#include "lib/core/contract.h"

/*
 * Work that no mail waits for is done in short pieces while mail comes, with a rest after each that
 * is some times as long as the piece took: Redis and a processor that is shared take the mail in
 * between, whose wait is that of a piece at most.
 *
 * Units: us of the monotonic clock.  Threads: one.
 */

#define REST_PIECE_US 500
#define REST_MAX_US   50000

struct rest {
    unsigned times; /* 0: none */
    int64_t began_us;
};

/* A piece begins. */
void rest_begin(struct rest *r) TG_NONNULL(1);
/* It has ended: rests, and begins the next. */
void rest_take(struct rest *r) TG_NONNULL(1);
/* The same where the piece has taken REST_PIECE_US. */
void rest_if_due(struct rest *r) TG_NONNULL(1);

#endif
