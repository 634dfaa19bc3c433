#ifndef TG_CORE_LIMIT_CHECK_H
#define TG_CORE_LIMIT_CHECK_H

#include "lib/core/classify.h"
#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/core/record.h"

/*
 * From legs and limits to the question for the throttle, and from its answer to the verdict. Pure.
 *
 * A check is the amount that one message wants of one window, and the limits that test it. All
 * checks of one holder (a domain with its users; a customer; the server; a client) are tested and
 * consumed in one step.
 *
 * recipients, messages and bytes are out + forward of the account; bounces are bounces received. A
 * forwarder consumes, but stops the message only where the limit says forwards = true, since its
 * owner did not send it. Mail without an owner (_unattributed) has no limits of a domain. A
 * customer is charged what its domains are charged together.
 *
 * A bounce that comes without SMTP is the mail server's own. If it were refused, Postfix would keep
 * the bounced message and try its delivery and the bounce again and again: limits of bounces that
 * defer or reject act as log there; hold acts.
 *
 * Owner: the arena given; names and limits are borrowed.
 */

#define HOLDER_SERVER   "@server"
#define HOLDER_CLIENT   "@client:"   /* and the client, as networks_client_text has it */
#define HOLDER_CUSTOMER "@customer:" /* and the name of billing.customers */

/* The domains of a customer that the message is charged to. */
struct limit_members {
    struct slice *list;
    size_t count, room;
};

struct limit_check {
    enum limit_scope scope;
    enum limit_metric metric;
    int64_t window_ms;
    struct slice per;
    struct slice holder;  /* the domain; HOLDER_SERVER; HOLDER_CLIENT and the IP ... */
    struct slice subject; /* the user (scope user), else empty */
    const struct limit_members *members; /* scope customer; else NULL */
    uint64_t amount;
    bool stops;         /* false: only forwarders: stops where a limit says forwards = true */
    bool is_own_bounce; /* bounces without SMTP: may be held, not refused */
    const struct limit **tests; /* the limits of this window */
    size_t test_count;
};

struct limit_checks {
    struct limit_check *list; /* those of one holder stand together */
    size_t count, room, test_count;
    /* The legs that the amounts are sums of: those that limits are about, without exempt ones, with
     * users in any case. A held message keeps them (record.wanted). */
    struct leg *legs;
    size_t leg_count;
};

/* Never throttled. Built like a hosted set (hosted_add_network and the like). */
struct exemptions {
    struct strmap users, domains, recipients; /* canonical text -> anything */
    struct networks clients;
    struct slice delimiters; /* of extensions, in users and recipients */
};

struct limit_list {
    const struct limit *limits;
    size_t count;
};

/* The limits in force: of the server and of clients, and of domains and customers by a function. */
struct limit_source {
    struct limit_list server, client;
    unsigned client_v6_prefix; /* IPv6 addresses that share so many bits are one client */
    /* Of a domain, or of HOLDER_CUSTOMER and its name. -1: not known, *err says why. */
    int (*of_holder)(void *context, struct slice holder, struct arena *arena,
                     struct limit_list *out, struct err *err);
    /* The customer whose the domain is; empty: none. NULL: there are no customers. */
    struct slice (*customer_of)(void *context, struct slice domain);
    /* May the user have windows of his own? Those who may not share the user OTHER_USERS. NULL: all
     * may. */
    bool (*user_has_windows)(void *context, struct slice domain, struct slice user);
    void *context;
};

#define OTHER_USERS "_other"

/* The account and user that the limits of a recipient's mail are charged to: of local mail the
 * receiving side, since only its bounces are limited. */
struct limit_payer {
    struct slice account, user; /* user empty: none */
};
struct limit_payer limit_check_payer(const struct decision *d) TG_NONNULL(1);

/* False for mail to which no limit can apply: incoming and local. */
bool limit_checks_are_possible(const struct classified *c) TG_NONNULL(1);

/* The checks of a message; none: no limit applies. -1: the arena's cap is reached, or limits are
 * not known. */
int limit_checks_build(const struct classified *c, const struct facts *f, const struct hosted *w,
                       const struct exemptions *x, const struct limit_source *limits,
                       struct arena *arena, struct limit_checks *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The checks for the release of a held message (RECORD_HELD): the limits in force now, the amounts
 * as when it was held. */
int limit_checks_of_held(const struct record *held, const struct limit_source *limits,
                         struct arena *arena, struct limit_checks *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The throttle's answer to each test, in the order of checks and their tests. */
struct test_answer {
    uint64_t used; /* before this message */
    bool over;     /* used + amount > max */
    bool crossing; /* the first stop after a time within the limit */
    bool soft;     /* this message reaches the soft percentage, the first one in the window */
    int64_t retry_after_ms; /* when the amount fits; -1: never */
    int64_t room_after_ms;  /* when 1 fits, after this message; 0: it does; -1: never */
};

/* Is the holder charged for that account's mail? */
bool limit_check_is_of(const struct limit_check *d, struct slice account) TG_NONNULL(1);
/* The holder's name of a customer: HOLDER_CUSTOMER and that name. ptr NULL: no memory. */
struct slice limit_check_customer(struct slice name, struct arena *arena) TG_NONNULL(2);
/* A name for the check's window, unique among all; added to *b. */
void limit_check_window_name(const struct limit_check *d, struct buf *b) TG_NONNULL(1);

/* True where this test, if over, stops the message in enforce mode. */
bool limit_check_stops(const struct limit_check *d, const struct limit *l) TG_NONNULL(1);

struct throttle_verdict {
    enum limit_action action;        /* ACTION_LOG: accepted, perhaps reported */
    const struct limit_check *check; /* the crossed one that decides; NULL: none */
    const struct limit *limit;
    const struct test_answer *answer;
    enum limit_action wanted; /* what it would have been in enforce mode */
};

/* The strongest action of the crossed tests; of equal ones the test that reopens last. Observe mode
 * turns each action into log. */
struct throttle_verdict limit_checks_decide(const struct limit_checks *d,
                                            const struct test_answer *answers, bool observe)
    TG_NONNULL(1);

#endif
