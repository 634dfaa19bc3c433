#ifndef TG_STORE_SOURCE_H
#define TG_STORE_SOURCE_H

#include "lib/core/world.h"
#include "lib/store/store.h"
#include "lib/sys/settings.h"

/*
 * Where the site's domains, forwarders and logins come from: `file:PATH`, `redis:KEY`, `postfix:DIR`,
 * `socketmap:unix:PATH:NAME`, `socketmap:inet:HOST:PORT:NAME`. world_load lists what can be listed; the resolver answers
 * the questions that the world leaves open, by asking the sources that can only be asked (and Redis for POP-before-SMTP),
 * with a bounded cache.
 */

/* A new world from the settings' sources and networks. NULL with *err (which names source, line and mend).
 * `warnings` (may be NULL) gets lines on entries that were passed over. */
struct world *world_load(const struct settings *s, FILE *warnings, struct err *err);

/* Has a source changed since that world was loaded (file times; redis: content)? Cheap; called every few seconds. */
struct source_stamp {
    uint64_t value;
};
struct source_stamp source_stamp(const struct settings *s);

struct resolver;
struct resolver *resolver_new(const struct settings *s, struct err *err);
void resolver_free(struct resolver *r);
/* Answers every open question of *answers (and empties the list), within about settings.store.timeout for Redis
 * and 5 s for a map. An answer once given is used again while its source is down. -1: a source could not be asked and no
 * answer was known: the message is to be deferred. Threads: all. */
int resolver_answer(struct resolver *r, struct answers *answers, struct err *err);

#endif
