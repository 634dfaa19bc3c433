#ifndef TG_LEDGER_PUSH_SCHEMA_H
#define TG_LEDGER_PUSH_SCHEMA_H

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/redis/store.h"

/* What all nodes that share a store have to agree on: the schema of its keys, and the time zone
 * that its days and months are counted in. */

struct push_schema {
    struct store *store;
    const char *prefix, *timezone;
};

/* Writes both where they are missing. -1 with EX_CONFIG where Redis has others. */
int push_schema_check(const struct push_schema *s, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
