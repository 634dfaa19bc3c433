#ifndef TG_CORE_FORWARDERS_H
#define TG_CORE_FORWARDERS_H

#include "lib/core/contract.h"
#include "lib/core/hosted.h"

/*
 * Where mail to a forwarder goes: its targets, and through those of them that are forwarders too
 * the targets of these, up to FORWARDERS_LEVELS deep, each address once.
 *
 * Owner: the arena given, for the result and while it is made.  Pure: what the hosted set cannot
 * answer becomes a question in *answers.
 */

#define FORWARDERS_LEVELS 10

enum forwarders_kind {
    FORWARDERS_OUTSIDE, /* an address that is not hosted */
    /* a hosted address that keeps a copy: it is no forwarder, lists itself, stands on a loop, has
     * no target that is an address, or is met at the last level */
    FORWARDERS_MAILBOX,
    FORWARDERS_NO_ADDRESS, /* a target that is no address: a command, a file */
};

struct forwarders_place {
    enum forwarders_kind kind;
    struct address address; /* with a domain; null for FORWARDERS_NO_ADDRESS */
    struct slice text;      /* the target as its table writes it, with a domain */
    struct slice from;      /* FORWARDERS_NO_ADDRESS: the forwarder that has it */
};

/* Takes one place; false ends the expansion with HOSTED_FAILED. */
typedef bool forwarders_visit(void *user, const struct forwarders_place *place);

/* Visits all places where mail to that hosted address goes; `text` is the address as its client
 * wrote it (empty: in lower case). A target without a domain is a user of
 * the default domain, else of the forwarder's own. HOSTED_NO: the address is no forwarder.
 * HOSTED_ASK: questions are open. HOSTED_FAILED: the arena's cap is reached, or `visit` said so.
 * Unless the result is HOSTED_YES or comes from `visit`, nothing has been visited. */
enum hosted_result forwarders_expand(const struct hosted *w, struct answers *answers,
                                     const struct address *from, struct slice text,
                                     struct arena *arena, forwarders_visit *visit,
                                     void *user) TG_MUST_USE TG_NONNULL(1, 3, 5, 6);

#endif
