#ifndef TG_CORE_ANSWERS_H
#define TG_CORE_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"
#include "lib/core/strmap.h"

/* Questions that the hosted set cannot answer by itself, and their answers, for one message. */

struct forward_targets {
    struct slice *list; /* addresses as written; `|command`, `/file`, `:include:file` are kept and
                           lead nowhere */
    size_t count;
};

enum question_kind {
    QUESTION_DOMAIN,
    QUESTION_FORWARD,
    QUESTION_LOGIN,
    QUESTION_POPAUTH,
    QUESTION_RECIPIENT_COPY,
    QUESTION_SENDER_COPY,
    QUESTION_KINDS
};
#define QUESTION_LETTERS "dflprs" /* one for each kind, before the key in a table of all */

struct question {
    enum question_kind kind;
    struct slice key; /* canonical domain; whole address in lower case; login in lower case; client
                         IP as text */
};

struct answer {
    bool found;
    struct slice owner;    /* DOMAIN: charged to (empty: the name itself) */
    struct slice wildcard; /* DOMAIN: ".example.com", found in place of the name; no owner then */
    struct forward_targets targets; /* FORWARD; of copies the first counts */
    struct slice login;             /* LOGIN: the address; POPAUTH: the login */
};

/* What has been asked and answered for one message, and what is still open. Arena-owned. */
struct answers {
    struct arena *arena;
    struct strmap known; /* kind letter + key -> struct answer *, NULL: open */
    struct question *open;
    size_t open_count, open_room;
    bool failed; /* the arena's cap was reached: nothing more can be asked */
};

void answers_init(struct answers *a, struct arena *arena) TG_NONNULL(1);
void answers_fini(struct answers *a); /* frees the table; the rest is the arena's */
/* The answer, or NULL: then the question has been put among the open ones (once). */
const struct answer *answers_get(struct answers *a, enum question_kind kind, struct slice key)
    TG_NONNULL(1);
/* The answer, if one was brought unasked; opens no question. */
const struct answer *answers_find(struct answers *a, enum question_kind kind, struct slice key)
    TG_NONNULL(1);
/* Brings one answer (copied into the arena); a forwarder's may come unasked, as what an MTA showed.
 * The caller empties `open` (answers_none_open) when all are answered. */
int answers_put(struct answers *a, enum question_kind kind, struct slice key,
                const struct answer *answer) TG_NONNULL(1);
void answers_none_open(struct answers *a) TG_NONNULL(1);

#endif
