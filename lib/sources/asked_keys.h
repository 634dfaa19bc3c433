#ifndef TG_SOURCES_ASKED_KEYS_H
#define TG_SOURCES_ASKED_KEYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hosted.h"
#include "lib/sys/mutex.h"

/*
 * Keys that threads are asking sources for at this moment. Who wants a key that another asks for
 * already waits for that answer instead of asking, too: of a hundred messages to a new domain one
 * makes the look-up.
 *
 * A thread takes those of its keys that nobody has, asks for them, says that it has, and only then
 * waits for the others: so nobody waits in a circle, and nobody longer than the other's look-up
 * takes.
 *
 * Owner: batch and keys are the caller's, and stay until asked_keys_await; the texts of the keys,
 * too. Threads: all; one lock, never held across I/O.
 * Limits: ASKED_KEYS_MAX keys a batch, for they are compared one by one.
 */

#define ASKED_KEYS_MAX ((size_t)64)

MUTEX_NAME(asked_keys_lock)

struct asked_batch;

struct asked_key {
    struct slice key; /* set by the caller */
    bool is_others;   /* another thread asks for it */
    struct err err;   /* is_others, after asked_keys_await: code 0, or why it could not */

    const struct asked_batch *other; /* its; NULL once it has ended */
    struct asked_key *next;          /* of those that wait */
};

struct asked_batch {
    enum question_kind kind; /* set by the caller, as keys and count */
    struct asked_key *keys;
    size_t count;
    struct asked_batch *next; /* of those under way */
};

struct asked_keys {
    struct mutex lock;
    pthread_cond_t ended;
    struct asked_batch *under_way MUTEX_GUARDS(asked_keys_lock);
    struct asked_key *waiting MUTEX_GUARDS(asked_keys_lock);
};

void asked_keys_init(struct asked_keys *a) TG_NONNULL(1);
void asked_keys_fini(struct asked_keys *a) TG_NONNULL(1);

/* Says of each key whether another thread asks for it; the rest is the caller's to ask for. */
void asked_keys_begin(struct asked_keys *a, struct asked_batch *b) TG_NONNULL(1, 2)
    TG_EXCLUDES(asked_keys_lock);
/* They are asked for, and where others find the answers; or `why` not. */
void asked_keys_end(struct asked_keys *a, struct asked_batch *b, const struct err *why)
    TG_NONNULL(1, 2) TG_EXCLUDES(asked_keys_lock);
/* Until those that are others' have ended, too. */
void asked_keys_await(struct asked_keys *a, struct asked_batch *b) TG_NONNULL(1, 2)
    TG_EXCLUDES(asked_keys_lock);

#endif
