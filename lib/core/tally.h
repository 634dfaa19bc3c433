#ifndef TG_CORE_TALLY_H
#define TG_CORE_TALLY_H

#include "lib/core/contract.h"
#include "lib/core/counters.h"

/* An account's (or user's) amounts. All zero is empty. */
struct tally {
    uint64_t value[COUNTER_COUNT];
};

void tally_add(struct tally *into, const struct tally *amounts) TG_NONNULL(1);
bool tally_is_empty(const struct tally *t) TG_NONNULL(1);

#endif
