#ifndef TG_SOURCES_LOOKUP_H
#define TG_SOURCES_LOOKUP_H

#include <pthread.h>

#include "lib/core/contract.h"
#include "lib/core/source_name.h"
#include "lib/redis/store.h"
#include "lib/redis/transport.h"
#include "lib/sys/mutex.h"

/*
 * A source that can only be asked: a socket map, a table of Postfix, or the POP-before-SMTP keys in
 * Redis. Each keeps a few connections at rest (more are made while more threads ask at once), and
 * after a failure is left alone for a while (0.5 s to 5 s), so that a source that is down does not
 * hold up every message for its deadline.
 *
 * Threads: all; a source's lock guards its connections at rest and its pause, never I/O.
 * Errors: EX_UNAVAILABLE where it is down, EX_TEMPFAIL where it answers that it cannot say (no
 * reason to leave it alone).
 */

/* One question, as keys of which the first that is found counts; the value in the arena given. */
struct lookup_keys {
    struct slice *keys;
    size_t count;
    bool found;
    size_t at; /* of the key that was found */
    struct slice value;
};

struct lookup;

void lookup_free(struct lookup *a);
/* All copy what they keep. */
struct lookup *lookup_socketmap_new(const struct source_name *name, struct err *err) TG_NONNULL(1)
    TG_FREED_BY(lookup_free);
struct lookup *lookup_postfix_new(const char *dir, struct slice table, struct err *err)
    TG_FREED_BY(lookup_free);
struct lookup *lookup_redis_new(const struct settings *s, struct err *err) TG_NONNULL(1)
    TG_FREED_BY(lookup_free);

/* Looks up all `count` questions. -1: none is answered. */
int lookup_ask(struct lookup *a, struct lookup_keys *list, size_t count, struct arena *arena,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

/* --- for the kinds alone
 * -------------------------------------------------------------------------- */

/* A connection is whatever the kind makes of it. */
struct lookup_kind {
    void *(*connection_new)(const struct lookup *a, struct err *err);
    void (*connection_free)(void *connection);
    int (*ask)(const struct lookup *a, void *connection, struct lookup_keys *list, size_t count,
               struct arena *arena, struct err *err);
};

#define LOOKUP_IDLE_MAX 4

MUTEX_NAME(lookup_lock)

struct lookup {
    const struct lookup_kind *kind;
    struct arena arena; /* of the texts below */

    struct source_name name;  /* socketmap */
    struct endpoint endpoint; /* socketmap */
    const char *dir, *table;  /* postfix */
    struct settings settings; /* redis: state_dir and store alone */

    struct mutex lock; /* never held across I/O */
    void *idle[LOOKUP_IDLE_MAX] MUTEX_GUARDS(lookup_lock);
    size_t idle_count MUTEX_GUARDS(lookup_lock);
    /* 0: the last question was answered; until: of clock_monotonic_ms */
    int64_t pause_ms MUTEX_GUARDS(lookup_lock), down_until_ms MUTEX_GUARDS(lookup_lock);
    struct err last_error MUTEX_GUARDS(lookup_lock);
};

/* With its lock and arena; NULL where memory is out. */
struct lookup *lookup_new(const struct lookup_kind *kind, struct err *err) TG_NONNULL(1)
    TG_FREED_BY(lookup_free);
/* A copy in its arena; NULL where memory is out. */
const char *lookup_keep(struct lookup *a, struct slice text, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

#endif
