#ifndef TG_THROTTLE_THROTTLE_PARTS_H
#define TG_THROTTLE_THROTTLE_PARTS_H

#include "lib/redis/pool.h"
#include "lib/throttle/account_limits.h"
#include "lib/throttle/throttle.h"

/* What a throttle lends to those beside it in this room. */

struct pool *throttle_pool(struct throttle *t) TG_NONNULL(1);
struct account_limits *throttle_accounts(struct throttle *t) TG_NONNULL(1);

#endif
