#ifndef TG_COLLECT_RULES_H
#define TG_COLLECT_RULES_H

#include "collect/machine.h"
#include "lib/core/contract.h"
#include "lib/sys/settings.h"

/* What the settings of `collect` say, as the machines take it. Owner: rules_init/rules_fini; texts
 * are the settings'. */

struct rules {
    struct machine_rules machine; /* borrows the rest */
    struct machine_list names;
    struct slice *texts;
    struct network *networks;
};

int rules_init(struct rules *r, const struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
void rules_fini(struct rules *r) TG_NONNULL(1); /* all zeros is allowed */

#endif
