#ifndef TG_STORE_LIMIT_RULES_H
#define TG_STORE_LIMIT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/demand.h"
#include "lib/core/limit.h"
#include "lib/sys/settings.h"

/*
 * The configured part of throttling as an immutable snapshot: plans, who has which, who is exempt,
 * what happens when the store is away.
 *
 * Owner: rules_new/rules_free; everything in one arena.  Threads: read-only after building.
 */

struct limit_rules {
    struct arena arena;
    bool observe;
    enum on_failure on_failure;
    uint64_t nodes; /* each limit is divided by it while limiting locally */
    const struct plan *plans;
    size_t plan_count;
    struct strmap assigned; /* domain -> const struct plan * */
    struct exemptions exempt;
};

/* NULL with *err: an unknown plan, a bad address, a source that cannot be read. Lines that are
 * passed over are told to `warnings` (may be NULL). */
struct limit_rules *rules_new(const struct settings *s, FILE *warnings, struct err *err);
void rules_free(struct limit_rules *r);

/* NULL where there is none of that name. */
const struct plan *rules_plan(const struct limit_rules *r, struct slice name);
/* What the files say: the assigned plan, else `default`, else NULL. */
const struct plan *rules_plan_of(const struct limit_rules *r, struct slice domain);

#endif
