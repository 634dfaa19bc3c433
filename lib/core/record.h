#ifndef TG_CORE_RECORD_H
#define TG_CORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/classify.h"
#include "lib/core/counters.h"

/*
 * A message as it is charged: the legs that classification gives, what the journal keeps of them,
 * and the counters that they make.  Pure.
 *
 * Bytes of in, local and relay: the message's, once an account and once a user. Bytes of out and
 * forward: times the number of distinct destination domains of the account (of the user), or as
 * accounting.out_bytes says.
 *
 * The node has legs too (account ACCOUNT_NODE): one LEG_MESSAGE for the message, and one a class,
 * whoever is charged: its messages once, its recipients all together, bytes of in, local and relay
 * once, of out and forward the sum over the accounts.
 */

enum leg_kind {
    LEG_IN,
    LEG_OUT,
    LEG_FORWARD,
    LEG_RELAY,
    LEG_LOCAL_SENT,
    LEG_LOCAL_RECEIVED,
    LEG_MESSAGE, /* the node's: a message let through */
    LEG_KINDS
};

struct leg {
    enum leg_kind kind;
    struct slice account; /* ACCOUNT_NODE ("@"): the node's own, whatever its name */
    struct slice user;    /* empty: the account's own sum */
    uint64_t messages, recipients, bytes;
    uint64_t bounces; /* bounces received with it */
};

#define ACCOUNT_NODE "@"

struct record {
    uint64_t number;       /* given by the journal, from 1, without gaps */
    int64_t time_ms;       /* Unix time of the append, milliseconds; given by the journal */
    struct slice queue_id; /* may be empty */
    uint64_t bytes;
    enum priority priority;
    bool spam;
    struct leg *legs;
    size_t leg_count;
};

/* Sums the decisions into legs: accounts, their users, and the node. -1: the arena's cap is
 * reached. `users`: legs of users too. The legs borrow their names from `c`. */
int record_build(const struct classified *c, const struct facts *f, enum out_bytes out_bytes,
                 bool users, struct slice queue_id, struct arena *arena, struct record *out,
                 struct err *err);

/* The body of a journal record (without length, checksum, number and time, which are the
 * journal's). */
void record_encode(const struct record *r, struct buf *b);
/* -1 for bytes that are no record (*err says what is wrong with them); slices point into `body`.
 * Number and time are left alone. */
int record_decode(struct slice body, struct arena *arena, struct record *out, struct err *err);

/* Adds what one leg makes of the counters of its account (or user: traffic only, no priorities, no
 * spam). */
void leg_count(const struct record *r, const struct leg *leg, struct tally *into);

#endif
