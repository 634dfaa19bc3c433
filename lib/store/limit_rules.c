#include "lib/store/limit_rules.h"

const struct plan *rules_plan(const struct limit_rules *r, struct slice name)
{
    for (size_t i = 0; i < r->plan_count; i++) {
        if (slice_equal(r->plans[i].name, name))
            return &r->plans[i];
    }
    return NULL;
}

const struct plan *rules_plan_of(const struct limit_rules *r, struct slice domain)
{
    void **assigned = strmap_find(&r->assigned, domain);

    return assigned != NULL ? *assigned : rules_plan(r, SLICE("default"));
}
