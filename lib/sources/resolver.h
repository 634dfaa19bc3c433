#ifndef TG_SOURCES_RESOLVER_H
#define TG_SOURCES_RESOLVER_H

#include "lib/core/answers.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/sys/settings.h"

/* Made together with a hosted, for the same settings (copies what it keeps). Threads: all, without
 * a lock across I/O. */
struct resolver;
void resolver_free(struct resolver *r);
struct resolver *resolver_new(const struct settings *s, struct err *err) TG_NONNULL(1) TG_MUST_USE;
/* A new resolver keeps the answers that the one before it knew. */
void resolver_inherit(struct resolver *r, struct resolver *before) TG_NONNULL(1);
/* Answers every open question of *answers (and empties the list), within about
 * settings.store.timeout for Redis and 5 s for a map. An answer is used for 30 s, and again as long
 * as its source is down. -1: a source could not be asked and no answer was known: the message is to
 * be deferred. */
int resolver_answer(struct resolver *r, struct answers *answers, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The same from memory alone, without a wait. False: not all is known; the list stays as it is. */
bool resolver_answer_known(struct resolver *r, struct answers *answers) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
