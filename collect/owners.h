#ifndef TG_COLLECT_OWNERS_H
#define TG_COLLECT_OWNERS_H

#include <stdbool.h>

#include "collect/sink.h"
#include "lib/core/answers.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/hosted.h"
#include "lib/core/slice.h"

/*
 * Who is charged for what a log tells: logins and addresses are looked up in the hosted set as
 * tollgated does it.
 *
 * Sources that can only be asked are asked by `resolve`; where one does not answer, `failed` stays
 * set with the reason in `err`, and what was read since the last fold must not be committed.
 *
 * Owner: the holder. What a look-up gives lives until owners_reset.  Threads: one.
 */

struct owners {
    const struct hosted *hosted; /* borrowed; swapped by a reload between folds */
    /* Answers all open questions; -1: a source is away. NULL: there is nothing to be asked. */
    int (*resolve)(void *context, struct answers *answers, struct err *err);
    void *context;
    struct arena arena;
    struct answers answers;
    bool failed;
    struct err err;
};

void owners_init(struct owners *o, const struct hosted *hosted) TG_NONNULL(1, 2);
void owners_fini(struct owners *o) TG_NONNULL(1);
/* Forgets what was looked up (to be called now and then: its memory is bounded). */
void owners_reset(struct owners *o) TG_NONNULL(1);

/* The hosted domain and user of a login, of an address (as a log writes it, with or without <>).
 * False: nobody's; *payer is PAYER_NONE then. */
bool owners_login(struct owners *o, struct slice login, struct payer *payer) TG_NONNULL(1, 3);
bool owners_address(struct owners *o, struct slice address, struct payer *payer) TG_NONNULL(1, 3);
/* Is the client (its IP address as text) one of networks.host, of networks.customers? */
bool owners_is_host(const struct owners *o, struct slice client) TG_NONNULL(1);
bool owners_is_customer(const struct owners *o, struct slice client) TG_NONNULL(1);

#endif
