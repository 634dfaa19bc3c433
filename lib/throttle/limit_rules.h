#ifndef TG_THROTTLE_LIMIT_RULES_H
#define TG_THROTTLE_LIMIT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/core/limit_check.h"
#include "lib/sys/settings.h"

/*
 * The configuration of throttling as an immutable snapshot: plans, exemptions, and what happens
 * while the store is away. The plan that throttle.assign gives a domain is in the hosted set
 * (hosted_plan).
 *
 * Owner: limit_rules_new/limit_rules_free. The plans are borrowed from the settings, which must
 * outlive it. Threads: read-only after building.
 */

struct limit_rules {
    struct arena arena;
    bool observe;
    bool bounces; /* a plan limits them */
    bool leases;  /* room is leased ahead of messages (leases.h) */
    enum on_failure on_failure;
    unsigned client_v6_prefix;
    uint64_t nodes; /* each limit is divided by it while limiting locally */
    const struct plan *plans;
    size_t plan_count;
    struct exemptions exempt;
    struct slice reply_more; /* throttle.reply_text and reply_url, for replies; may be empty */
};

void limit_rules_free(struct limit_rules *r);
struct limit_rules *limit_rules_new(const struct settings *s, struct err *err)
    TG_NONNULL(1) TG_MUST_USE;

/* NULL: no plan of that name. */
const struct plan *limit_rules_plan(const struct limit_rules *r, struct slice name) TG_NONNULL(1);
/* The first of the two that exists, else the plan "default"; NULL: no limits. */
const struct plan *limit_rules_plan_of(const struct limit_rules *r, struct slice given,
                                       struct slice assigned) TG_NONNULL(1);

#endif
