#ifndef TG_CLI_SETUP_H
#define TG_CLI_SETUP_H

#include "cli/cli.h"
#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/throttle/limit_rules.h"

/*
 * The configuration put to use: hosted domains, plans, exemptions. Owner: setup_open/setup_close;
 * what is read into an arena belongs to the arena.
 */

struct setup {
    struct cli *cli;
    struct hosted *hosted;
    struct resolver *resolver;
    struct limit_rules *rules;
    bool is_quiet; /* overrides that cannot be read are not reported */
};

/* 0, or an exit code after having said why; opens the store, too. */
int setup_open(struct setup *s, struct cli *cli) TG_NONNULL(1);
void setup_close(struct setup *s);

/* Is it hosted, and charged to whom? -1: a source cannot be asked. */
int setup_domain(struct setup *s, struct slice domain, struct arena *arena, bool *is_hosted,
                 struct slice *charged, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Where the address is forwarded to, one level. False: it is no forwarder (or *err). */
bool setup_forward(struct setup *s, const struct address *address, struct arena *arena,
                   struct forward_targets *targets, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
