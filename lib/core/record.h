#ifndef TG_CORE_RECORD_H
#define TG_CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/classify.h"
#include "lib/core/contract.h"
#include "lib/core/counters.h"
#include "lib/core/tally.h"

/*
 * What the journal keeps: above all each message as it is charged, the legs that classification
 * gives, and the counters that they make.  Pure.
 *
 * Bytes of in, local and relay: the message's, once an account and once a user. Bytes of out and
 * forward: times the number of distinct destination domains of the account (of the user), or as
 * accounting.out_bytes says.
 *
 * The node has legs too (account ACCOUNT_NODE): one LEG_MESSAGE for the message, and one a class,
 * whoever is charged: its messages once, its recipients all together, bytes of in, local and relay
 * once, of out and forward the sum over the accounts.
 *
 * Besides its legs a record may have amounts, which count by themselves: what a limit stopped, or
 * would have. A message that goes to the MTA's hold queue is a record whose legs do not count until
 * another record, its release, says so; that counts them once, whatever is said again later.
 */

enum record_kind {
    RECORD_MESSAGE, /* accepted: legs and amounts count */
    RECORD_EVENT,   /* not accepted: amounts */
    RECORD_HELD,    /* kept back: amounts count, legs are kept */
    RECORD_RELEASE, /* of a held message: its legs count, at this record's time; amounts count */
    RECORD_FORGET,  /* a held message is gone (an admin deleted it): its legs never count */
    RECORD_PLACE,   /* a held message was found on hold in the queue `place` */
    RECORD_KINDS
};

enum leg_kind {
    LEG_IN,
    LEG_OUT,
    LEG_FORWARD,
    LEG_RELAY,
    LEG_LOCAL_SENT,
    LEG_LOCAL_RECEIVED,
    LEG_MESSAGE, /* the node's: an accepted message */
    LEG_KINDS
};

struct leg {
    enum leg_kind kind;
    struct slice account; /* ACCOUNT_NODE ("@"): the node's own, whatever its name */
    struct slice user;    /* empty: the account's own sum */
    uint64_t messages, recipients, bytes;
    uint64_t bounces; /* bounces received with it */
    bool sends; /* record.wanted: more than mail that passes a forwarder: a limit may stop it */
    bool opens; /* record.legs: the first of its SMTP session for this account or user */
};

/* So much more of one counter. */
struct amount {
    struct slice account, user; /* as a leg's */
    enum counter counter;
    uint64_t value;
};

#define ACCOUNT_NODE "@"

struct record {
    enum record_kind kind;
    uint64_t number;       /* given by the journal, from 1, without gaps */
    int64_t time_ms;       /* Unix time of the append, milliseconds; given by the journal */
    struct slice queue_id; /* may be empty */
    uint64_t bytes;
    enum priority priority;
    bool spam;
    struct leg *legs;
    size_t leg_count;
    struct amount *amounts;
    size_t amount_count, amount_room;

    /* RECORD_HELD: the account in whose line it waits (that of the limit, or of a customer's limit
     * the first domain; one of the server or of clients is no account's, such a message waits under
     * ACCOUNT_UNATTRIBUTED), the client's IP, and what it wants of the limits (struct limit_checks
     * has it so), to be asked for again at its release. */
    struct slice held_by, client_ip;
    struct leg *wanted;
    size_t wanted_count;

    uint64_t held_number; /* RECORD_RELEASE, RECORD_FORGET, RECORD_PLACE: of the held record */
    struct slice place;   /* RECORD_PLACE: the queue's name (cli/hold_queue gives it) */
};

/* Sums the decisions into legs: accounts, their users, and the node. -1: the arena's cap is
 * reached. `users`: legs of users too. The legs borrow their names from `c`. */
int record_build(const struct classified *c, const struct facts *f, enum out_bytes out_bytes,
                 bool users, struct slice queue_id, struct arena *arena, struct record *out,
                 struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The body of a journal record (without length, checksum, number and time, which are the
 * journal's). What a record of its kind does not have is left out. */
void record_encode(const struct record *r, struct buf *b) TG_NONNULL(1);
/* -1 for bytes that are no record (*err says what is wrong with them); slices point into `body`.
 * Number and time are left alone. */
int record_decode(struct slice body, struct arena *arena, struct record *out,
                  struct err *err) TG_MUST_USE;

/* One more amount; none for a value of 0. -1: the arena's cap is reached. The names are borrowed.
 */
int record_amount_add(struct record *r, struct arena *arena, struct slice account,
                      struct slice user, enum counter counter, uint64_t value,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Adds what one leg makes of the counters of its account (or user: traffic only, no priorities, no
 * spam). */
void record_leg_count(const struct record *r, const struct leg *leg, struct tally *into)
    TG_NONNULL(1);

#endif
