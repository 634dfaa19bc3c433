#ifndef TG_THROTTLE_THROTTLE_CALL_H
#define TG_THROTTLE_THROTTLE_CALL_H

#include <hiredis/hiredis.h>

#include "lib/core/contract.h"
#include "lib/core/limit_check.h"
#include "lib/redis/store.h"

/*
 * The checks of a message as calls of throttle.lua, and its answers, without I/O: who has a
 * connection sends the commands that are due, hands over their replies, and goes on until none is
 * due. throttle_script.h does so and waits.
 *
 * All checks go in one command, where the store can run it. A cluster cannot, where holders are in
 * different slots: it says so, and the call continues with a command a holder. Then all holders are
 * looked at first, and the message consumes only where all fit: one more trip where a single holder
 * can stop it (and one for the others), else two more, to reserve and to keep. Where no limit can
 * stop the message, and to look, one trip is enough. Nothing is consumed by a message that is
 * stopped.
 *
 * Owner: the arena given; request, checks and answers are borrowed until the end.  Threads: one.
 * Errors: EX_TEMPFAIL; the call is over then.
 */

/* With a check: what the node asks for beside it for its next messages, and gives back. */
struct throttle_lease {
    uint64_t wanted;
    uint64_t unused;  /* of a lease of `slice` */
    int64_t slice;    /* answered: the newest one; of a month: its end in ms */
    uint64_t granted; /* answered */
    bool is_asked;    /* for who keeps the leases (leases.h) */
};

struct throttle_request {
    const char *prefix;
    bool observe;   /* no limit stops the message */
    bool consume;   /* false: nothing is consumed */
    bool is_apart;  /* the store is known to be a cluster: a command a holder from the beginning */
    int64_t now_ms; /* Unix time, as near to the store's as is known: for the months */
    char id[40];    /* of this message's reservations; unique in the store */
    struct throttle_lease *leases; /* one a check, and their answers; NULL: none. Only where all
                                    * checks go in one command, or none can stop the message */
    uint64_t lease_part;           /* 2 at least: a lease is at most such a part of the room */
};

/* A reservation ends by itself within a sixtieth of the window, but is not shorter or longer than
 * this. */
#define THROTTLE_RESERVE_MIN_MS 1000
#define THROTTLE_RESERVE_MAX_MS 5000

extern const struct script throttle_script; /* that all commands call */

/* Arguments of the script: the keys first. */
struct throttle_command {
    const struct slice *argv;
    size_t argc, keys;
};

struct throttle_call;

/* One that is answered without a command. NULL: memory is out. */
struct throttle_call *throttle_call_none(struct arena *arena) TG_MUST_USE TG_NONNULL(1);
/* `answers`: room for one a test. NULL: *err says why. */
struct throttle_call *throttle_call_begin(const struct throttle_request *request,
                                          const struct limit_checks *d, struct arena *arena,
                                          struct test_answer *answers, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The commands that are due; 0: the answers are there. They may run in any order, or at once. */
size_t throttle_call_due(const struct throttle_call *c, const struct throttle_command **commands)
    TG_NONNULL(1);

/* Takes their replies, one a command in their order; the caller frees them. */
int throttle_call_take(struct throttle_call *c, redisReply *const *replies,
                       struct err *err) TG_MUST_USE TG_NONNULL(1);

/* True where the answers are there, though a command may be due that gives back what was reserved:
 * where it fails, that ends by itself. */
bool throttle_call_is_answered(const struct throttle_call *c) TG_NONNULL(1);
/* The store's clock, as of the last answer. */
int64_t throttle_call_now_ms(const struct throttle_call *c) TG_NONNULL(1);
/* The store is a cluster: the next request had better say so. */
bool throttle_call_is_apart(const struct throttle_call *c) TG_NONNULL(1);

#endif
