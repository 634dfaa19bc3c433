#ifndef TG_CORE_FORWARDERS_H
#define TG_CORE_FORWARDERS_H

#include "lib/core/classify_work.h"
#include "lib/core/contract.h"

/* Adds one decision, made after `sample`, for each target of that hosted address that is not
 * hosted: through other forwarders up to FORWARD_LEVELS deep, each address once. */
#define FORWARD_LEVELS 10
void forwarders_expand(struct classify_work *k, const struct address *from,
                       const struct decision *sample) TG_NONNULL(1);

#endif
