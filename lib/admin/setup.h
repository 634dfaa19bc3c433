#ifndef TG_ADMIN_SETUP_H
#define TG_ADMIN_SETUP_H

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/redis/store.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"
#include "lib/throttle/limit_rules.h"

/*
 * The configuration put to use: hosted domains, plans, exemptions. Owner: setup_open/setup_close;
 * what is read into an arena belongs to the arena. Threads: read-only after setup_open, but for the
 * store: each thread has a copy of the struct with a store of its own.
 */

/* What an admin is to hear, such as an override that cannot be read. */
typedef void setup_warn(const struct err *err);

struct setup {
    const struct settings *settings; /* borrowed, and so is the store */
    struct store *store;             /* NULL: limits cannot be read */
    struct hosted *hosted;
    struct resolver *resolver;
    struct limit_rules *rules;
    setup_warn *warn; /* NULL: nobody listens */
};

/* -1: a source cannot be read; setup_close in any case. */
int setup_open(struct setup *s, const struct settings *settings, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
void setup_close(struct setup *s) TG_NONNULL(1);

/* Is it hosted, and charged to whom? -1: a source cannot be asked. */
int setup_domain(const struct setup *s, struct slice domain, struct arena *arena, bool *is_hosted,
                 struct slice *charged, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Where the address is forwarded to, one level. False: it is no forwarder (or *err). */
bool setup_forward(const struct setup *s, const struct address *address, struct arena *arena,
                   struct forward_targets *targets, struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
